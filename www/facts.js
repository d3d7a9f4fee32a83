/** What a shop says about a product, in the shopper's words. */
import { h } from './dom.js';
import { fill } from './labels.js';

/**
 * @import { Product } from './types.js'
 * @import { Labels } from './labels.js'
 */

/**
 * The price; of a sale with the one before it, struck out, which a screen reader is told in words.
 * @param {Product} product
 * @param {Labels} labels
 * @returns {HTMLElement|string} empty where the shop gives none
 */
export function priceOf({ price, listPrice, currency }, labels) {
  const now = money(price, currency);
  if (!now || typeof price !== 'number' || !(typeof listPrice === 'number' && listPrice > price)) return now;
  const before = money(listPrice, currency);
  return h('span', { class: 'sale' }, h('span', { class: 'now' }, now), ' ',
    h('s', { 'aria-hidden': 'true' }, before), h('span', { class: 'sr-only' }, fill(labels.before, { price: before })));
}

/**
 * @param {Product} product
 * @param {Labels} labels
 * @returns {string} empty where the shop does not say
 */
export function availabilityOf({ availability }, labels) {
  return availability ? availabilityName(availability, labels) : '';
}

/**
 * @param {string} value one of the four
 * @param {Labels} labels
 */
export function availabilityName(value, labels) {
  /** @type {Record<string, string>} */
  const names = { in_stock: labels.inStock, out_of_stock: labels.outOfStock, preorder: labels.preorder, backorder: labels.backorder };
  return names[value] ?? value;
}

/**
 * @param {number|undefined} amount
 * @param {string|undefined} currency
 */
function money(amount, currency) {
  if (typeof amount !== 'number') return '';
  try {
    return new Intl.NumberFormat(undefined, currency ? { style: 'currency', currency } : {}).format(amount);
  } catch {
    // A feed may name a currency that no one knows.
    return `${amount} ${currency ?? ''}`.trim();
  }
}
