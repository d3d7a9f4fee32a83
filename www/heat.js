/** Draws where in the photo a similarity comes from. */
import { h } from './dom.js';

/** @import { HeatMap } from './types.js' */

/**
 * The photo, dimmed, with the cells of the map glowing over it.
 * @param {HTMLCanvasElement} canvas already sized
 * @param {CanvasImageSource} photo
 * @param {HeatMap|null} map
 */
export function drawHeat(canvas, photo, map) {
  const context = canvas.getContext('2d');
  if (!context) return;
  context.imageSmoothingQuality = 'high';
  context.fillStyle = '#fff';
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(photo, 0, 0, canvas.width, canvas.height);
  if (!map) return;
  context.fillStyle = 'rgb(12 10 8 / 0.5)';
  context.fillRect(0, 0, canvas.width, canvas.height);
  // Of a selection the network saw a part of the photo, and the cells are of that part.
  const { x0, y0, x1, y1 } = map.rect;
  const { width, height } = canvas;
  context.drawImage(cells(map), x0 * width, y0 * height, (x1 - x0) * width, (y1 - y0) * height);
}

/**
 * One pixel a cell, clear to bright; the browser smooths it when it is drawn large.
 * @param {HeatMap} map
 */
function cells({ width, height, values }) {
  const canvas = h('canvas', { width, height });
  const context = canvas.getContext('2d');
  if (!context) return canvas;
  const image = context.createImageData(width, height);
  let max = 0;
  let sum = 0;
  for (const value of values) {
    max = Math.max(max, value);
    sum += value;
  }
  // What adds no more than the average cell, or speaks against the match, stays dark.
  const floor = Math.max(0, sum / values.length);
  for (let i = 0; i < width * height; i++) {
    const heat = max > floor ? Math.max(0, values[i] - floor) / (max - floor) : 0;
    image.data[4 * i] = 255;
    image.data[4 * i + 1] = Math.round(70 + 170 * heat);
    image.data[4 * i + 2] = Math.round(20 + 70 * heat * heat);
    image.data[4 * i + 3] = Math.round(225 * heat);
  }
  context.putImageData(image, 0, 0);
  return canvas;
}
