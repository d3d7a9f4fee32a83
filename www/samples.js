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

const SIDE = 640;
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
    const canvas = await draw(a, b);
    return { canvas, label: `${a.title}, ${b.title}`, photo: () => toBlob(canvas) };
  }));
}

/**
 * @param {Product} front
 * @param {Product} beside
 */
async function draw(front, beside) {
  const canvas = h('canvas', { width: SIDE, height: SIDE });
  canvas.setAttribute('aria-hidden', 'true');
  const context = canvas.getContext('2d');
  if (!context) return canvas;
  const [large, small] = await Promise.all([picture(front), picture(beside)]);
  context.imageSmoothingQuality = 'high';
  context.fillStyle = '#fff';
  context.fillRect(0, 0, SIDE, SIDE);
  // The pictures lie on white; multiplied, they stand side by side on one ground.
  context.globalCompositeOperation = 'multiply';
  context.drawImage(large, SIDE * 0.02, SIDE * 0.12, SIDE * 0.72, SIDE * 0.72);
  context.drawImage(small, SIDE * 0.6, SIDE * 0.5, SIDE * 0.38, SIDE * 0.38);
  return canvas;
}

/** @param {Product} product */
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
