/** What the page shows of the catalogue as a whole: facets with counts, a varied selection. Pure. */

/** @import { Facet, Facets, Product } from './types.js' */

/** A column with more values than this is an identifier, not something to choose from. */
const MAX_VALUES = 60;

/**
 * @param {Product[]} products
 * @returns {Facets}
 */
export function facetsOf(products) {
  /** @type {Map<string, Map<string, number>>} */
  const columns = new Map([['category', new Map()], ['availability', new Map()]]);
  let min = Infinity;
  let max = -Infinity;
  /** @type {string|undefined} */
  let currency;
  for (const product of products) {
    count(columns, 'category', product.category);
    count(columns, 'availability', product.availability);
    for (const [name, value] of Object.entries(product.attributes ?? {})) count(columns, name, value);
    if (typeof product.price === 'number') {
      min = Math.min(min, product.price);
      max = Math.max(max, product.price);
      currency ??= product.currency;
    }
  }
  /** @type {Facet[]} */
  const facets = [];
  for (const [column, values] of columns) {
    if (values.size < 2 || values.size > MAX_VALUES) continue;
    const sorted = [...values].sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0]));
    facets.push({ column, values: sorted.map(([value, n]) => ({ value, count: n })) });
  }
  return { columns: facets, price: min < max ? { min, max, currency } : null };
}

/**
 * @param {Map<string, Map<string, number>>} columns
 * @param {string} column
 * @param {string|undefined} value
 */
function count(columns, column, value) {
  if (!value || /^https?:/.test(value)) return;
  let values = columns.get(column);
  if (!values) columns.set(column, values = new Map());
  values.set(value, (values.get(value) ?? 0) + 1);
}

/**
 * So many products, one category after the other, evenly spaced within each: the same on every visit.
 * @param {Product[]} products
 * @param {number} wanted
 * @returns {Product[]}
 */
export function spread(products, wanted) {
  /** @type {Map<string, Product[]>} */
  const byCategory = new Map();
  for (const product of products) {
    const key = product.category ?? '';
    const list = byCategory.get(key);
    if (list) list.push(product);
    else byCategory.set(key, [product]);
  }
  const lists = [...byCategory.values()].sort((a, b) => b.length - a.length);
  const rounds = Math.max(1, Math.ceil(wanted / Math.max(1, lists.length)));
  /** @type {Product[]} */
  const chosen = [];
  for (let round = 0; round < rounds && chosen.length < wanted; round++) {
    for (const list of lists) {
      if (chosen.length === wanted) break;
      const product = list[Math.floor(((round + 0.5) * list.length) / rounds)];
      if (product && !chosen.includes(product)) chosen.push(product);
    }
  }
  return chosen;
}
