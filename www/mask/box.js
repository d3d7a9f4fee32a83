/**
 * The box around what is selected, with handles at its corners and one that moves it: by pointer, or by arrow keys
 * where a handle has the focus. What it is dragged to becomes the selection.
 */
import { h, icon } from '../dom.js';
import { fill } from '../labels.js';
import { ARROWS } from './keys.js';

/**
 * @import { Labels } from '../labels.js'
 * @import { Box, Point } from './raster.js'
 * @import { View } from './view.js'
 *
 * @typedef {"nw"|"ne"|"sw"|"se"|"move"} Handle
 * @typedef {{width: number, height: number}} Size
 */

/** Sides are no shorter, in pixels of the mask. */
const LEAST = 8;
/** A box of a larger share of the photo is not pinched. */
const MOST = 0.7;
/** What an arrow key moves, in shares of the photo's longer side; the second with Shift. */
const STEPS = [0.01, 0.1];
/** And what each is called. */
const HANDLES = /** @type {const} */ ([
  ['nw', 'boxUpperLeft'], ['ne', 'boxUpperRight'], ['sw', 'boxLowerLeft'], ['se', 'boxLowerRight'], ['move', 'boxMove'],
]);

/**
 * A box after one of its handles has been moved; within the photo, its sides in order.
 * @param {Box} box
 * @param {Handle} handle
 * @param {number} dx pixels of the mask
 * @param {number} dy
 * @param {Size} photo
 * @returns {Box}
 */
export function dragged(box, handle, dx, dy, photo) {
  /** @param {number} low @param {number} value @param {number} high */
  const within = (low, value, high) => Math.round(Math.max(low, Math.min(value, high)));
  if (handle === 'move') {
    const x = within(-box.left, dx, photo.width - box.right);
    const y = within(-box.top, dy, photo.height - box.bottom);
    return { left: box.left + x, top: box.top + y, right: box.right + x, bottom: box.bottom + y };
  }
  const least = (/** @type {number} */ side) => Math.min(LEAST, side);
  const [across, down] = [least(photo.width), least(photo.height)];
  const next = { ...box };
  if (handle.endsWith('w')) next.left = within(0, box.left + dx, box.right - across);
  else next.right = within(box.left + across, box.right + dx, photo.width);
  if (handle.startsWith('n')) next.top = within(0, box.top + dy, box.bottom - down);
  else next.bottom = within(box.top + down, box.bottom + dy, photo.height);
  return next;
}

/**
 * A box after two fingers have pinched it: what lay between them still does. Within the photo.
 * @param {Box} box
 * @param {[Point, Point]} from where the fingers were, in pixels of the mask
 * @param {[Point, Point]} to where they are
 * @param {Size} photo
 * @returns {Box}
 */
export function pinched(box, from, to, photo) {
  const spread = (/** @type {[Point, Point]} */ [a, b]) => Math.hypot(a.x - b.x, a.y - b.y);
  const middle = (/** @type {[Point, Point]} */ [a, b], /** @type {"x"|"y"} */ axis) => (a[axis] + b[axis]) / 2;
  const factor = spread(from) > 0 ? spread(to) / spread(from) : 1;
  /** @param {"x"|"y"} axis @param {number} low @param {number} high @param {number} most */
  const side = (axis, low, high, most) => {
    const moved = (/** @type {number} */ edge) => middle(to, axis) + (edge - middle(from, axis)) * factor;
    const least = Math.min(LEAST, most);
    const start = Math.round(Math.max(0, Math.min(moved(low), most - least)));
    return [start, Math.round(Math.max(start + least, Math.min(moved(high), most)))];
  };
  const [left, right] = side('x', box.left, box.right, photo.width);
  const [top, bottom] = side('y', box.top, box.bottom, photo.height);
  return { left, top, right, bottom };
}

export class SelectionBox {
  /** @type {Box|null} */
  #box = null;
  /** What is under way, and the box before it; a pinch has no handle. @type {{handle?: Handle, from: Point, box: Box}|null} */
  #drag = null;
  /** @type {Size} */
  #photo = { width: 1, height: 1 };

  /**
   * @param {Labels} labels
   * @param {object} act
   * @param {(event: PointerEvent) => Point} act.at where a pointer is, in pixels of the mask
   * @param {(box: Box) => void} act.moved it has another place for the moment
   * @param {(box: Box) => void} act.select it stays there
   * @param {(text: string) => void} act.announce
   */
  constructor(labels, act) {
    this.labels = labels;
    this.act = act;
    const options = { class: 'selection', part: 'selection', role: 'group', 'aria-label': labels.box, hidden: true };
    this.element = h('div', options,
      ...HANDLES.map(([handle, name]) => this.#handle(handle, labels[name])));
  }

  /** @param {Handle} handle @param {string} name */
  #handle(handle, name) {
    const button = h('button', { type: 'button', class: `grip ${handle}`, 'aria-label': name });
    if (handle === 'move') button.append(icon('move'));
    button.addEventListener('pointerdown', (event) => {
      if (event.button !== 0 || !this.#box) return;
      event.preventDefault();
      button.focus({ preventScroll: true });
      try {
        button.setPointerCapture(event.pointerId);
      } catch {
        // A pointer that ended meanwhile cannot be captured, and needs not be.
      }
      this.#drag = { handle, from: this.act.at(event), box: this.#box };
    });
    button.addEventListener('pointermove', (event) => {
      if (this.#drag?.handle !== handle) return;
      const at = this.act.at(event);
      const { from, box } = this.#drag;
      this.act.moved(this.#box = dragged(box, handle, at.x - from.x, at.y - from.y, this.#photo));
    });
    button.addEventListener('pointerup', () => this.leave(false));
    button.addEventListener('pointercancel', () => this.leave(true));
    button.addEventListener('keydown', (event) => {
      const way = ARROWS[event.key];
      if (!way || !this.#box || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      const step = STEPS[event.shiftKey ? 1 : 0] * Math.max(this.#photo.width, this.#photo.height);
      this.#become(dragged(this.#box, handle, way[0] * step, way[1] * step, this.#photo));
    });
    return button;
  }

  /** Whether one of its handles is dragged. */
  get isHeld() {
    return this.#drag?.handle !== undefined;
  }

  /**
   * Whether a pinch with a finger here is meant for it. Never where it takes most of the photo: there has to be a place
   * to pinch the view.
   * @param {Point} at pixels of the mask
   */
  holds({ x, y }) {
    const box = this.#box;
    if (!box) return false;
    const share = ((box.right - box.left) * (box.bottom - box.top)) / (this.#photo.width * this.#photo.height);
    return share <= MOST && x >= box.left && x < box.right && y >= box.top && y < box.bottom;
  }

  /**
   * Two fingers have moved it, since they came down.
   * @param {[Point, Point]} from pixels of the mask
   * @param {[Point, Point]} to
   */
  pinch(from, to) {
    if (!this.#box) return;
    this.#drag ??= { from: from[0], box: this.#box };
    this.act.moved(this.#box = pinched(this.#drag.box, from, to, this.#photo));
  }

  /** It has been dragged or pinched. @param {boolean} cancelled it goes back to where it was */
  leave(cancelled) {
    const drag = this.#drag;
    this.#drag = null;
    if (!drag || !this.#box || same(drag.box, this.#box)) return;
    if (cancelled) this.act.moved(this.#box = drag.box);
    else this.#become(this.#box);
  }

  /** @param {Box} box */
  #become(box) {
    this.#box = box;
    this.act.select(box);
    const share = (/** @type {number} */ part, /** @type {number} */ of) => Math.round((part / of) * 100);
    this.act.announce(fill(this.labels.boxIs, {
      width: share(box.right - box.left, this.#photo.width), height: share(box.bottom - box.top, this.#photo.height),
    }));
  }

  /**
   * While it is dragged it does not follow what is selected.
   * @param {Box|null} box
   * @param {Size} photo another object for each
   */
  show(box, photo) {
    // What is dragged on one photo says nothing of the next.
    if (photo !== this.#photo) this.#drag = null;
    this.#photo = photo;
    if (!this.#drag) this.#box = box;
    this.element.hidden = this.#box === null;
  }

  /** @param {View} view */
  render({ x, y, scale }) {
    const box = this.#box;
    if (!box) return;
    const { style } = this.element;
    style.setProperty('left', `${x + box.left * scale}px`);
    style.setProperty('top', `${y + box.top * scale}px`);
    style.setProperty('width', `${(box.right - box.left) * scale}px`);
    style.setProperty('height', `${(box.bottom - box.top) * scale}px`);
  }
}

/** @param {Box} a @param {Box} b */
function same(a, b) {
  return a.left === b.left && a.top === b.top && a.right === b.right && a.bottom === b.bottom;
}
