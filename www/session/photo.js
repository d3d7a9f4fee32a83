/** The photo of one element and what is selected in it: kept here, and given to whichever worker searches. */

/**
 * @import { FoundThing, Rect } from '../types.js'
 * @import { Caller, Connection } from './connection.js'
 *
 * @typedef {object} Photo
 * @property {ImageBitmap} bitmap for the screen; whoever is given it closes it
 * @property {number} width of what is searched with, in pixels
 * @property {number} height
 *
 * @typedef {{data: Uint8Array, width: number, height: number}} Coverage 255 = taken out
 * @typedef {(file: Blob, found: any) => Promise<Photo & {rgba: Uint8Array}>} Decode where the worker cannot
 */

export class KeptPhoto {
  #connection;
  #decode;
  /** @type {Blob|null} */
  file = null;
  /** @type {{width: number, height: number}|null} */
  size = null;
  /** Whose worker holds it. @type {Caller|null} */
  #holder = null;
  /** Reads what is selected; null: all of it. @type {(() => Coverage|null)|null} */
  #selection = null;
  #selectionIsSent = true;

  /**
   * @param {Connection} connection
   * @param {Decode} decode
   */
  constructor(connection, decode) {
    this.#connection = connection;
    this.#decode = decode;
    connection.addEventListener('left', () => {
      this.#holder = null;
    });
  }

  /** Whether a part of it is selected. */
  get isSelecting() {
    return this.#selection !== null;
  }

  /** @param {(() => Coverage|null)|null} read */
  select(read) {
    this.#selection = read;
    this.#selectionIsSent = false;
  }

  /**
   * Takes another photo; the old one stays where this fails.
   * @param {Blob} file
   * @param {AbortSignal} signal
   */
  async take(file, signal) {
    const client = this.#connection.worker;
    const photo = await this.#give(client, file, signal);
    if (signal.aborted) {
      photo.bitmap.close();
      throw signal.reason;
    }
    this.file = file;
    this.size = { width: photo.width, height: photo.height };
    this.#holder = client;
    this.#selection = null;
    this.#selectionIsSent = true;
    return photo;
  }

  /** There is none any more, here or in the worker. */
  async clear() {
    this.file = null;
    this.size = null;
    this.#holder = null;
    this.#selection = null;
    await this.#connection.forget();
  }

  /**
   * The worker with photo and selection: one that has started since is given them again.
   * @param {AbortSignal} [signal]
   */
  async worker(signal) {
    const client = this.#connection.worker;
    if (this.file && this.#holder !== client) {
      (await this.#give(client, this.file, signal)).bitmap.close();
      this.#holder = client;
      this.#selectionIsSent = false;
    }
    if (!this.#selectionIsSent) {
      const mask = this.#selection?.() ?? null;
      this.#selectionIsSent = true;
      const args = { session: this.#connection.id, coverage: mask?.data ?? null, width: mask?.width ?? 0, height: mask?.height ?? 0 };
      client.call('mask', args, { transfer: mask ? [mask.data.buffer] : [] }).catch(() => {});
    }
    return client;
  }

  /**
   * What a window of the photo shows, if the catalogue has something like it; null: nothing; undefined: no window is left.
   * @param {number} at
   * @param {Rect[]} found around what was found already
   * @param {AbortSignal} signal
   * @returns {Promise<FoundThing|null|undefined>}
   */
  async look(at, found, signal) {
    const client = await this.worker(signal);
    return client.call('window', { session: this.#connection.id, at, found }, { signal });
  }

  /**
   * @param {Caller} client
   * @param {Blob} file
   * @param {AbortSignal} [signal]
   * @returns {Promise<Photo>}
   */
  async #give(client, file, signal) {
    const session = this.#connection.id;
    const given = await client.call('photo', { session, file }, { signal });
    if (given.bitmap) return given;
    const { rgba, ...photo } = await this.#decode(file, given.found);
    await client.call('pixels', { session, rgba, width: photo.width, height: photo.height }, { signal, transfer: [rgba.buffer] });
    return photo;
  }
}
