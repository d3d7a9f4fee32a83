/**
 * What is seen of the editor, in two layers: the photo, which is drawn again only when it moves, and over it the
 * paint with the tools' outlines. A stroke costs a few milliseconds whatever the photo's size.
 */
import { h } from '../dom.js';

/**
 * @import { Point, Raster } from './raster.js'
 * @import { View } from './view.js'
 *
 * @typedef {object} Marks
 * @property {{points: Point[], closed: boolean}|null} outline an unfinished shape
 * @property {{at: Point, radius: number, cross: boolean, bold: boolean}|null} ring where the tool is; no circle at radius 0
 */

/** A view that rests for so long is drawn as well as it can be. */
const REST_MS = 120;
/** Above this zoom the shopper wants to see pixels. */
const PIXELS = 6;

export class Layers {
  #top;
  #view;
  /** @type {ImageBitmap|null} */
  #bitmap = null;
  /** @type {Raster|null} */
  #raster = null;
  /** The paint in colour, at the raster's resolution. */
  #paint = document.createElement('canvas');
  #box = { width: 0, height: 0, ratio: 1 };
  /** The view that the photo was drawn for. */
  #drawn = '';
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #rest;
  /** What the colours stand for. @type {"ignore"|"only"} */
  #intent = 'ignore';

  /**
   * @param {HTMLCanvasElement} top takes the paint
   * @param {View} view
   */
  constructor(top, view) {
    this.#top = top;
    this.#view = view;
    this.below = h('canvas', { class: 'photo', 'aria-hidden': 'true' });
  }

  /** In CSS pixels. */
  get middle() {
    return { x: this.#box.width / 2, y: this.#box.height / 2 };
  }

  /**
   * @param {ImageBitmap} bitmap
   * @param {Raster} raster
   */
  setPhoto(bitmap, raster) {
    this.#bitmap = bitmap;
    this.#raster = raster;
    this.#paint.width = raster.width;
    this.#paint.height = raster.height;
    this.#drawn = '';
    // A veil covers what no stroke has touched.
    if (this.#intent === 'only') this.#colourAll();
  }

  /** Nothing of the photo stays; nothing is drawn until there is another. */
  clear() {
    clearTimeout(this.#rest);
    this.#bitmap = null;
    this.#raster = null;
    this.#drawn = '';
    for (const canvas of [this.#top, this.below, this.#paint]) canvas.width = canvas.height = 1;
  }

  #colourAll() {
    if (this.#raster) this.#raster.dirty = { left: 0, top: 0, right: this.#raster.width, bottom: this.#raster.height };
  }

  /**
   * @param {number} width of the box in CSS pixels
   * @param {number} height
   */
  resize(width, height) {
    const ratio = Math.min(devicePixelRatio || 1, 3);
    this.#box = { width, height, ratio };
    for (const canvas of [this.#top, this.below]) {
      canvas.width = Math.max(1, Math.round(width * ratio));
      canvas.height = Math.max(1, Math.round(height * ratio));
    }
    if (this.#raster) this.#view.resize(this.#raster, this.#box);
    this.#drawn = '';
  }

  /** @param {"ignore"|"only"} intent */
  paintChanged(intent) {
    if (intent === this.#intent) return;
    this.#intent = intent;
    this.#colourAll();
  }

  /** @param {Marks} marks */
  render({ outline, ring }) {
    this.#renderPhoto();
    const context = this.#ready(this.#top);
    if (!context || !this.#raster) return;
    const { scale } = this.#view;
    // "Only this" with nothing painted would veil all of the photo.
    if (this.#raster.share() > 0) {
      this.#colour();
      context.drawImage(this.#paint, 0, 0);
    }
    if (outline) {
      context.beginPath();
      for (const point of outline.points) context.lineTo(point.x, point.y);
      if (outline.closed) context.closePath();
      twoTone(context, 1.5 / scale, [6 / scale, 4 / scale]);
      if (!outline.closed) {
        const [first] = outline.points;
        context.beginPath();
        context.arc(first.x, first.y, 5 / scale, 0, 2 * Math.PI);
        twoTone(context, 1.5 / scale, []);
      }
    }
    if (!ring) return;
    const { at, radius, cross, bold } = ring;
    context.beginPath();
    if (radius > 0) context.arc(at.x, at.y, radius, 0, 2 * Math.PI);
    if (cross) {
      const arm = 9 / scale;
      context.moveTo(at.x - arm, at.y);
      context.lineTo(at.x + arm, at.y);
      context.moveTo(at.x, at.y - arm);
      context.lineTo(at.x, at.y + arm);
    }
    twoTone(context, (bold ? 2.5 : 1.5) / scale, []);
  }

  #renderPhoto() {
    const { x, y, scale } = this.#view;
    const view = `${x} ${y} ${scale}`;
    if (!this.#bitmap || this.#drawn === view) return;
    // While it moves, fast is better than fine.
    const moves = this.#drawn !== '';
    this.#drawn = view;
    this.#drawPhoto(moves ? 'low' : 'high');
    clearTimeout(this.#rest);
    if (moves) this.#rest = setTimeout(() => this.#drawPhoto('high'), REST_MS);
  }

  /** @param {ImageSmoothingQuality} quality */
  #drawPhoto(quality) {
    const context = this.#ready(this.below);
    if (!context || !this.#bitmap || !this.#raster) return;
    const { width, height } = this.#raster;
    context.imageSmoothingEnabled = this.#view.zoom < PIXELS;
    context.imageSmoothingQuality = quality;
    // What is transparent lies over white for the engine; so it does here.
    context.fillStyle = '#fff';
    context.fillRect(0, 0, width, height);
    context.drawImage(this.#bitmap, 0, 0, width, height);
  }

  /** A layer wiped clean, in pixels of the photo. @param {HTMLCanvasElement} canvas */
  #ready(canvas) {
    const context = canvas.getContext('2d');
    const { ratio } = this.#box;
    const { x, y, scale } = this.#view;
    context?.setTransform(1, 0, 0, 1, 0, 0);
    context?.clearRect(0, 0, canvas.width, canvas.height);
    context?.setTransform(ratio * scale, 0, 0, ratio * scale, ratio * x, ratio * y);
    return context;
  }

  /** Colours what changed: stripes over what is ignored, or a veil over all that is not wanted. */
  #colour() {
    const raster = this.#raster;
    const box = raster?.takeDirty();
    const context = this.#paint.getContext('2d');
    if (!raster || !box || !context) return;
    const { data, width } = raster;
    const only = this.#intent === 'only';
    const stripe = Math.max(3, Math.round(Math.max(width, raster.height) / 110));
    const image = context.createImageData(box.right - box.left, box.bottom - box.top);
    // One store a pixel; bytes in memory are red, green, blue, alpha.
    const pixels = new Uint32Array(image.data.buffer);
    const colour = (/** @type {number} */ r, /** @type {number} */ g, /** @type {number} */ b, /** @type {number} */ strength) =>
      Uint32Array.from({ length: 256 }, (_, level) => (((level * strength) >> 8 << 24) | (b << 16) | (g << 8) | r) >>> 0);
    const veil = colour(24, 21, 18, 178).reverse();
    const [light, dark] = [colour(236, 96, 70, 190), colour(205, 62, 44, 205)];
    let at = 0;
    for (let y = box.top; y < box.bottom; y++) {
      for (let x = box.left; x < box.right; x++, at++) {
        const level = data[y * width + x];
        if (only) pixels[at] = veil[level];
        else if (level > 0) pixels[at] = (Math.floor((x + y) / stripe) & 1 ? dark : light)[level];
      }
    }
    context.putImageData(image, box.left, box.top);
  }
}

/**
 * A line that shows on any photo: dark under light.
 * @param {CanvasRenderingContext2D} context
 * @param {number} width
 * @param {number[]} dash
 */
function twoTone(context, width, dash) {
  context.setLineDash([]);
  context.lineWidth = width * 2;
  context.strokeStyle = 'rgb(20 18 16 / 0.7)';
  context.stroke();
  context.setLineDash(dash);
  context.lineWidth = width;
  context.strokeStyle = '#fff';
  context.stroke();
  context.setLineDash([]);
}
