/**
 * Sample photos for whoever has none at hand: products of this very catalogue, alone and set together as in a
 * room, drawn when they are asked for. So every catalogue has samples, and none is a file.
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
/** Wall and floor of the rooms. */
const ROOMS = [['#d8cfc0', '#a98f70'], ['#c3ccc8', '#8d8377'], ['#e4d3c8', '#9b8b83'], ['#ccd2dc', '#a59a86']];

/**
 * @param {LookAlike} element
 * @returns {Promise<Sample[]>}
 */
export async function makeSamples(element) {
  const products = (await element.sample(24)).filter((product) => product.thumb);
  if (products.length < 8) return [];
  // Each room shows one product in front and another that gets in the way: something to paint over.
  const pairs = [[0, 9], [5, 2], [3, 14], [7, 4]];
  return Promise.all(pairs.map(async ([front, beside], room) => {
    const a = products[front % products.length];
    const b = products[beside % products.length];
    const canvas = await draw(a, b, ROOMS[room]);
    return { canvas, label: `${a.title}, ${b.title}`, photo: () => toBlob(canvas) };
  }));
}

/**
 * @param {Product} front
 * @param {Product} beside
 * @param {string[]} colours
 */
async function draw(front, beside, [wall, floor]) {
  const canvas = h('canvas', { width: SIDE, height: SIDE, role: 'img' });
  canvas.setAttribute('aria-hidden', 'true');
  const context = canvas.getContext('2d');
  if (!context) return canvas;
  const [large, small] = await Promise.all([picture(front), picture(beside)]);
  context.fillStyle = wall;
  context.fillRect(0, 0, SIDE, SIDE);
  const ground = context.createLinearGradient(0, SIDE * 0.66, 0, SIDE);
  ground.addColorStop(0, floor);
  ground.addColorStop(1, wall);
  context.fillStyle = ground;
  context.fillRect(0, SIDE * 0.66, SIDE, SIDE * 0.34);
  // The pictures lie on white; multiplied, they stand in the room.
  context.globalCompositeOperation = 'multiply';
  context.drawImage(large, SIDE * 0.04, SIDE * 0.2, SIDE * 0.66, SIDE * 0.66);
  context.drawImage(small, SIDE * 0.6, SIDE * 0.46, SIDE * 0.38, SIDE * 0.38);
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
