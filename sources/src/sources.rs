//! A catalogue's pictures, wherever they are.

use std::sync::{Arc, Mutex, PoisonError};

use lookalike_error::Result;

use crate::address::Address;
use crate::file;
use crate::http::{Counts, Fetched, Fetcher, Options};
use crate::names::{Finder, Place};

/// Reads pictures by the names that a catalogue gives them. The cache is opened when the first
/// address is met, so that a catalogue of files leaves no trace.
pub struct Sources {
    finder: Finder,
    options: Options,
    progress: Arc<dyn Fn(Counts) + Send + Sync>,
    fetcher: Mutex<Option<Arc<Fetcher>>>,
}

impl Sources {
    /// Names as `finder` finds them, fetched as `options` say; files too have at most
    /// `options.max_bytes`. `progress` is called whenever it is known of an address what became of
    /// it.
    #[must_use]
    pub fn new(
        finder: Finder,
        options: Options,
        progress: impl Fn(Counts) + Send + Sync + 'static,
    ) -> Self {
        Self { finder, options, progress: Arc::new(progress), fetcher: Mutex::default() }
    }

    /// Fetches a feed, and takes the names in it relative to where it came from.
    ///
    /// # Errors
    ///
    /// Where it cannot be fetched.
    pub fn of_feed(
        address: &Address,
        options: Options,
        progress: impl Fn(Counts) + Send + Sync + 'static,
    ) -> Result<(Self, Fetched)> {
        let mut sources = Self::new(Finder::at_address(address.clone()), options, progress);
        let feed = sources.open()?.feed(address)?;
        sources.finder = Finder::at_address(feed.address.clone());
        Ok((sources, feed))
    }

    /// A picture's bytes. Waits where they are still to be fetched.
    ///
    /// # Errors
    ///
    /// Where no file has the name, it cannot be read or fetched, or it is too large.
    pub fn read(&self, name: &str) -> Result<Vec<u8>> {
        match self.finder.find(name)? {
            Place::File(path) => file::read(&path, self.options.max_bytes),
            Place::Address(address) => self.open()?.get(&address),
        }
    }

    /// Begins to fetch those of the pictures that are addresses, in this order, while others are
    /// read.
    ///
    /// # Errors
    ///
    /// Where the cache cannot be opened. What is wrong with a name [`Self::read`] says.
    pub fn prefetch<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Result<()> {
        for name in names {
            // Files are looked for when they are read; a name that is neither fails then too.
            if let Some(address) = self.finder.address(name) {
                self.open()?.prefetch([address]);
            }
        }
        Ok(())
    }

    /// What a picture is called in messages: its path or address, where it has one.
    #[must_use]
    pub fn describe(&self, name: &str) -> String {
        match self.finder.find(name) {
            Ok(Place::File(path)) => path.display().to_string(),
            Ok(Place::Address(address)) => address.to_string(),
            Err(_) => name.to_owned(),
        }
    }

    /// What fetches; none where no address was met.
    #[must_use]
    pub fn fetcher(&self) -> Option<Arc<Fetcher>> {
        self.fetcher.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn open(&self) -> Result<Arc<Fetcher>> {
        let mut fetcher = self.fetcher.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(fetcher) = &*fetcher {
            return Ok(Arc::clone(fetcher));
        }
        let progress = Arc::clone(&self.progress);
        let opened = Arc::new(Fetcher::new(self.options.clone(), move |counts| progress(counts))?);
        *fetcher = Some(Arc::clone(&opened));
        Ok(opened)
    }
}
