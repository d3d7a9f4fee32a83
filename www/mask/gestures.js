/**
 * What mouse, pen and fingers do on the photo. One pointer draws; the middle button, or any with space held, moves the
 * view; two fingers pinch: the box if both are in it, else the view. Places are CSS pixels within the stage.
 */

/**
 * @typedef {{x: number, y: number}} At
 *
 * @typedef {object} Acts what each means
 * @property {() => boolean} isReady whether there is a photo to act on
 * @property {() => (event: MouseEvent) => At} places where events are, as the stage lies now
 * @property {(at: At, erases: boolean) => void} down a stroke begins; `erases`: with a pen's other end
 * @property {(at: At, isMoved: boolean) => void} drag it goes on; until it has moved, it may be a click
 * @property {(at: At, isClick: boolean) => void} up it ends
 * @property {() => void} giveUp it never was
 * @property {() => void} lifted after either
 * @property {(at: At|null) => void} hover the pointer is there, or nowhere
 * @property {(at: At) => void} pass it moves without drawing
 * @property {(dx: number, dy: number) => void} pan
 * @property {(factor: number, at: At) => void} zoom
 * @property {(at: At) => boolean} isInBox
 * @property {(from: [At, At], to: [At, At]) => void} pinchBox since the pinch began
 * @property {(cancelled: boolean) => void} leaveBox the pinch of the box has ended
 * @property {() => void} changed whether a pointer is down
 */

/** A pointer that moved no further than this (CSS pixels) clicked. */
const CLICK = 4;
/** The button of a pen's other end. */
const ERASER = 5;

export class Gestures {
  /** Space is held: the next pointer moves the view. */
  space = false;
  /** What touches the canvas now. @type {Map<number, At>} */
  #pointers = new Map();
  /** @type {"none"|"draw"|"pan"|"pinch"|"box"} */
  #mode = 'none';
  /** @type {At} */
  #start = { x: 0, y: 0 };
  #moved = false;
  /** Where the two fingers were when they began to pinch the box. @type {[At, At]} */
  #pinch = [this.#start, this.#start];

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {Acts} acts
   */
  constructor(canvas, acts) {
    this.canvas = canvas;
    this.acts = acts;
    canvas.addEventListener('pointerdown', (event) => this.#down(event));
    canvas.addEventListener('pointermove', (event) => this.#move(event));
    canvas.addEventListener('pointerup', (event) => this.#up(event, false));
    canvas.addEventListener('pointercancel', (event) => this.#up(event, true));
    canvas.addEventListener('pointerleave', () => acts.hover(null));
    canvas.addEventListener('contextmenu', (event) => {
      if (this.isActive) event.preventDefault();
    });
  }

  /** Whether any pointer is down. */
  get isActive() {
    return this.#mode !== 'none';
  }

  /** Whether one draws. */
  get isDrawing() {
    return this.#mode === 'draw';
  }

  /** @param {PointerEvent} event */
  #down(event) {
    const { acts } = this;
    if (!acts.isReady()) return;
    const at = acts.places()(event);
    this.#pointers.set(event.pointerId, at);
    try {
      this.canvas.setPointerCapture(event.pointerId);
    } catch {
      // A pointer that ended meanwhile cannot be captured, and needs not be.
    }
    if (this.#pointers.size === 2) {
      // The second finger turns a stroke that has just begun into a pinch.
      if (this.#mode === 'draw') {
        acts.giveUp();
        acts.lifted();
      }
      const [first, second] = this.#pointers.values();
      this.#pinch = [first, second];
      this.#mode = acts.isInBox(first) && acts.isInBox(second) ? 'box' : 'pinch';
    } else if (this.#pointers.size === 1 && (this.space || event.button === 1)) {
      event.preventDefault();
      this.#mode = 'pan';
    } else if (this.#pointers.size === 1 && (event.button === 0 || event.button === ERASER)) {
      this.#mode = 'draw';
      this.#start = at;
      this.#moved = false;
      acts.down(at, event.button === ERASER);
    }
    acts.changed();
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const { acts } = this;
    const within = acts.places();
    const at = within(event);
    acts.hover(at);
    const before = this.#pointers.get(event.pointerId);
    if (!before) {
      if (this.#mode === 'none') acts.pass(at);
      return;
    }
    this.#pointers.set(event.pointerId, at);
    if (this.#mode === 'pan') {
      acts.pan(at.x - before.x, at.y - before.y);
    } else if (this.#mode === 'box') {
      const [first, second] = this.#pointers.values();
      acts.pinchBox(this.#pinch, [first, second]);
    } else if (this.#mode === 'pinch') {
      const other = [...this.#pointers].find(([id]) => id !== event.pointerId)?.[1];
      if (!other) return;
      const spread = Math.hypot(before.x - other.x, before.y - other.y);
      acts.pan((at.x - before.x) / 2, (at.y - before.y) / 2);
      if (spread === 0) return;
      acts.zoom(Math.hypot(at.x - other.x, at.y - other.y) / spread, { x: (at.x + other.x) / 2, y: (at.y + other.y) / 2 });
    } else if (this.#mode === 'draw') {
      // The browser hands over one event a frame; what lay between is in the coalesced ones.
      const all = event.getCoalescedEvents?.() ?? [];
      for (const each of all.length > 0 ? all : [event]) {
        const point = within(each);
        if (Math.hypot(point.x - this.#start.x, point.y - this.#start.y) > CLICK) this.#moved = true;
        acts.drag(point, this.#moved);
      }
    }
  }

  /**
   * @param {PointerEvent} event
   * @param {boolean} cancelled
   */
  #up(event, cancelled) {
    if (!this.#pointers.delete(event.pointerId)) return;
    const { acts } = this;
    const mode = this.#mode;
    if (mode === 'draw' || this.#pointers.size === 0) this.#mode = 'none';
    if (mode === 'draw') {
      if (cancelled) acts.giveUp();
      else acts.up(acts.places()(event), !this.#moved);
      acts.lifted();
    } else if (mode === 'box') {
      // The finger that stays does not draw.
      acts.leaveBox(cancelled);
      if (this.isActive) this.#mode = 'pinch';
    }
    if (event.pointerType === 'touch') acts.hover(null);
    acts.changed();
  }
}
