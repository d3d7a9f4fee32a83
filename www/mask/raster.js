/**
 * The painted area: one byte a pixel, 0 to 255, at the resolution that the engine sees. Plain arithmetic, no
 * canvas, so that it is the same in every browser and can be tested without one.
 */
export class Raster {
  /**
   * @param {number} width
   * @param {number} height
   */
  constructor(width, height) {
    this.width = width;
    this.height = height;
    this.data = new Uint8Array(width * height);
    /** What changed since `takeDirty`, for redrawing no more than that. @type {Box|null} */
    this.dirty = null;
    /** Sum of all levels; null until it is asked for. @type {number|null} */
    this.sum = 0;
  }

  /**
   * A stroke's piece: all within `radius` of the segment, with a soft edge one pixel wide.
   * @param {Point} from
   * @param {Point} to
   * @param {number} radius
   * @param {boolean} erase
   */
  stroke(from, to, radius, erase) {
    const reach = radius + 1;
    const box = this.#clip({
      left: Math.floor(Math.min(from.x, to.x) - reach),
      top: Math.floor(Math.min(from.y, to.y) - reach),
      right: Math.ceil(Math.max(from.x, to.x) + reach),
      bottom: Math.ceil(Math.max(from.y, to.y) + reach),
    });
    if (!box) return;
    const dx = to.x - from.x;
    const dy = to.y - from.y;
    const length2 = dx * dx + dy * dy;
    const { data, width } = this;
    for (let y = box.top; y < box.bottom; y++) {
      for (let x = box.left; x < box.right; x++) {
        const px = x + 0.5 - from.x;
        const py = y + 0.5 - from.y;
        const t = length2 === 0 ? 0 : Math.max(0, Math.min(1, (px * dx + py * dy) / length2));
        const away = Math.hypot(px - t * dx, py - t * dy);
        const cover = Math.max(0, Math.min(1, radius + 0.5 - away));
        if (cover === 0) continue;
        const at = y * width + x;
        const level = Math.round(cover * 255);
        data[at] = erase ? Math.min(data[at], 255 - level) : Math.max(data[at], level);
      }
    }
    this.#touch(box);
  }

  /**
   * @param {Point} a a corner
   * @param {Point} b the opposite one
   */
  rectangle(a, b) {
    const box = this.#clip({
      left: Math.round(Math.min(a.x, b.x)),
      top: Math.round(Math.min(a.y, b.y)),
      right: Math.round(Math.max(a.x, b.x)),
      bottom: Math.round(Math.max(a.y, b.y)),
    });
    if (!box) return;
    for (let y = box.top; y < box.bottom; y++) this.data.fill(255, y * this.width + box.left, y * this.width + box.right);
    this.#touch(box);
  }

  /**
   * The inside by the even-odd rule; pixel centres decide.
   * @param {Point[]} points
   */
  polygon(points) {
    if (points.length < 3) return;
    const box = this.#clip({
      left: Math.floor(Math.min(...points.map((p) => p.x))),
      top: Math.floor(Math.min(...points.map((p) => p.y))),
      right: Math.ceil(Math.max(...points.map((p) => p.x))),
      bottom: Math.ceil(Math.max(...points.map((p) => p.y))),
    });
    if (!box) return;
    for (let y = box.top; y < box.bottom; y++) {
      const centre = y + 0.5;
      /** @type {number[]} */
      const crossings = [];
      for (let i = 0; i < points.length; i++) {
        const a = points[i];
        const b = points[(i + 1) % points.length];
        if ((a.y <= centre) === (b.y <= centre)) continue;
        crossings.push(a.x + ((centre - a.y) / (b.y - a.y)) * (b.x - a.x));
      }
      crossings.sort((p, q) => p - q);
      for (let i = 0; i + 1 < crossings.length; i += 2) {
        const left = Math.max(box.left, Math.ceil(crossings[i] - 0.5));
        const right = Math.min(box.right, Math.ceil(crossings[i + 1] - 0.5));
        if (right > left) this.data.fill(255, y * this.width + left, y * this.width + right);
      }
    }
    this.#touch(box);
  }

  invert() {
    for (let i = 0; i < this.data.length; i++) this.data[i] = 255 - this.data[i];
    this.#touchAll();
  }

  clear() {
    this.data.fill(0);
    this.#touchAll();
  }

  /** @param {Uint8Array} data as long as this raster's own */
  restore(data) {
    this.data.set(data);
    this.#touchAll();
  }

  /** Share of the area that is painted, 0 to 1. */
  share() {
    if (this.sum === null) {
      let sum = 0;
      const { data } = this;
      for (let i = 0; i < data.length; i++) sum += data[i];
      this.sum = sum;
    }
    return this.sum / (255 * this.data.length);
  }

  /** The least box around all that is painted more than half; null where nothing is. @returns {Box|null} */
  bounds() {
    const { data, width, height } = this;
    const box = { left: width, top: height, right: 0, bottom: 0 };
    for (let y = 0, at = 0; y < height; y++) {
      for (let x = 0; x < width; x++, at++) {
        if (data[at] < 128) continue;
        if (x < box.left) box.left = x;
        if (x >= box.right) box.right = x + 1;
        if (y < box.top) box.top = y;
        box.bottom = y + 1;
      }
    }
    return box.left < box.right ? box : null;
  }

  /** What changed since the last call. */
  takeDirty() {
    const { dirty } = this;
    this.dirty = null;
    return dirty;
  }

  #touchAll() {
    this.sum = null;
    this.dirty = { left: 0, top: 0, right: this.width, bottom: this.height };
  }

  /** @param {Box} box */
  #touch(box) {
    this.sum = null;
    const old = this.dirty ?? box;
    this.dirty = {
      left: Math.min(old.left, box.left),
      top: Math.min(old.top, box.top),
      right: Math.max(old.right, box.right),
      bottom: Math.max(old.bottom, box.bottom),
    };
  }

  /**
   * @param {Box} box
   * @returns {Box|null} the part inside; null where there is none
   */
  #clip(box) {
    const left = Math.max(0, box.left);
    const top = Math.max(0, box.top);
    const right = Math.min(this.width, box.right);
    const bottom = Math.min(this.height, box.bottom);
    return left < right && top < bottom ? { left, top, right, bottom } : null;
  }
}

/**
 * @typedef {{x: number, y: number}} Point in pixels of the raster, from its top left corner
 * @typedef {{left: number, top: number, right: number, bottom: number}} Box right and bottom excluded
 */
