/**
 * Sample photos for whoever has none at hand: products of this very catalogue, two set
 * together, drawn when they are asked for. So every catalogue has samples, and none is a file.
 */
import { h } from './dom.js';

/**
 * @import { Product } from './types.js'
 * @import { LookAlike } from './element.js'
 *
 * @typedef {object} Sample
 * @property {HTMLCanvasElement} canvas
 * @property {string} label
 * @property {() => Promise<Blob>} photo
 */

/** Of the photo. */
const SIDE = 640;
/** Of the picture on its button, for screens with more pixels than CSS has. */
const SMALL = 320;

/**
 * @param {LookAlike} element
 * @returns {Promise<Sample[]>}
 */
export async function makeSamples(element) {
  const products = (await element.sample(24)).filter((product) => product.thumb);
  if (products.length < 8) return [];
  // Each shows one product and another that gets in the way: something to paint over.
  const pairs = [[0, 9], [5, 2], [3, 14], [7, 4]];
  return Promise.all(pairs.map(async ([front, beside]) => {
    const a = products[front % products.length];
    const b = products[beside % products.length];
    return { canvas: await draw(a, b, SMALL), label: `${a.title}, ${b.title}`, photo: async () => toBlob(await draw(a, b, SIDE)) };
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
