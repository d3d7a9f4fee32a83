/** A chosen result: both pictures, its facts, where the similarity comes from. */
import { h, icon, picture as image } from './dom.js';
import { drawHeat } from './heat.js';
import { fill } from './labels.js';
import { priceOf } from './results.js';

/**
 * @import { HeatMap, Product } from './types.js'
 * @import { Labels } from './labels.js'
 *
 * @param {object} options
 * @param {Labels} options.labels
 * @param {Product} options.product
 * @param {number|null} options.score null for a variant of what was found
 * @param {(product: Product) => string|null} options.picture its URL
 * @param {ImageBitmap|null} options.photo
 * @param {(() => Promise<HeatMap|null>)|null} options.explain null where the engine cannot; resolves to null where it failed
 * @param {() => void} options.similar
 * @param {Promise<Product[]>} options.variants others that show the same thing; rejected where they cannot be read
 * @param {(variant: Product) => void} options.open
 * @returns {HTMLDialogElement} to be put in the page and shown; removes itself when closed
 */
export function detailDialog({ labels, product, score, picture, photo, explain, similar, variants, open }) {
  const close = h('button', { type: 'button', class: 'mini', 'aria-label': labels.close, title: labels.close, onclick: () => dialog.close() }, icon('close'));
  const pair = h('div', { class: 'pair' });
  const note = h('p', { class: 'why-note', hidden: true }, labels.whyText);
  const buttons = h('div', { class: 'dialog-foot' });

  if (photo) {
    const side = 480 / Math.max(photo.width, photo.height);
    const canvas = h('canvas', { width: Math.round(photo.width * side), height: Math.round(photo.height * side), role: 'img', 'aria-label': labels.yourPhoto });
    drawHeat(canvas, photo, null);
    pair.append(h('figure', {}, canvas, h('figcaption', {}, labels.yourPhoto)));
    if (explain) {
      let shown = false;
      const why = h('button', {
        type: 'button', class: 'quiet', 'aria-pressed': 'false',
        onclick: async () => {
          shown = !shown;
          why.setAttribute('aria-pressed', String(shown));
          note.hidden = !shown;
          const map = shown ? await explain() : null;
          // Pressed again meanwhile, the answer comes too late.
          if (shown === (map !== null)) drawHeat(canvas, photo, map);
        },
      }, icon('eye'), labels.why);
      buttons.append(why);
    }
  }
  const source = picture(product);
  pair.append(h('figure', {},
    h('span', { class: 'tile' }, image(source, { alt: product.title })),
    h('figcaption', {}, product.title)));

  /** @type {[string, string][]} */
  const facts = [];
  if (product.category) facts.push([labels.category, product.category]);
  const price = priceOf(product);
  if (price) facts.push([labels.price, price]);
  if (product.availability) facts.push([labels.availability, product.availability]);
  for (const [name, value] of Object.entries(product.attributes ?? {})) if (value && !/^https?:/.test(value)) facts.push([name.replaceAll('_', ' '), value]);

  buttons.append(h('button', { type: 'button', class: 'quiet', onclick: () => (dialog.close(), similar()) }, icon('similar'), labels.searchSimilar));
  if (product.url && /^https?:/.test(new URL(product.url, document.baseURI).protocol)) {
    buttons.append(h('a', { class: 'primary', href: product.url }, labels.toShop));
  }

  const list = h('ul', { class: 'variant-list' });
  const others = h('section', { class: 'variants-of', hidden: true }, h('h3', {}, labels.variants), list);
  variants.then((found) => {
    others.hidden = found.length === 0;
    list.append(...found.map((variant) => {
      const small = picture(variant);
      return h('li', {}, h('button', { type: 'button', class: 'variant', onclick: () => (dialog.close(), open(variant)) },
        h('span', { class: 'tile' }, image(small, { alt: '', decoding: 'async' })),
        h('span', { class: 'variant-name' }, variant.title), h('span', { class: 'variant-price' }, priceOf(variant))));
    }));
  }, () => {});

  const dialog = h('dialog', { class: 'dialog detail', part: 'detail', 'aria-label': product.title },
    h('header', { class: 'dialog-head' }, h('h2', {}, product.title), score !== null && h('span', { class: 'score-chip' }, fill(labels.score, { score: score.toFixed(2) })), close),
    pair, note, others,
    h('dl', { class: 'fact-list' }, ...facts.map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value)))),
    buttons);
  dialog.addEventListener('click', (event) => {
    if (event.target === dialog) dialog.close();
  });
  dialog.addEventListener('close', () => dialog.remove());
  return dialog;
}
