/**
 * A picture file -> pixels as the shopper sees them: turned by EXIF, colours as the browser shows them,
 * bounded in size before any canvas is made (a canvas on iOS ends at 16.7 megapixels, so a 48 megapixel photo
 * is scaled while it is decoded, not after).
 *
 * Runs in the worker; on the page only where workers have no OffscreenCanvas.
 */
import { LookalikeError } from './errors.js';

/** Longest side of what the engine and the mask see. The network's input is 299 pixels. */
export const ENGINE_SIDE = 1024;
/** Longest side of what is painted on the screen, so that zooming in still shows detail. */
export const SCREEN_SIDE = 1800;
/** Files beyond this are refused unread. The largest phone photos are about 50 MB. */
export const MAX_BYTES = 200 * 1024 * 1024;
const MAX_PIXELS = 250_000_000;

/**
 * @typedef {object} Picture
 * @property {Uint8Array} rgba straight alpha, row-major, 4 bytes a pixel
 * @property {number} width of rgba; at most ENGINE_SIDE
 * @property {number} height of rgba; at most ENGINE_SIDE
 * @property {ImageBitmap} bitmap for the screen; at most SCREEN_SIDE on a side
 *
 * @typedef {"jpeg"|"png"|"gif"|"webp"|"bmp"|"tiff"|"avif"|"heic"|"unknown"} Format
 */

/**
 * The format by its first bytes; a file's name says nothing.
 * @param {Uint8Array} bytes
 * @returns {Format}
 */
export function formatOf(bytes) {
  const text = (/** @type {number} */ from, /** @type {number} */ to) => String.fromCharCode(...bytes.subarray(from, to));
  if (bytes[0] === 0xff && bytes[1] === 0xd8) return 'jpeg';
  if (text(0, 8) === '\x89PNG\r\n\x1a\n') return 'png';
  if (text(0, 4) === 'GIF8') return 'gif';
  if (text(0, 4) === 'RIFF' && text(8, 12) === 'WEBP') return 'webp';
  if (text(0, 2) === 'BM') return 'bmp';
  if (text(0, 4) === 'II*\0' || text(0, 4) === 'MM\0*') return 'tiff';
  if (text(4, 8) === 'ftyp') {
    const brands = text(8, Math.min(40, bytes.length));
    if (/avi[fs]/.test(brands)) return 'avif';
    if (/hei[cxms]|hev[cxms]|mif1|msf1/.test(brands)) return 'heic';
  }
  return 'unknown';
}

/**
 * Whether the file stops before its own end mark. Browsers show half a photo without a word, and half a photo
 * finds the wrong products.
 * @param {Uint8Array} bytes
 * @param {Format} format
 */
export function isCutOff(bytes, format) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (format === 'webp') return bytes.length < 12 || bytes.length < view.getUint32(4, true) + 8;
  if (format === 'png') {
    for (let at = 8; at + 12 <= bytes.length;) {
      const length = view.getUint32(at);
      if (view.getUint32(at + 4) === 0x49454e44) return false; // IEND
      at += 12 + length;
    }
    return true;
  }
  if (format === 'jpeg') {
    // Walk the segments: an embedded thumbnail has an end mark of its own.
    let at = 2;
    while (at + 4 <= bytes.length && bytes[at] === 0xff) {
      const marker = bytes[at + 1];
      if (marker === 0xff) {
        at += 1;
      } else if (marker === 0xda) {
        for (let i = bytes.length - 2; i > at; i--) {
          if (bytes[i] === 0xff && bytes[i + 1] === 0xd9) return false;
        }
        return true;
      } else {
        at += 2 + view.getUint16(at + 2);
      }
    }
    return true;
  }
  return false;
}

/**
 * Refuses what is no picture, is cut off or too large, before the browser decodes it.
 * @param {Uint8Array} bytes
 * @param {(bytes: Uint8Array) => {format: string, width: number, height: number}} sniff the engine's
 * @returns {{format: Format, width: number, height: number}} sides before EXIF turns them; 0 where unknown
 */
export function inspect(bytes, sniff) {
  if (bytes.length === 0) throw new LookalikeError('bad-picture', 'The file is empty (0 bytes).');
  if (bytes.length > MAX_BYTES) {
    const mb = Math.round(bytes.length / 1024 / 1024);
    throw new LookalikeError('too-large', `The file has ${mb} MB; the limit is ${MAX_BYTES / 1024 / 1024} MB.`);
  }
  const format = formatOf(bytes);
  // The browser may well know these two; the engine need not.
  if (format === 'heic' || format === 'avif') return { format, width: 0, height: 0 };
  if (isCutOff(bytes, format)) {
    throw new LookalikeError('cut-off', `The ${format.toUpperCase()} file ends before its picture does.`);
  }
  const { width, height } = sniff(bytes);
  return { format, width, height };
}

/**
 * @param {Uint8Array} bytes
 * @param {{format: Format, width: number, height: number}} found from `inspect`
 * @returns {Promise<Picture>}
 */
export async function decode(bytes, found) {
  const blob = new Blob([/** @type {BlobPart} */ (bytes)], { type: found.format === 'unknown' ? '' : `image/${found.format}` });
  const longest = Math.max(found.width, found.height);
  /** @type {ImageBitmapOptions} */
  const options = { imageOrientation: 'from-image' };
  if (longest > SCREEN_SIDE) {
    // One side alone keeps the proportions, whichever way EXIF turns the picture.
    options.resizeWidth = Math.max(1, Math.round(found.width * SCREEN_SIDE / longest));
    options.resizeQuality = 'high';
  }
  let source;
  try {
    source = await createImageBitmap(blob, options);
  } catch (cause) {
    if (found.format === 'heic') {
      throw new LookalikeError('heic', 'This browser cannot open HEIC photos.', { cause });
    }
    throw new LookalikeError('bad-picture', `The browser could not decode the ${found.format.toUpperCase()} file.`, { cause });
  }
  try {
    if (source.width * source.height > MAX_PIXELS) {
      throw new LookalikeError('too-large', `The picture has ${source.width} × ${source.height} pixels.`);
    }
    const screen = await scaled(source, SCREEN_SIDE);
    const small = fit(screen.width, screen.height, ENGINE_SIDE);
    const context = contextOf(small.width, small.height);
    context.drawImage(screen, 0, 0, small.width, small.height);
    const { data } = context.getImageData(0, 0, small.width, small.height);
    return { rgba: new Uint8Array(data.buffer), ...small, bitmap: screen };
  } finally {
    // `scaled` hands the source through where it is small enough already.
    if (Math.max(source.width, source.height) > SCREEN_SIDE) source.close();
  }
}

/**
 * @param {ImageBitmap} source
 * @param {number} side
 */
async function scaled(source, side) {
  if (Math.max(source.width, source.height) <= side) return source;
  const { width, height } = fit(source.width, source.height, side);
  return createImageBitmap(source, { resizeWidth: width, resizeHeight: height, resizeQuality: 'high' });
}

/**
 * @param {number} width
 * @param {number} height
 * @param {number} side
 */
function fit(width, height, side) {
  const factor = Math.min(1, side / Math.max(width, height));
  return { width: Math.max(1, Math.round(width * factor)), height: Math.max(1, Math.round(height * factor)) };
}

/**
 * @param {number} width
 * @param {number} height
 * @returns {OffscreenCanvasRenderingContext2D} or its twin of the page, which has the same methods
 */
function contextOf(width, height) {
  /** @type {any} */
  const scope = globalThis;
  const canvas = typeof OffscreenCanvas === 'undefined'
    ? Object.assign(scope.document.createElement('canvas'), { width, height })
    : new OffscreenCanvas(width, height);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (!context) throw new LookalikeError('internal', 'The browser gives no 2D canvas.');
  context.imageSmoothingQuality = 'high';
  return context;
}
