/**
 * A query as the fragment of a link, and back. The fragment is sent to no server, and a photo has no place in
 * it: what starts from a photo is shared as its filters and directions alone. Pure.
 *
 *   #product=ID&like=ID&unlike=ID&walk=0.5&toward=["category","Sofas","category","Beds",0.4]
 *    &in.category=Sofas&in.colour=red&price=10-200&min=0.3
 */

/** @import { Filter, Group, Query, Toward } from './types.js' */

/**
 * @param {Query} query
 * @returns {string} without the #; empty for an empty query
 */
export function encodeState(query) {
  const state = new URLSearchParams();
  if (query.productId !== undefined) state.set('product', query.productId);
  for (const id of query.like ?? []) state.append('like', id);
  for (const id of query.unlike ?? []) state.append('unlike', id);
  if (query.walk !== undefined) state.set('walk', String(query.walk));
  for (const { from, to, strength } of query.toward ?? []) {
    state.append('toward', JSON.stringify([from?.column ?? null, from?.value ?? null, to.column, to.value, strength]));
  }
  const { category = [], availability = [], attributes = {}, price } = query.filter ?? {};
  for (const value of category) state.append('in.category', value);
  for (const value of availability) state.append('in.availability', value);
  for (const [name, values] of Object.entries(attributes)) for (const value of values) state.append(`has.${name}`, value);
  if (price) state.set('price', `${price.min ?? ''}-${price.max ?? ''}`);
  if (query.minScore !== undefined) state.set('min', String(query.minScore));
  return state.toString();
}

/**
 * Reads what it can; what it cannot read it leaves out, since links outlive the catalogue they were made with.
 * @param {string} text with or without the #
 * @returns {Query}
 */
export function decodeState(text) {
  const state = new URLSearchParams(text.replace(/^#/, ''));
  /** @type {Query} */
  const query = {};
  const product = state.get('product');
  if (product) query.productId = product;
  const like = state.getAll('like').filter(Boolean);
  const unlike = state.getAll('unlike').filter(Boolean);
  if (like.length > 0) query.like = like;
  if (unlike.length > 0) query.unlike = unlike;
  const walk = number(state.get('walk'), 0, 2);
  if (walk !== undefined) query.walk = walk;
  const toward = state.getAll('toward').map(readToward).filter((each) => each !== null);
  if (toward.length > 0) query.toward = toward;
  const filter = readFilter(state);
  if (filter) query.filter = filter;
  const min = number(state.get('min'), -1, 1);
  if (min !== undefined) query.minScore = min;
  return query;
}

/** @param {string} text @returns {Toward|null} */
function readToward(text) {
  try {
    const [fromColumn, fromValue, column, value, strength] = JSON.parse(text);
    if (typeof column !== 'string' || typeof value !== 'string') return null;
    /** @type {{from?: Group}} */
    const start = typeof fromColumn === 'string' && typeof fromValue === 'string' ? { from: { column: fromColumn, value: fromValue } } : {};
    const amount = number(String(strength), 0.1, 0.9);
    return amount === undefined ? null : { ...start, to: { column, value }, strength: amount };
  } catch {
    return null;
  }
}

/** @param {URLSearchParams} state @returns {Filter|null} */
function readFilter(state) {
  /** @type {Filter} */
  const filter = {};
  const category = state.getAll('in.category').filter(Boolean);
  const availability = state.getAll('in.availability').filter(Boolean);
  if (category.length > 0) filter.category = category;
  if (availability.length > 0) filter.availability = availability;
  for (const [key, value] of state) {
    if (!key.startsWith('has.') || key.length === 4) continue;
    filter.attributes ??= {};
    (filter.attributes[key.slice(4)] ??= []).push(value);
  }
  const range = state.get('price')?.match(/^([\d.]*)-([\d.]*)$/);
  if (range) {
    const min = number(range[1], 0, Infinity);
    const max = number(range[2], 0, Infinity);
    if (min !== undefined || max !== undefined) filter.price = { ...(min !== undefined && { min }), ...(max !== undefined && { max }) };
  }
  return Object.keys(filter).length > 0 ? filter : null;
}

/**
 * @param {string|null|undefined} text
 * @param {number} least
 * @param {number} most
 */
function number(text, least, most) {
  if (text === null || text === undefined || text.trim() === '') return undefined;
  const value = Number(text);
  return Number.isFinite(value) && value >= least && value <= most ? value : undefined;
}
