/**
 * The demonstration page: sample photos, the query in the address, light and dark. Everything else is the
 * element's own.
 */
import './element.js';
import { h } from './dom.js';
import { makeSamples } from './samples.js';
import { decodeState, encodeState } from './url-state.js';

/** @import { LookAlike } from './element.js' */

const element = /** @type {LookAlike} */ (document.querySelector('look-alike'));
const root = document.documentElement;

// A link to a query: what it holds is in the fragment, which no server sees.
const start = decodeState(location.hash);
if (Object.keys(start).length > 0) element.query = start;
element.addEventListener('querychange', () => {
  const state = encodeState(element.query);
  history.replaceState(null, '', state ? `#${state}` : location.pathname + location.search);
  atWork();
});
addEventListener('hashchange', () => {
  element.query = decodeState(location.hash);
  atWork();
});
let hasPhoto = false;
element.addEventListener('photochange', (event) => {
  hasPhoto = /** @type {CustomEvent} */ (event).detail !== null;
  atWork();
});

/** Once there is something to look at, the words make room. */
function atWork() {
  root.classList.toggle('at-work', hasPhoto || element.query.productId !== undefined || element.query.like !== undefined);
}

element.addEventListener('ready', async () => {
  atWork();
  const samples = await makeSamples(element);
  if (samples.length === 0) return;
  const list = document.querySelector('.samples');
  list?.replaceChildren(...samples.map(({ picture, label, credit, photo }) => h('li', {},
    h('button', {
      type: 'button',
      'aria-label': label,
      title: credit ? `${label} (${credit})` : label,
      onclick: async () => element.setPhoto(await photo()).catch(() => {}),
    }, picture))));
  const box = document.querySelector('[slot=samples]');
  if (box instanceof HTMLElement) box.hidden = false;
}, { once: true });

const theme = document.querySelector('.theme');
theme?.addEventListener('click', () => {
  const dark = root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  root.dataset.theme = dark ? 'light' : 'dark';
});
