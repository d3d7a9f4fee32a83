/**
 * Hashes by the browser, which has instructions for them that wasm has not.
 *
 * @import { ManifestBlocks } from './types.js'
 */
import { LookalikeError } from './errors.js';

/**
 * Hexadecimal; nothing where the page is not a secure context: the engine then computes it, which takes longer.
 * @param {Uint8Array} bytes
 */
export async function sha256(bytes) {
  if (!globalThis.crypto?.subtle) return undefined;
  const sum = new Uint8Array(await crypto.subtle.digest('SHA-256', /** @type {BufferSource} */ (bytes)));
  return Array.from(sum, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/**
 * Skipped where the page is not a secure context, and nothing is stored either; the engine checks the whole
 * file in any case.
 * @param {string} path for the message
 * @param {Uint8Array} bytes
 * @param {string} promised
 */
export async function check(path, bytes, promised) {
  if ((await sha256(bytes) ?? promised) === promised) return;
  throw new LookalikeError('bad-file', `${path}: its SHA-256 is not the manifest's; upload the manifest and the files of one run together`);
}

/** Compares the blocks of a file while it arrives, so that at its end there is next to nothing left to hash. */
export class BlockCheck {
  /** Blocks that were compared. */
  #done = 0;

  /**
   * @param {string} path for the message
   * @param {Uint8Array} bytes where the file arrives, as long as it will be
   * @param {ManifestBlocks} blocks
   */
  constructor(path, bytes, blocks) {
    this.path = path;
    this.bytes = bytes;
    this.blocks = blocks;
  }

  /**
   * Bytes `from` to `to` are new. What came before them may have been compared, what comes after was not: an attempt
   * that starts over writes again what was there.
   * @param {number} from
   * @param {number} to
   */
  async arrived(from, to) {
    const { bytes: size, sha256: promised } = this.blocks;
    this.#done = Math.min(this.#done, Math.floor(from / size));
    for (; this.#done < promised.length; this.#done++) {
      const end = Math.min((this.#done + 1) * size, this.bytes.length);
      if (end > to) return;
      await check(this.path, this.bytes.subarray(this.#done * size, end), promised[this.#done]);
    }
  }
}
