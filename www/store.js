/**
 * Files by their SHA-256 in the Cache API, so that a second visit fetches nothing but the manifest.
 *
 * Every operation may fail: private windows, no space left, storage evicted, an insecure origin. Then the
 * file is simply fetched again next time; the shopper is told nothing, because nothing is wrong for them.
 */

const CACHE = 'lookalike-files-1';
/** Which manifest a stored file belongs to, so that a new catalogue drops the files of its old one. */
const OWNER = 'x-lookalike-manifest';

export class Store {
  #manifest;
  /** @type {Promise<Cache|null>} */
  #cache;

  /** @param {string} manifest its absolute URL */
  constructor(manifest) {
    this.#manifest = manifest;
    this.#cache = typeof caches === 'undefined' ? Promise.resolve(null) : caches.open(CACHE).catch(() => null);
  }

  /**
   * @param {string} key
   * @param {number} [bytes] the size that it must have
   * @returns {Promise<Uint8Array|null>}
   */
  async get(key, bytes) {
    try {
      const response = await (await this.#cache)?.match(urlOf(key));
      if (!response) return null;
      const found = new Uint8Array(await response.arrayBuffer());
      if (bytes === undefined || found.length === bytes) return found;
      await this.drop(key);
      return null;
    } catch {
      return null;
    }
  }

  /**
   * @param {string} key
   * @param {Uint8Array} bytes
   */
  async put(key, bytes) {
    try {
      const headers = { [OWNER]: this.#manifest, 'content-type': 'application/octet-stream' };
      await (await this.#cache)?.put(urlOf(key), new Response(/** @type {BodyInit} */ (bytes), { headers }));
    } catch {
      // Full or forbidden: the copy in memory is all we need now.
    }
  }

  /** @param {string} key */
  async drop(key) {
    try {
      await (await this.#cache)?.delete(urlOf(key));
    } catch {
      // Nothing to drop where nothing can be kept.
    }
  }

  /**
   * Deletes what this manifest stored earlier and names no more.
   * @param {Set<string>} keep
   */
  async prune(keep) {
    try {
      const cache = await this.#cache;
      if (!cache) return;
      const kept = new Set([...keep].map(urlOf));
      for (const request of await cache.keys()) {
        if (kept.has(request.url)) continue;
        const response = await cache.match(request);
        if (response?.headers.get(OWNER) === this.#manifest) await cache.delete(request);
      }
    } catch {
      // Old files that stay cost space only, and the browser evicts them when it needs it.
    }
  }
}

/**
 * Cache keys must be http(s) URLs; this one is never requested (`.invalid` cannot resolve).
 * @param {string} key
 */
function urlOf(key) {
  return `https://lookalike.invalid/${encodeURIComponent(key)}`;
}
