/**
 * A hosted file into memory, by the shortest way that works: as gzip where there is one and the browser can unpack it,
 * as it is otherwise.
 *
 * @import { ManifestBlocks, ManifestFile, ManifestPart } from './types.js'
 *
 * @typedef {ManifestPart & {blocks?: ManifestBlocks, packed?: ManifestPart}} Unit what is downloaded as one
 */
import { LookalikeError, asError } from './errors.js';
import { ShortAnswer, download } from './download.js';
import { Packed, Plain } from './unpack.js';

/** @param {ManifestFile} file @returns {Unit[]} */
export function unitsOf(file) {
  return file.parts?.length ? file.parts : [file];
}

/** Bytes that come over the line. @param {Unit} unit */
export function lineBytes(unit) {
  return packedOf(unit)?.bytes ?? unit.bytes;
}

/** @param {Unit} unit */
function packedOf(unit) {
  return typeof DecompressionStream === 'undefined' ? undefined : unit.packed;
}

/**
 * Resolves once the file is here and is the one that was promised.
 * @param {Unit} unit
 * @param {string} base what its addresses are relative to
 * @param {Uint8Array} into exactly as long as the file
 * @param {import('./download.js').Options} options
 */
export async function obtain(unit, base, into, options) {
  const fetched = async (/** @type {string} */ path, /** @type {Packed|Plain} */ sink) => {
    const url = new URL(path, base).href;
    try {
      await download(url, sink, options);
    } catch (thrown) {
      // After the shop has changed its files, the HTTP cache may still hold the old one.
      if (asError(thrown).kind !== 'bad-file') throw thrown;
      await download(url, sink, { ...options, reload: true });
    }
  };
  const packed = packedOf(unit);
  let cause;
  if (packed) {
    try {
      return await fetched(packed.path, new Packed(packed, new Plain(packed.path, into, unit)));
    } catch (thrown) {
      // The line and the server are not at fault: the file that lies there is not what it should be, or none.
      const { kind } = asError(thrown);
      if (kind !== 'bad-file' && kind !== 'missing' && !(thrown instanceof ShortAnswer)) throw thrown;
      cause = thrown;
    }
  }
  try {
    await fetched(unit.path, new Plain(unit.path, into, unit));
  } catch (thrown) {
    const { kind, message } = asError(thrown);
    throw cause ? new LookalikeError(kind, message, { cause }) : thrown;
  }
}
