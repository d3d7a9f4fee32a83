/**
 * A picture file -> pixels as the shopper sees them: turned by EXIF, colours as the browser shows them,
 * bounded in size before any canvas is made (a canvas on iOS ends at 16.7 megapixels, so a 48 megapixel photo
 * is scaled while it is decoded, not after).
 *
 * What a file is, whether it is whole and not too large: the engine says it, by the same rules as on the command
 * line, before the browser's decoder sees a byte.
 *
 * Runs in the worker; on the page only where workers have no OffscreenCanvas.
 */
import { LookalikeError } from './errors.js';

/** Longest side of what the engine and the mask see. The network's input is 299 pixels. */
export const ENGINE_SIDE = 1024;
/** Longest side of what is painted on the screen, so that zooming in still shows detail. */
export const SCREEN_SIDE = 1800;
/** JPEGs of more pixels are scaled while they are decoded, where the browser can: all of one takes 4 bytes a pixel. */
const LARGE = 40_000_000;
/** So many bytes of a file's beginning tell what it is. */
const HEAD = 512;

/**
 * @typedef {object} Picture
 * @property {Uint8Array} rgba straight alpha, row-major, 4 bytes a pixel
 * @property {number} width of rgba; at most ENGINE_SIDE
 * @property {number} height of rgba; at most ENGINE_SIDE
 * @property {ImageBitmap} bitmap for the screen; at most SCREEN_SIDE on a side
 *
 * @typedef {object} Found
 * @property {string} format short name of the media type, such as "jpeg"
 * @property {number} width before EXIF turns it; 0 where the browser alone can know
 * @property {number} height as the width
 *
 * @typedef {object} Eye the engine's look at files; both throw errors with a kind
 * @property {(head: Uint8Array, bytes: number) => string} preview the format, by a file's beginning and its size
 * @property {(bytes: Uint8Array) => Found} sniff
 */

/** Formats that some browsers open, in words. @type {Record<string, string>} */
const BY_SOME = { heic: 'HEIC', avif: 'AVIF', tiff: 'TIFF', jxl: 'JPEG XL' };

/**
 * Reads a file and refuses what is no picture, is cut off or too large. Of what is no picture or too large, a
 * video of gigabytes say, no more than the beginning is read.
 * @param {Blob} file
 * @param {Eye} eye
 * @param {<T>(work: () => T) => Promise<T>} serial runs what touches the engine, one at a time
 * @returns {Promise<{bytes: Uint8Array, found: Found}>}
 */
export async function inspect(file, eye, serial) {
  const head = await readAll(file.slice(0, HEAD));
  await serial(() => eye.preview(head, file.size));
  const bytes = await readAll(file);
  return { bytes, found: await serial(() => eye.sniff(bytes)) };
}

/** @param {Blob} file */
async function readAll(file) {
  try {
    return new Uint8Array(await file.arrayBuffer());
  } catch (cause) {
    throw new LookalikeError('bad-picture', 'The file could not be read from the disk; it may have been moved, changed or be a folder.', { cause });
  }
}

/**
 * @param {Uint8Array} bytes
 * @param {Found} found from `inspect`
 * @returns {Promise<Picture>}
 */
export async function decode(bytes, found) {
  const blob = new Blob([/** @type {BlobPart} */ (bytes)], { type: `image/${found.format}` });
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
    source = await decodeSmall(bytes, found) ?? await createImageBitmap(blob, options);
  } catch (cause) {
    const name = BY_SOME[found.format];
    if (!name) throw new LookalikeError('bad-picture', `The browser could not decode the ${found.format.toUpperCase()} file.`, { cause });
    throw new LookalikeError(found.format === 'heic' ? 'heic' : 'unsupported', `This browser cannot open ${name} pictures.`, { cause });
  }
  try {
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
 * A large JPEG at the smallest eighth of its size that the screen needs: 200 megapixels in 30 MB, not 1.1 GB.
 * @param {Uint8Array} bytes
 * @param {Found} found
 * @returns {Promise<ImageBitmap|null>} null where that is not needed, or the browser cannot
 */
async function decodeSmall(bytes, { format, width, height }) {
  const { ImageDecoder } = globalThis;
  if (format !== 'jpeg' || width * height <= LARGE || !ImageDecoder) return null;
  const eighths = Math.ceil(8 * SCREEN_SIDE / Math.max(width, height)) / 8;
  const decoder = new ImageDecoder({
    data: /** @type {BufferSource} */ (bytes),
    type: 'image/jpeg',
    desiredWidth: Math.ceil(width * eighths),
    desiredHeight: Math.ceil(height * eighths),
  });
  try {
    const { image } = await decoder.decode();
    try {
      return await createImageBitmap(image);
    } finally {
      image.close();
    }
  } catch {
    return null;
  } finally {
    decoder.close();
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
