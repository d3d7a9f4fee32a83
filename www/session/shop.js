/** What the worker knows of the catalogue, once it is open. */
import { asError } from '../errors.js';

/**
 * @import { Facets, Group, Opened, Product, Query } from '../types.js'
 * @import { Connection } from './connection.js'
 *
 * @typedef {{groups: (Group & {count: number, offered: boolean})[], facets: Facets, shelf: Product[]}} Catalog
 */

/** How many products are offered to start from. */
const SHELF = 16;

export class Shop {
  #connection;
  /** Manifest, and what this engine can do. @type {Opened|null} */
  opened = null;
  /** @type {Catalog|null} */
  catalog = null;

  /** @param {Connection} connection */
  constructor(connection) {
    this.#connection = connection;
  }

  /** @param {boolean} browse whether products to start from are wanted */
  async open(browse) {
    const client = this.#connection.worker;
    this.opened = await client.call('open');
    await client.call('load', { model: false });
    const [groups, facets, shelf] = await Promise.all([
      client.call('groups'), client.call('facets'), browse ? client.call('browse', { count: SHELF }) : [],
    ]);
    this.catalog = { groups, facets, shelf };
  }

  /** The network too, which photos need. */
  async loadModel() {
    await this.#connection.call('load', { model: true });
  }

  /** @param {string} id @param {AbortSignal} [signal] @returns {Promise<Product>} */
  product(id, signal) {
    return this.#connection.call('product', { id }, { signal });
  }

  /** Products spread over the catalogue. @param {number} count @returns {Promise<Product[]>} */
  browse(count) {
    return this.#connection.call('browse', { count });
  }

  /**
   * A query from elsewhere without what this catalogue does not know.
   * @param {Query} query
   * @returns {Promise<{query: Query, leftOut: string[]}>} what cannot even be read comes back as it is: the search tells it
   */
  async fit(query) {
    if (Object.keys(query).length === 0) return { query, leftOut: [] };
    try {
      return await this.#connection.call('fit', { query });
    } catch (thrown) {
      if (asError(thrown).kind !== 'bad-query') throw thrown;
      return { query, leftOut: [] };
    }
  }

  /** What this engine can do of a query: one without the algebra refuses its fields, but a link may hold them. @param {Query} query @returns {Query} */
  possible(query) {
    const { productId, walk } = query;
    return this.opened?.features.algebra ? query : { ...(productId !== undefined && { productId }), ...(walk !== undefined && { walk }) };
  }
}

/**
 * A query that starts from another product, or from none: filters stay, votes and directions were about the old start.
 * @param {Query} query
 * @param {string|undefined} productId
 * @returns {Query}
 */
export function startingFrom({ like, unlike, toward, walk, productId: _, ...rest }, productId) {
  return { ...rest, ...(productId !== undefined && { productId }) };
}
