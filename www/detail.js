/** A chosen result: both pictures, its facts, where the similarity comes from. */
import { h, icon, picture as image } from './dom.js';
import { drawHeat } from './heat.js';
import { fill } from './labels.js';
import { availabilityOf, priceOf } from './facts.js';

/**
 * @import { HeatMap, Product } from './types.js'
 * @import { Labels } from './labels.js'
 *
 * @param {object} options
 * @param {Labels} options.labels
 * @param {Product} options.product
 * @param {string|null} options.page where the shop sells it
 * @param {number|null} options.score null for a variant of what was found
 * @param {number} options.shown which of its pictures matched
 * @param {(product: Product, index?: number) => string|null} options.picture its URL
 * @param {ImageBitmap|null} options.photo
 * @param {(() => Promise<HeatMap|null>)|null} options.explain null where the engine cannot; resolves to null where it
 *   failed
 * @param {() => void} options.similar
 * @param {Promise<Product[]>} options.variants others that show the same thing; rejected where they cannot be read
 * @param {(variant: Product) => void} options.open
 * @returns {HTMLDialogElement} to be put in the page and shown; removes itself when closed
 */
export function detailDialog(options) {
  const { labels, product, page, score, shown, picture, photo, explain, similar, variants, open } = options;
  const close = h('button', {
    type: 'button', class: 'mini', 'aria-label': labels.close, title: labels.close, onclick: () => dialog.close(),
  }, icon('close'));
  const pair = h('div', { class: 'pair' });
  const note = h('p', { class: 'why-note', hidden: true }, labels.whyText);
  const buttons = h('div', { class: 'dialog-foot' });

  if (photo) {
    const side = 480 / Math.max(photo.width, photo.height);
    const [width, height] = [Math.round(photo.width * side), Math.round(photo.height * side)];
    const canvas = h('canvas', { width, height, role: 'img', 'aria-label': labels.yourPhoto });
    drawHeat(canvas, photo, null);
    pair.append(h('figure', {}, canvas, h('figcaption', {}, labels.yourPhoto)));
    if (explain) {
      let lit = false;
      const why = h('button', {
        type: 'button', class: 'quiet', 'aria-pressed': 'false',
        onclick: async () => {
          lit = !lit;
          why.setAttribute('aria-pressed', String(lit));
          note.hidden = !lit;
          const map = lit ? await explain() : null;
          // Pressed again meanwhile, the answer comes too late.
          if (lit === (map !== null)) drawHeat(canvas, photo, map);
        },
      }, icon('eye'), labels.why);
      buttons.append(why);
    }
  }
  pair.append(pictures(labels, product, shown, picture));

  /** @type {[string, string|Node][]} */
  const facts = [];
  const price = priceOf(product, labels);
  if (price) facts.push([labels.price, price]);
  if (product.category) facts.push([labels.category, product.category]);
  const availability = availabilityOf(product, labels);
  if (availability) facts.push([labels.availability, availability]);
  for (const [name, value] of Object.entries(product.attributes ?? {})) {
    if (value && !/^https?:/.test(value)) facts.push([name.replaceAll('_', ' '), value]);
  }

  const onclick = () => (dialog.close(), similar());
  buttons.append(h('button', { type: 'button', class: 'quiet', onclick }, icon('similar'), labels.searchSimilar));
  if (page) buttons.append(h('a', { class: 'primary', href: page }, labels.toShop));

  const list = h('ul', { class: 'variant-list' });
  const others = h('section', { class: 'variants-of', hidden: true }, h('h3', {}, labels.variants), list);
  variants.then((found) => {
    others.hidden = found.length === 0;
    list.append(...found.map((variant) => {
      const small = picture(variant);
      const onclick = () => (dialog.close(), open(variant));
      return h('li', {}, h('button', { type: 'button', class: 'variant', onclick },
        h('span', { class: 'tile' }, image(small, { alt: '', decoding: 'async' })),
        h('span', { class: 'variant-name' }, variant.title),
        h('span', { class: 'variant-price' }, priceOf(variant, labels))));
    }));
  }, () => {});

  const dialog = h('dialog', { class: 'dialog detail', part: 'detail', 'aria-label': product.title },
    h('header', { class: 'dialog-head' }, h('h2', {}, product.title),
      score !== null && h('span', { class: 'score-chip' }, fill(labels.score, { score: score.toFixed(2) })), close),
    pair, note, others,
    h('dl', { class: 'fact-list' },
      ...facts.map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value)))),
    buttons);
  dialog.addEventListener('click', (event) => {
    if (event.target === dialog) dialog.close();
  });
  dialog.addEventListener('close', () => dialog.remove());
  return dialog;
}

/**
 * The picture that matched, large; where there are several, all of them to choose from.
 * @param {Labels} labels
 * @param {Product} product
 * @param {number} shown
 * @param {(product: Product, index?: number) => string|null} picture
 */
function pictures(labels, product, shown, picture) {
  const sources = (product.images ?? []).map((_, index) => picture(product, index));
  const large = h('span', { class: 'tile' });
  const choices = sources.length < 2 ? [] : sources.map((source, index) => h('button', {
    type: 'button', class: 'tile', 'aria-label': fill(labels.pictureOf, { number: index + 1, count: sources.length }),
    onclick: () => show(index),
  }, image(source, { alt: '', decoding: 'async' })));
  const show = (/** @type {number} */ index) => {
    large.replaceChildren(image(sources[index] ?? null, { alt: product.title }));
    choices.forEach((choice, i) => choice.setAttribute('aria-pressed', String(i === index)));
  };
  show(Math.max(0, Math.min(shown, sources.length - 1)));
  return h('figure', { class: 'pictures' }, large,
    choices.length > 0
      && h('div', { class: 'picture-choices', role: 'group', 'aria-label': labels.pictures }, ...choices),
    h('figcaption', {}, product.title));
}
