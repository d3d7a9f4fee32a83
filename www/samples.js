/**
 * Sample photos for whoever has none at hand: the photos from life that lie beside the page, if any, and products of
 * this very catalogue, two set together, drawn when they are asked for. So every catalogue has samples.
 */
import { h } from './dom.js';

/**
 * @import { Product } from './types.js'
 * @import { LookAlike } from './element.js'
 *
 * @typedef {object} Sample
 * @property {HTMLElement} picture
 * @property {string} label
 * @property {string} [credit] whose work it is
 * @property {() => Promise<Blob>} photo
 */

/** The list that `cargo xtask demo` writes, beside the page. */
const LIST = 'samples/samples.json';
/** How many there are in all, at most. */
const COUNT = 4;

/** Of the photo. */
const SIDE = 640;
/** Of the picture on its button, for screens with more pixels than CSS has. */
const SMALL = 320;

/**
 * @param {LookAlike} element
 * @returns {Promise<Sample[]>}
 */
export async function makeSamples(element) {
  const [photos, pairs] = await Promise.all([photosFromLife(), setTogether(element)]);
  return [...pairs.slice(0, COUNT - photos.length), ...photos];
}

/** A page without a list has no such photos. @returns {Promise<Sample[]>} */
async function photosFromLife() {
  const list = new URL(LIST, document.baseURI);
  try {
    const response = await fetch(list);
    const entries = response.ok ? await response.json() : [];
    return entries.map((/** @type {{file: string, title: string, credit: string}} */ { file, title, credit }) => {
      const { href } = new URL(file, list);
      return { picture: h('img', { src: href, alt: '' }), label: title, credit, photo: async () => (await fetch(href)).blob() };
    });
  } catch {
    return [];
  }
}

/** @param {LookAlike} element @returns {Promise<Sample[]>} */
async function setTogether(element) {
  const products = (await element.sample(24)).filter((product) => product.thumb);
  if (products.length < 8) return [];
  // Each shows one product and another that gets in the way: something to paint over.
  const pairs = [[0, 9], [5, 2], [3, 14], [7, 4]];
  return Promise.all(pairs.map(async ([front, beside]) => {
    const a = products[front % products.length];
    const b = products[beside % products.length];
    return { picture: await draw(a, b, SMALL), label: `${a.title}, ${b.title}`, photo: async () => toBlob(await draw(a, b, SIDE)) };
  }));
}

/**
 * @param {Product & {thumb?: string}} front
 * @param {Product & {thumb?: string}} beside
 * @param {number} side
 */
async function draw(front, beside, side) {
  const canvas = h('canvas', { width: side, height: side });
  canvas.setAttribute('aria-hidden', 'true');
  const context = canvas.getContext('2d');
  if (!context) return canvas;
  const [large, small] = await Promise.all([picture(front), picture(beside)]);
  context.imageSmoothingQuality = 'high';
  context.fillStyle = '#fff';
  context.fillRect(0, 0, side, side);
  // The pictures lie on white; multiplied, they stand side by side on one ground.
  context.globalCompositeOperation = 'multiply';
  context.drawImage(large, side * 0.02, side * 0.12, side * 0.72, side * 0.72);
  context.drawImage(small, side * 0.6, side * 0.5, side * 0.38, side * 0.38);
  return canvas;
}

/** @param {Product & {thumb?: string}} product */
async function picture({ thumb }) {
  const image = new Image();
  image.crossOrigin = 'anonymous';
  image.src = /** @type {string} */ (thumb);
  await image.decode();
  return image;
}

/**
 * @param {HTMLCanvasElement} canvas
 * @returns {Promise<Blob>}
 */
function toBlob(canvas) {
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error('the canvas gave no picture'))), 'image/png');
  });
}
