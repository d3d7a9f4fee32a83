/** The English words of the facade, which is there before all else. */
export const WORDS = {
  choose: 'Choose a photo',
  dropTitle: 'Drop a photo here',
  dropHint: 'or paste one. It stays on this device.',

  errors: {
    setup: ['The search engine could not be loaded', 'Check the connection and try again. If you are building this page: run `cargo xtask demo` first.'],
    'no-picture': ['There is no picture in that', 'Drop or paste a photo file, or an image.'],
    offline: ['You are offline', 'The search is not on this device yet. Connect to the internet and try again.'],
  },
};
