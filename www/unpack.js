/**
 * From what comes over the line to the file's own bytes, checked while they arrive.
 *
 * A file is hosted as it is and, beside that, as gzip, so that it is small whatever the host does. Nobody says what
 * comes: a proxy may have unpacked it, so the first two bytes decide.
 *
 * @import { ManifestBlocks, ManifestPart } from './types.js'
 *
 * @typedef {object} Sink where a download's bytes go
 * @property {number} bytes how many come over the line
 * @property {boolean} sure whether that is known, or only what the manifest promises
 * @property {() => void} restart they come from the first on, whatever came before
 * @property {(chunk: Uint8Array) => Promise<void>} take the next ones; throws where they are not what was promised
 * @property {() => Promise<boolean>} end whether all were here; throws where they are not what was promised
 * @property {() => void} drop no more will come
 */
import { LookalikeError } from './errors.js';
import { BlockCheck, check } from './sha256.js';

/** Bytes that are unpacked at once. They may become a thousand times as many before anyone can stop it. */
const SLICE = 1 << 14;
const ADVICE = 'upload the manifest and the files of one run together';

/** The file as it is. @implements {Sink} */
export class Plain {
  sure = true;
  #here = 0;
  /** @type {BlockCheck|undefined} */
  #blocks;

  /**
   * @param {string} path for messages
   * @param {Uint8Array} into exactly as long as the file
   * @param {{sha256: string, blocks?: ManifestBlocks}} promised
   */
  constructor(path, into, promised) {
    this.path = path;
    this.into = into;
    this.promised = promised;
    this.restart();
  }

  get bytes() {
    return this.into.length;
  }

  restart() {
    const { path, into, promised: { blocks } } = this;
    this.#here = 0;
    // A new one: the old one may still be hashing.
    this.#blocks = blocks && new BlockCheck(path, into, blocks);
  }

  /** @param {Uint8Array} chunk */
  async take(chunk) {
    const from = this.#here;
    if (from + chunk.length > this.bytes) throw longer(this.path, this.bytes);
    this.into.set(chunk, from);
    this.#here += chunk.length;
    await this.#blocks?.arrived(from, this.#here);
  }

  async end() {
    if (this.#here < this.bytes) return false;
    if (!this.#blocks) await check(this.path, this.into, this.promised.sha256);
    return true;
  }

  drop() {}
}

/** The file as gzip, or as it is. @implements {Sink} */
export class Packed {
  #taken = 0;
  /** Bytes that came before it was known what they are. */
  #head = new Uint8Array();
  /** @type {Inflater|Plain|null} */
  #way = null;

  /** @param {ManifestPart} packed @param {Plain} plain */
  constructor(packed, plain) {
    this.packed = packed;
    this.plain = plain;
  }

  get bytes() {
    return (this.#way === this.plain ? this.plain : this.packed).bytes;
  }

  get sure() {
    return this.#way !== null;
  }

  restart() {
    this.drop();
    this.plain.restart();
    this.#taken = 0;
    this.#head = new Uint8Array();
    this.#way = null;
  }

  /** @param {Uint8Array} chunk */
  async take(chunk) {
    this.#taken += chunk.length;
    let bytes = chunk;
    if (!this.#way) {
      if (this.#head.length > 0) bytes = Uint8Array.of(...this.#head, ...chunk);
      if (bytes.length < 2) {
        this.#head = bytes.slice();
        return;
      }
      this.#way = bytes[0] === 0x1f && bytes[1] === 0x8b ? new Inflater(this.packed.path, this.plain) : this.plain;
    }
    if (this.#taken > this.bytes) throw longer(this.packed.path, this.bytes);
    await this.#way.take(bytes);
  }

  async end() {
    const { path, bytes } = this.packed;
    if (this.#way === this.plain) {
      // Not a line that was cut: some hosts answer with a page of their own where there is no such file.
      if (await this.plain.end()) return true;
      const why = `${this.#taken} bytes arrived that are neither gzip nor the whole file`;
      throw new LookalikeError('bad-file', `${path}: ${why}; ${ADVICE}`);
    }
    if (!this.#way || this.#taken < bytes) return false;
    await this.#way.end();
    if (await this.plain.end()) return true;
    const why = `it unpacks to less than the ${this.plain.bytes} bytes that the manifest states`;
    throw new LookalikeError('bad-file', `${path}: ${why}; ${ADVICE}`);
  }

  drop() {
    if (this.#way instanceof Inflater) this.#way.drop();
  }
}

/** Gzip in, the file's own bytes out. */
class Inflater {
  #dropped = false;
  #reader;
  #writer;
  #unpacked;

  /** @param {string} path for messages @param {Plain} plain */
  constructor(path, plain) {
    const { readable, writable } = new DecompressionStream('gzip');
    this.path = path;
    this.#reader = readable.getReader();
    this.#writer = writable.getWriter();
    this.#unpacked = this.#unpack(plain);
    // Whoever gives the next bytes, or waits for the end, is told.
    this.#unpacked.catch(() => {});
  }

  /** @param {Plain} plain */
  async #unpack(plain) {
    try {
      for (;;) {
        const { done, value } = await this.#reader.read();
        if (done || this.#dropped) return;
        await plain.take(value);
      }
    } catch (thrown) {
      // What waits to be unpacked fails with the same.
      this.#reader.cancel(thrown).catch(() => {});
      throw this.#damaged(thrown);
    }
  }

  /** @param {Uint8Array} chunk */
  async take(chunk) {
    try {
      // It waits until the slice before was unpacked and taken.
      for (let at = 0; at < chunk.length; at += SLICE) {
        await this.#writer.write(/** @type {BufferSource} */ (chunk.subarray(at, at + SLICE)));
      }
    } catch (thrown) {
      throw this.#damaged(thrown);
    }
  }

  async end() {
    try {
      await Promise.all([this.#writer.close(), this.#unpacked]);
    } catch (thrown) {
      throw this.#damaged(thrown);
    }
  }

  drop() {
    this.#dropped = true;
    this.#writer.abort().catch(() => {});
    this.#reader.cancel().catch(() => {});
  }

  /** @param {unknown} thrown */
  #damaged(thrown) {
    if (thrown instanceof LookalikeError) return thrown;
    const why = 'it cannot be unpacked: cut short, damaged, or with something behind its end';
    return new LookalikeError('bad-file', `${this.path}: ${why}; ${ADVICE}`, { cause: thrown });
  }
}

/** @param {string} path @param {number} bytes */
function longer(path, bytes) {
  return new LookalikeError('bad-file', `${path}: longer than the ${bytes} bytes that the manifest states; ${ADVICE}`);
}
