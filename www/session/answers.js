/** Asks the worker, and keeps what it answered for as long as photo and selection are the same. */

/**
 * @import { Answer, HeatMap, Query } from '../types.js'
 * @import { Connection } from './connection.js'
 * @import { KeptPhoto } from './photo.js'
 *
 * @typedef {{whole: Answer|null, masked: Answer|null, product: Answer|null}} Results
 */

/** So many answers are kept. */
const MOST_KNOWN = 60;
/** @type {Readonly<Results>} */
export const NOTHING = Object.freeze({ whole: null, masked: null, product: null });

export class Answers {
  #connection;
  #photo;
  /** By list and query. @type {Map<string, Answer>} */
  #known = new Map();

  /**
   * @param {Connection} connection
   * @param {KeptPhoto} photo
   */
  constructor(connection, photo) {
    this.#connection = connection;
    this.#photo = photo;
  }

  /** Another photo or catalogue. */
  forget() {
    this.#known.clear();
  }

  /** Another selection in the same photo. */
  forgetSelection() {
    for (const key of this.#known.keys()) if (key.startsWith('masked')) this.#known.delete(key);
  }

  /**
   * The list that starts from products.
   * @param {Query} query
   * @param {AbortSignal} signal
   */
  async *fromProducts({ walk: _, ...query }, signal) {
    yield { ...NOTHING, product: await this.#ask('product', query, signal) };
  }

  /**
   * The lists that start from the photo, as they come: with a selection, the whole photo's first, if nothing is shown yet.
   * @param {Query} query
   * @param {Results} shown
   * @param {AbortSignal} signal
   */
  async *fromPhoto({ walk, productId: _, ...query }, shown, signal) {
    const whole = await this.#ask('whole', { photo: 'whole', ...query }, signal);
    const { isSelecting } = this.#photo;
    if (!isSelecting || !shown.whole) yield { ...NOTHING, whole };
    if (!isSelecting) return;
    const masked = await this.#ask('masked', { photo: 'masked', ...(walk !== undefined && { walk }), ...query }, signal);
    yield { ...NOTHING, whole, masked };
  }

  /**
   * @param {"whole"|"masked"|"product"} list
   * @param {Query} query
   * @param {AbortSignal} signal
   * @returns {Promise<Answer>}
   */
  async #ask(list, query, signal) {
    const key = `${list} ${JSON.stringify(query)}`;
    const known = this.#known.get(key);
    if (known) return known;
    const client = await (query.photo ? this.#photo.worker(signal) : this.#connection.worker);
    /** @type {Answer} */
    const answer = await client.call('search', { session: this.#connection.id, query }, { signal });
    signal.throwIfAborted();
    if (this.#known.size > MOST_KNOWN) this.#known.clear();
    this.#known.set(key, answer);
    return answer;
  }

  /**
   * Where in the photo the similarity to a product comes from.
   * @param {string} productId
   * @param {number} image which of its pictures
   * @returns {Promise<HeatMap>}
   */
  async explain(productId, image) {
    const client = await this.#photo.worker();
    return client.call('explain', { session: this.#connection.id, productId, image, photo: this.#photo.isSelecting ? 'masked' : 'whole' });
  }
}
