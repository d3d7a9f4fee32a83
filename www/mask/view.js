/**
 * Where the photo lies in its box, in CSS pixels. Zoom 1 shows all of it; it cannot be dragged out of sight.
 */

const MAX_ZOOM = 12;

export class View {
  zoom = 1;
  /** Left and top of the photo in the box. */
  x = 0;
  y = 0;
  /** CSS pixels for one pixel of the photo at zoom 1. */
  #base = 1;
  #photo = { width: 1, height: 1 };
  #box = { width: 1, height: 1 };

  /** CSS pixels for one pixel of the photo. */
  get scale() {
    return this.#base * this.zoom;
  }

  /**
   * @param {{width: number, height: number}} photo
   * @param {{width: number, height: number}} box
   */
  resize(photo, box) {
    this.#photo = photo;
    this.#box = box;
    this.#base = Math.min(box.width / photo.width, box.height / photo.height) || 1;
    this.#clamp();
  }

  fit() {
    this.zoom = 1;
    this.#clamp();
  }

  /**
   * The point under (x, y) stays there.
   * @param {number} factor
   * @param {number} x
   * @param {number} y
   */
  zoomAt(factor, x, y) {
    const old = this.scale;
    this.zoom = Math.max(1, Math.min(MAX_ZOOM, this.zoom * factor));
    const change = this.scale / old;
    this.x = x - (x - this.x) * change;
    this.y = y - (y - this.y) * change;
    this.#clamp();
  }

  /**
   * @param {number} dx
   * @param {number} dy
   */
  pan(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.#clamp();
  }

  /**
   * From the box to the photo.
   * @param {number} x
   * @param {number} y
   */
  toPhoto(x, y) {
    return { x: (x - this.x) / this.scale, y: (y - this.y) / this.scale };
  }

  /**
   * Whether a point of the box can be seen.
   * @param {number} x
   * @param {number} y
   */
  holds(x, y) {
    return x >= 0 && y >= 0 && x <= this.#box.width && y <= this.#box.height;
  }

  /**
   * Pans as little as shows this point of the photo.
   * @param {{x: number, y: number}} point
   */
  reveal(point) {
    const margin = 24;
    const x = this.x + point.x * this.scale;
    const y = this.y + point.y * this.scale;
    const dx = x < margin ? margin - x : Math.min(0, this.#box.width - margin - x);
    const dy = y < margin ? margin - y : Math.min(0, this.#box.height - margin - y);
    if (dx !== 0 || dy !== 0) this.pan(dx, dy);
  }

  #clamp() {
    const width = this.#photo.width * this.scale;
    const height = this.#photo.height * this.scale;
    this.x = width <= this.#box.width ? (this.#box.width - width) / 2 : Math.min(0, Math.max(this.#box.width - width, this.x));
    this.y = height <= this.#box.height ? (this.#box.height - height) / 2 : Math.min(0, Math.max(this.#box.height - height, this.y));
  }
}
