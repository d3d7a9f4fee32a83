/**
 * The photo by keyboard alone: arrows move a cursor, Enter selects or paints at it, and letters do what a button does.
 *
 * @import { MaskEditor } from './editor.js'
 * @import { Point } from './raster.js'
 *
 * @typedef {object} Acts what the keys mean
 * @property {() => {width: number, height: number}} size of the photo
 * @property {() => boolean} pans whether space, held, means to move the view: the pointer is over the photo
 * @property {(isHeld: boolean) => void} space
 * @property {(to: Point) => void} move the cursor has moved
 * @property {(at: Point, selects: boolean) => void} press `selects`: it may mean the thing there
 * @property {(dx: number, dy: number) => void} pan the view, pixels of the photo
 * @property {() => void} close an open shape
 * @property {() => void} giveUp
 * @property {() => void} draw the cursor has come or gone
 */

/** What an arrow moves, in shares of the photo's longer side; the second with Shift. */
const STEPS = [0.02, 0.1];
/** Which way each points. @type {Record<string, [number, number]>} */
export const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** @type {Record<string, (editor: MaskEditor) => void>} */
const KEYS = {
  Delete: (editor) => editor.clear(),
  Backspace: (editor) => editor.clear(),
  b: (editor) => { editor.tool = 'brush'; },
  e: (editor) => { editor.tool = 'eraser'; },
  r: (editor) => { editor.tool = 'rectangle'; },
  l: (editor) => { editor.tool = 'lasso'; },
  i: (editor) => editor.invert(),
  x: (editor) => { editor.intent = editor.intent === 'ignore' ? 'only' : 'ignore'; },
  '[': (editor) => { editor.size /= 1.2; },
  ']': (editor) => { editor.size *= 1.2; },
  '+': (editor) => editor.zoomBy(1.4),
  '=': (editor) => editor.zoomBy(1.4),
  '-': (editor) => editor.zoomBy(1 / 1.4),
  0: (editor) => editor.zoomFit(),
};

/** With Ctrl, or the Mac's key; and with Shift. @type {Record<string, [(editor: MaskEditor) => void, (editor: MaskEditor) => void]>} */
const COMMANDS = {
  z: [(editor) => editor.undo(), (editor) => editor.redo()],
  y: [(editor) => editor.redo(), (editor) => editor.redo()],
};

export class Keyboard {
  /** Whether it was used last, and not a pointer. */
  isUsed = false;
  /** In pixels of the mask. @type {Point|null} */
  cursor = null;

  /**
   * @param {MaskEditor} editor
   * @param {Acts} acts
   */
  constructor(editor, acts) {
    this.editor = editor;
    this.acts = acts;
    const { canvas } = editor;
    canvas.addEventListener('keydown', (event) => {
      if (editor.bitmap && this.#key(event)) event.preventDefault();
    });
    canvas.addEventListener('keyup', (event) => {
      if (event.key === ' ') acts.space(false);
    });
    canvas.addEventListener('focus', () => acts.draw());
    canvas.addEventListener('blur', () => {
      acts.space(false);
      this.isUsed = false;
      acts.draw();
    });
  }

  /** @param {KeyboardEvent} event @returns {boolean} whether it meant something here */
  #key(event) {
    const { acts, editor } = this;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (event.ctrlKey || event.metaKey) {
      COMMANDS[key]?.[event.shiftKey ? 1 : 0](editor);
      return Object.hasOwn(COMMANDS, key);
    }
    const way = ARROWS[key];
    if (way) {
      const { width, height } = acts.size();
      const step = (STEPS[event.shiftKey ? 1 : 0] * Math.max(width, height)) / editor.zoom;
      if (event.altKey) acts.pan(-way[0] * step, -way[1] * step);
      else this.#move(way[0] * step, way[1] * step);
    } else if (key === 'Enter') {
      this.#press(true);
    } else if (key === ' ') {
      // Held with a pointer over the photo it pans; alone it is the same as Enter, but always paints.
      if (!this.isUsed && acts.pans()) acts.space(true);
      else if (!event.repeat) this.#press(false);
    } else if (key === 'Escape') {
      acts.giveUp();
    } else if (key === 'c') {
      acts.close();
    } else if (key === '?') {
      editor.dispatchEvent(new Event('help'));
    } else {
      KEYS[key]?.(editor);
      return Object.hasOwn(KEYS, key);
    }
    return true;
  }

  /** @param {number} dx @param {number} dy */
  #move(dx, dy) {
    this.isUsed = true;
    const { width, height } = this.acts.size();
    const from = this.cursor ?? { x: width / 2, y: height / 2 };
    this.cursor = { x: Math.max(0, Math.min(width, from.x + dx)), y: Math.max(0, Math.min(height, from.y + dy)) };
    this.acts.move(this.cursor);
  }

  /** @param {boolean} selects */
  #press(selects) {
    this.isUsed = true;
    const { width, height } = this.acts.size();
    this.cursor ??= { x: width / 2, y: height / 2 };
    this.acts.press(this.cursor, selects);
  }
}
