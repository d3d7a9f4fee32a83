/** What scores mean in a catalogue, as its manifest says it. */

/**
 * @import { Hit, Manifest } from './types.js'
 *
 * @typedef {NonNullable<Manifest["scores"]>} Scores
 * @typedef {keyof Scores} Likeness
 */

/** From the highest on. @type {Likeness[]} */
const LEVELS = ['same', 'close', 'similar'];

/**
 * @param {number} score
 * @param {Scores} scores
 * @returns {Likeness|null} null: not much like it
 */
export function likenessOf(score, scores) {
  return LEVELS.find((level) => score >= scores[level]) ?? null;
}

/**
 * Whether something was found, and nothing that is much like what was asked for.
 * @param {Hit[]} hits best first
 * @param {Scores|undefined} scores
 */
export function isNothingAlike(hits, scores) {
  return scores !== undefined && hits.length > 0 && likenessOf(hits[0].score, scores) === null;
}
