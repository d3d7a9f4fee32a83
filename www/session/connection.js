/**
 * One element's hold on the worker: taken when first needed, kept while the element moves within the page, let go of
 * when it is gone, with nothing of its photo left behind.
 *
 * Events: `progress` (detail: Progress) and `dead` (detail: LookalikeError) of the worker, `left` when the element is gone.
 */
import { LookalikeError, aborted } from '../errors.js';

/**
 * @import { Progress } from '../types.js'
 *
 * @typedef {object} Caller the worker's client, or what stands for it in a test
 * @property {boolean} alive
 * @property {(call: string, args?: object, options?: {signal?: AbortSignal, transfer?: Transferable[]}) => Promise<any>} call
 * @property {(type: string, listener: (event: any) => void) => void} addEventListener
 * @property {(type: string, listener: (event: any) => void) => void} removeEventListener
 * @property {() => void} release
 *
 * @typedef {{manifest: string, pkg: string|null, worker: string|null}} Where addresses as the element has them
 */

/** An element that is out of the page for longer has not been moved but removed. */
const GRACE_MS = 1_000;

let sessions = 0;

export class Connection extends EventTarget {
  /** Under which the worker keeps this element's photo. */
  id = `s${++sessions}`;
  #where;
  #connect;
  #graceMs;
  /** @type {Caller|null} */
  #client = null;
  #attached = false;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #leaving;

  /**
   * @param {() => Where} where
   * @param {(where: {manifest: string, pkg?: string, worker?: string}) => Caller} connect
   * @param {number} [graceMs]
   */
  constructor(where, connect, graceMs = GRACE_MS) {
    super();
    this.#where = where;
    this.#connect = connect;
    this.#graceMs = graceMs;
  }

  /** In the page; also after a move within it. */
  attach() {
    clearTimeout(this.#leaving);
    this.#attached = true;
  }

  /** Out of the page: for a moment nobody knows whether on the way to another place. */
  detach() {
    if (!this.#attached) return;
    clearTimeout(this.#leaving);
    this.#leaving = setTimeout(() => {
      this.#attached = false;
      this.drop();
    }, this.#graceMs);
  }

  /** Lets go of the worker, which forgets the photo; the next call gets one again if the element is still there. */
  drop() {
    const client = this.#client;
    this.#client = null;
    this.dispatchEvent(new Event('left'));
    if (!client) return;
    client.removeEventListener('progress', this.#onProgress);
    client.removeEventListener('dead', this.#onDead);
    if (client.alive) client.call('forget', { session: this.id }).catch(() => {});
    client.release();
  }

  /**
   * The worker; a new one if the old one died. Whatever comes to this after the element was taken out ends here: it
   * would hold a worker that nobody lets go of.
   */
  get worker() {
    if (!this.#attached) throw aborted();
    if (this.#client?.alive) return this.#client;
    const { manifest, pkg, worker } = this.#where();
    if (!manifest) throw new LookalikeError('setup', 'The element has no manifest attribute: give it the URL of manifest.json.');
    const client = this.#connect({ manifest, pkg: pkg ?? undefined, worker: worker ?? undefined });
    client.addEventListener('progress', this.#onProgress);
    client.addEventListener('dead', this.#onDead);
    this.#client = client;
    return client;
  }

  /** @param {string} name of the call @param {object} [args] @param {{signal?: AbortSignal, transfer?: Transferable[]}} [options] */
  async call(name, args, options) {
    return this.worker.call(name, args, options);
  }

  /** The worker keeps no photo of this element. */
  async forget() {
    await this.#client?.call('forget', { session: this.id }).catch(() => {});
  }

  #onProgress = (/** @type {CustomEvent<Progress>} */ { detail }) => {
    this.dispatchEvent(new CustomEvent('progress', { detail }));
  };

  #onDead = (/** @type {CustomEvent<LookalikeError>} */ { detail }) => {
    this.#client = null;
    this.dispatchEvent(new CustomEvent('dead', { detail }));
  };
}
