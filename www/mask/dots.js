/** Dots on the things in the photo that this catalogue has something like: buttons, each of which selects its thing. */
import { h } from '../dom.js';
import { fill } from '../labels.js';

/**
 * @import { Labels } from '../labels.js'
 * @import { FoundThing, Thing } from '../types.js'
 * @import { View } from './view.js'
 */

export class Dots {
  /** @type {{x: number, y: number, button: HTMLButtonElement}[]} */
  #dots = [];

  /**
   * @param {Labels} labels
   * @param {(thing: Thing) => void} choose
   */
  constructor(labels, choose) {
    this.labels = labels;
    this.choose = choose;
    this.element = h('div', { class: 'dots', role: 'group', 'aria-label': labels.dots, hidden: true });
  }

  /** @param {FoundThing[]} things those that are there stay, more may come behind them; none: there is another photo */
  set(things) {
    if (things.length < this.#dots.length) this.#dots = [];
    for (const { thing, title } of things.slice(this.#dots.length)) {
      const { x0, y0, x1, y1 } = thing.box;
      const button = /** @type {HTMLButtonElement} */ (h('button', {
        type: 'button', class: 'dot', part: 'dot', 'aria-label': fill(this.labels.dot, { title }), onclick: () => this.choose(thing),
      }));
      this.#dots.push({ x: (x0 + x1) / 2, y: (y0 + y1) / 2, button });
    }
    this.element.replaceChildren(...this.#dots.map(({ button }) => button));
  }

  /** @param {boolean} isShown unless there are none */
  show(isShown) {
    this.element.hidden = !isShown || this.#dots.length === 0;
  }

  /**
   * @param {View} view
   * @param {{width: number, height: number}} photo in pixels of the mask
   */
  render({ x, y, scale }, photo) {
    for (const dot of this.#dots) {
      dot.button.style.setProperty('left', `${x + dot.x * photo.width * scale}px`);
      dot.button.style.setProperty('top', `${y + dot.y * photo.height * scale}px`);
    }
  }
}
