/**
 * The photo with the paint on it: shows, zooms, says what pointers (gestures.js) and keys (keys.js) mean, keeps the
 * history. The buttons are in toolbar.js and call the same methods.
 *
 * Events: `change` (detail.final is false while a stroke pauses), `state` when a button must look different.
 */
import { fill } from '../labels.js';
import { h } from '../dom.js';
import { SelectionBox } from './box.js';
import { Dots } from './dots.js';
import { Gestures } from './gestures.js';
import { History } from './history.js';
import { Keyboard } from './keys.js';
import { Layers } from './layers.js';
import { paintOf } from './outline.js';
import { Place } from './place.js';
import { Raster } from './raster.js';
import { makeTool } from './tools.js';
import { View } from './view.js';

/**
 * @import { Labels } from '../labels.js'
 * @import { FoundThing, Thing } from '../types.js'
 * @import { Box, Point } from './raster.js'
 * @import { ToolName } from './tools.js'
 * @typedef {"ignore"|"only"} Intent
 */

/** A stroke that rests for so long shows its results before it ends. */
const REST_MS = 350;
/** Brush diameter in thousandths of the photo's longer side. */
export const SIZE = { min: 10, max: 400, start: 90 };

export class MaskEditor extends EventTarget {
  /** @type {ToolName} */
  #toolName = 'brush';
  /** @type {Intent} */
  #intent = 'ignore';
  #size = SIZE.start;
  /** @type {ImageBitmap|null} */
  #bitmap = null;
  #raster = new Raster(1, 1);
  #history = new History(this.#raster.data);
  #tool = makeTool('brush', this.#raster, () => this.#settings());
  #view = new View();
  #place = new Place();
  #frame = 0;
  #layers;
  #changed = false;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #rest;

  /** Where the ring is drawn. @type {Point|null} */
  #ring = null;
  #penDown = false;
  /** Whether a pen's other end is down. */
  #erases = false;
  /** Whether all paint is what a tap has made. */
  #isTapped = false;
  /** Counts taps: the last one wins. */
  #taps = 0;

  /**
   * @param {Labels} labels
   * @param {(text: string) => void} announce
   * @param {(x: number, y: number) => Promise<Thing|null|undefined>} find what lies at a point, in fractions of the photo;
   *   null: nothing; undefined: nobody can say
   */
  constructor(labels, announce, find) {
    super();
    this.labels = labels;
    this.announce = announce;
    this.find = find;
    this.canvas = h('canvas', {
      part: 'photo',
      tabIndex: 0,
      role: 'application',
      'aria-label': labels.canvas,
      'aria-roledescription': labels.canvasRole,
      'aria-description': labels.canvasHint,
      'aria-keyshortcuts': 'B E R L [ ] I Delete Control+Z Control+Shift+Z',
    });
    this.#layers = new Layers(this.canvas, this.#view);
    this.#box = new SelectionBox(labels, {
      at: (event) => {
        const at = this.#place.within(this.element)(event);
        return this.#view.toPhoto(at.x, at.y);
      },
      moved: () => this.#draw(),
      select: (box) => this.#selectBox(box),
      announce,
    });
    this.#dots = new Dots(labels, (thing) => {
      this.#taps++;
      this.#giveUp();
      this.#become(thing);
      // The dots have gone.
      this.canvas.focus({ preventScroll: true });
    });
    const { element: dots, said } = this.#dots;
    this.element = h('div', { class: 'stage', part: 'stage' }, this.#layers.below, this.canvas, dots, said, this.#box.element, ...this.#place.corners);
    this.#gestures = this.#listen();
    this.#keyboard = this.#listenToKeys();
    this.#observer = new ResizeObserver(() => this.#resize());
    this.#observer.observe(this.element);
  }

  #observer;
  #gestures;
  #keyboard;
  #box;
  #dots;

  /**
   * @param {ImageBitmap} bitmap for the screen
   * @param {{width: number, height: number}} size of the mask
   */
  setPhoto(bitmap, { width, height }) {
    if (this.#bitmap !== bitmap) this.#bitmap?.close();
    this.#bitmap = bitmap;
    this.#raster = new Raster(width, height);
    this.#history = new History(this.#raster.data);
    this.#layers.setPhoto(bitmap, this.#raster);
    this.#keyboard.cursor = null;
    this.#penDown = false;
    this.#isTapped = false;
    this.#taps++;
    this.#dots.set([]);
    this.#view.fit();
    this.element.style.setProperty('--photo-ratio', String(width / height));
    this.#use(this.#toolName);
    this.#resize();
    this.#state();
  }

  /** Forgets photo and paint. */
  clearPhoto() {
    this.#bitmap?.close();
    this.#bitmap = null;
    this.#raster = new Raster(1, 1);
    this.#history = new History(this.#raster.data);
    this.#layers.clear();
    this.#dots.set([]);
    this.#isTapped = false;
    this.#taps++;
    this.#use(this.#toolName);
    this.#state();
  }

  get bitmap() {
    return this.#bitmap;
  }

  /** Share of the photo that is painted, 0 to 1. */
  get share() {
    return this.#raster.share();
  }

  /** Whether anything is painted. */
  get hasPaint() {
    return this.#raster.share() > 0;
  }

  /**
   * What is to be taken out, 255 = all of the pixel; null where nothing is painted.
   * @returns {{data: Uint8Array, width: number, height: number}|null}
   */
  coverage() {
    const { data, width, height } = this.#raster;
    if (!this.hasPaint) return null;
    const out = data.slice();
    if (this.#intent === 'only') for (let i = 0; i < out.length; i++) out[i] = 255 - out[i];
    return { data: out, width, height };
  }

  /** The painted area itself, 255 = painted; as long as the photo has pixels. @returns {Uint8Array} */
  get paint() {
    return this.#raster.data.slice();
  }

  set paint(data) {
    if (data.length !== this.#raster.data.length || !data.some((level) => level > 0)) return;
    this.#raster.restore(data);
    this.#step();
  }

  get tool() {
    return this.#toolName;
  }

  set tool(name) {
    this.#giveUp();
    this.#use(name);
    this.#state();
  }

  get intent() {
    return this.#intent;
  }

  set intent(intent) {
    if (intent === this.#intent) return;
    this.#intent = intent;
    this.#repaint();
    this.#state();
    if (this.hasPaint) this.#tell(true);
  }

  get size() {
    return this.#size;
  }

  set size(size) {
    this.#size = Math.round(Math.max(SIZE.min, Math.min(SIZE.max, size)));
    this.#draw();
    this.#state();
  }

  get zoom() {
    return this.#view.zoom;
  }

  get canUndo() {
    return this.#history.canUndo;
  }

  get canRedo() {
    return this.#history.canRedo;
  }

  undo() {
    this.#restore(this.#history.undo());
  }

  redo() {
    this.#restore(this.#history.redo());
  }

  invert() {
    this.#giveUp();
    this.#raster.invert();
    this.#step();
  }

  clear() {
    this.#giveUp();
    if (this.#raster.share() === 0) return;
    this.#raster.clear();
    this.#step();
  }

  /** @param {number} factor about the middle of what is shown, or the keyboard's cursor */
  zoomBy(factor) {
    const { cursor, isUsed } = this.#keyboard;
    const at = cursor && isUsed
      ? { x: this.#view.x + cursor.x * this.#view.scale, y: this.#view.y + cursor.y * this.#view.scale }
      : this.#layers.middle;
    this.#zoomAt(factor, at);
  }

  zoomFit() {
    this.#view.fit();
    this.#draw();
    this.#state();
  }

  destroy() {
    this.#observer.disconnect();
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#rest);
    this.#layers.clear();
    this.#bitmap?.close();
    this.#bitmap = null;
  }

  // --- pointers ------------------------------------------------------------------------------------------

  #listen() {
    const { canvas } = this;
    canvas.addEventListener('wheel', (event) => this.#wheel(event), { passive: false });
    return new Gestures(canvas, {
      isReady: () => this.#bitmap !== null && !this.#box.isHeld,
      places: () => this.#place.within(this.element),
      down: (at, erases) => {
        // A pen's other end erases, whatever is chosen, and until it is lifted.
        this.#erases = erases;
        if (erases) this.#tool = this.#make('eraser');
        this.#tool.down(this.#view.toPhoto(at.x, at.y));
        this.#touched();
      },
      drag: (at, isMoved) => {
        // A hand that trembles on a click draws no shape.
        if (isMoved || this.#isStroking) this.#tool.move(this.#view.toPhoto(at.x, at.y));
        this.#touched();
      },
      up: (at, isClick) => {
        const point = this.#view.toPhoto(at.x, at.y);
        if (isClick && this.#canSelect) void this.#select(point);
        else this.#lift(point, isClick);
      },
      giveUp: () => this.#giveUp(),
      lifted: () => {
        if (this.#erases) this.#use(this.#toolName);
        this.#erases = false;
      },
      hover: (at) => {
        this.#ring = at && this.#view.toPhoto(at.x, at.y);
        this.#draw();
      },
      pass: (at) => this.#tool.move(this.#view.toPhoto(at.x, at.y)),
      pan: (dx, dy) => {
        this.#view.pan(dx, dy);
        this.#draw();
      },
      zoom: (factor, at) => this.#zoomAt(factor, at),
      // Zoomed in, the shopper is at work on the view.
      isInBox: (at) => this.#isTapped && this.#view.zoom === 1 && this.#box.holds(this.#view.toPhoto(at.x, at.y)),
      pinchBox: (from, to) => {
        const points = (/** @type {[Point, Point]} */ [a, b]) => [this.#view.toPhoto(a.x, a.y), this.#view.toPhoto(b.x, b.y)];
        this.#box.pinch(/** @type {[Point, Point]} */ (points(from)), /** @type {[Point, Point]} */ (points(to)));
      },
      leaveBox: (cancelled) => this.#box.leave(cancelled),
      changed: () => {
        if (this.#gestures.isActive) this.#keyboard.isUsed = false;
        this.element.classList.toggle('drawing', this.#gestures.isActive);
        this.#draw();
      },
    });
  }

  /** Whether the tool draws as the pointer moves. */
  get #isStroking() {
    return this.#toolName === 'brush' || this.#toolName === 'eraser';
  }

  /** @param {number} factor @param {Point} at CSS pixels within the stage */
  #zoomAt(factor, at) {
    this.#view.zoomAt(factor, at.x, at.y);
    this.#draw();
    this.#state();
  }

  /** @param {WheelEvent} event */
  #wheel(event) {
    if (!this.#bitmap) return;
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      this.#zoomAt(Math.exp(-event.deltaY * (event.deltaMode === 0 ? 0.005 : 0.1)), this.#place.within(this.element)(event));
      return;
    }
    // Only where the shopper is at work on the photo: elsewhere the wheel scrolls the page.
    const root = /** @type {Document|ShadowRoot} */ (this.canvas.getRootNode());
    if (root.activeElement !== this.canvas || !this.#isStroking) return;
    event.preventDefault();
    this.size = this.#size * Math.exp(-Math.sign(event.deltaY) * 0.1);
  }

  // --- keyboard ------------------------------------------------------------------------------------------

  #listenToKeys() {
    return new Keyboard(this, {
      size: () => this.#raster,
      pans: () => this.#ring !== null,
      space: (isHeld) => {
        this.#gestures.space = isHeld;
      },
      move: (to) => this.#moveTo(to),
      press: (at, selects) => this.#press(at, selects),
      pan: (dx, dy) => {
        this.#view.pan(dx * this.#view.scale, dy * this.#view.scale);
        this.#draw();
      },
      close: () => {
        if (this.#tool.close()) this.#step();
      },
      giveUp: () => this.#giveUp(),
      draw: () => this.#draw(),
    });
  }

  /** @param {Point} cursor */
  #moveTo(cursor) {
    this.#tool.move(cursor);
    if (this.#penDown) this.#touched();
    this.#view.reveal(cursor);
    this.#draw();
    const { width, height } = this.#raster;
    this.announce(fill(this.labels.cursorAt, { x: Math.round((cursor.x / width) * 100), y: Math.round((cursor.y / height) * 100) }));
  }

  /** @param {Point} cursor @param {boolean} selects whether it may mean the thing there */
  #press(cursor, selects) {
    if (selects && !this.#penDown && this.#canSelect) {
      void this.#select(cursor);
    } else if (this.#isStroking) {
      this.#penDown = !this.#penDown;
      this.announce(this.#penDown ? this.labels.penDown : this.labels.penUp);
      if (this.#penDown) {
        this.#tool.down(cursor);
        this.#touched();
      } else {
        this.#lift(cursor, true);
      }
    } else {
      this.#tool.down(cursor);
      this.#lift(cursor, true);
    }
    this.#draw();
  }

  // --- things --------------------------------------------------------------------------------------------

  /** Whether a tap means the thing there, and not a dab of paint: where there is no paint, but for another tap's. */
  get #canSelect() {
    return this.#toolName === 'brush' && (this.#isTapped || !this.#history.current().some((level) => level > 0));
  }

  /**
   * Selects the thing at a point; where nobody can say what is there, the point is a dab of paint after all.
   * @param {Point} point
   */
  async #select(point) {
    const { width, height } = this.#raster;
    const tap = ++this.#taps;
    const dot = this.#dots.at(point, this.#view, this.#raster);
    // The press has begun a stroke.
    this.#giveUp();
    if (dot) {
      this.#become(dot);
      return;
    }
    /** @type {Thing|null|undefined} */
    let thing;
    try {
      thing = await this.find(Math.max(0, Math.min(1, point.x / width)), Math.max(0, Math.min(1, point.y / height)));
    } catch {
      thing = undefined;
    }
    // Another tap, stroke or photo came before the answer.
    if (tap !== this.#taps || this.#gestures.isDrawing) return;
    if (thing === undefined) {
      this.#tool.down(point);
      this.#lift(point, true);
      return;
    }
    if (thing === null) {
      this.announce(this.labels.nothingThere);
      return;
    }
    this.#become(thing);
  }

  /** Selects a thing. @param {Thing} thing */
  #become({ outline }) {
    this.#raster.restore(paintOf(outline, this.#raster.width, this.#raster.height));
    this.#intent = 'only';
    this.#step();
    this.#isTapped = true;
    this.announce(this.labels.thingSelected);
  }

  /**
   * Dots on these, while nothing is painted.
   * @param {FoundThing[]} things
   * @param {boolean} isAll there are no more
   */
  showThings(things, isAll) {
    this.#dots.set(things);
    if (isAll) this.#dots.tell();
    this.#showDots();
    this.#draw();
  }

  /** Where a tap means a thing and nothing is selected. */
  #showDots() {
    this.#dots.show(!this.hasPaint && this.#toolName === 'brush');
  }

  /** All of a box, and nothing else. @param {Box} box */
  #selectBox({ left, top, right, bottom }) {
    this.#taps++;
    this.#giveUp();
    this.#raster.clear();
    this.#raster.rectangle({ x: left, y: top }, { x: right, y: bottom });
    this.#intent = 'only';
    this.#step(false);
    this.#isTapped = true;
  }

  // --- steps ---------------------------------------------------------------------------------------------

  #settings() {
    return {
      radius: (this.#size / 1000) * Math.max(this.#raster.width, this.#raster.height) / 2,
      near: 14 / this.#view.scale,
    };
  }

  /** @param {ToolName} name */
  #use(name) {
    this.#toolName = name;
    this.#tool = this.#make(name);
  }

  /** @param {ToolName} name */
  #make(name) {
    return makeTool(name, this.#raster, () => this.#settings());
  }

  /** A stroke has drawn something: show it, and search if the hand rests. */
  #touched() {
    this.#changed = true;
    this.#repaint();
    clearTimeout(this.#rest);
    if (this.#isStroking) {
      this.#rest = setTimeout(() => {
        if (!this.#changed) return;
        this.#changed = false;
        this.#tell(false);
      }, REST_MS);
    }
  }

  /**
   * @param {Point} point
   * @param {boolean} clicked
   */
  #lift(point, clicked) {
    if (this.#tool.up(point, clicked)) {
      this.#step();
      return;
    }
    const note = this.#tool.note();
    if (note === 'cornerSet') this.announce(this.labels.cornerSet);
    if (note === 'pointSet') this.announce(fill(this.labels.pointSet, { count: this.#tool.outline()?.points.length ?? 0 }));
    this.#draw();
  }

  /** @param {boolean} [isTold] whether a screen reader hears how much is painted */
  #step(isTold = true) {
    this.#isTapped = false;
    this.#history.push(this.#raster.data);
    this.#repaint();
    this.#state();
    this.#tell(true);
    if (!isTold) return;
    const share = this.share;
    this.announce(share > 0 ? fill(this.labels.masked, { percent: Math.max(1, Math.round(share * 100)) }) : this.labels.nothingMasked);
  }

  /** @param {Uint8Array|null} data */
  #restore(data) {
    if (!data) return;
    this.#tool.cancel();
    this.#penDown = false;
    this.#isTapped = false;
    this.#raster.restore(data);
    this.#repaint();
    this.#state();
    this.#tell(true);
  }

  /** The unfinished stroke or shape never was. */
  #giveUp() {
    clearTimeout(this.#rest);
    this.#tool.cancel();
    this.#penDown = false;
    this.#raster.restore(this.#history.current());
    this.#repaint();
  }

  /** @param {boolean} final */
  #tell(final) {
    clearTimeout(this.#rest);
    this.#changed = false;
    this.dispatchEvent(new CustomEvent('change', { detail: { final } }));
  }

  #state() {
    this.#showDots();
    this.#box.show(this.#intent === 'only' ? this.#raster.bounds() : null, this.#raster);
    // In per cent, for styles and for whoever looks from outside.
    this.canvas.dataset.painted = String(Math.round(this.share * 1000) / 10);
    this.dispatchEvent(new Event('state'));
  }

  // --- drawing -------------------------------------------------------------------------------------------

  #resize() {
    this.#layers.resize(this.element.clientWidth, this.element.clientHeight);
    this.#draw();
  }

  #repaint() {
    this.#layers.paintChanged(this.#intent);
    this.#draw();
  }

  #draw() {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => this.#render());
  }

  #render() {
    if (!this.#bitmap) return;
    this.#box.render(this.#view);
    this.#dots.render(this.#view, this.#raster);
    const isBrush = this.#isStroking;
    const { cursor, isUsed } = this.#keyboard;
    const at = isUsed ? cursor : this.#ring;
    this.#layers.render({
      outline: this.#tool.outline(),
      ring: at && { at, radius: isBrush ? this.#settings().radius : 0, cross: isUsed || !isBrush, bold: this.#penDown },
    });
  }
}
