/**
 * Dots on the things in the photo that this catalogue has something like: buttons, each of which selects its thing. A
 * pointer passes through them, since a stroke may begin anywhere: whoever listens to the canvas asks what a tap hits.
 */
import { h } from '../dom.js';
import { fill } from '../labels.js';

/**
 * @import { Labels } from '../labels.js'
 * @import { FoundThing, Thing } from '../types.js'
 * @import { View } from './view.js'
 */

/** How far from its middle a tap hits a dot, in CSS pixels. */
const REACH = 22;

export class Dots {
  /** @type {{x: number, y: number, thing: Thing, button: HTMLButtonElement}[]} */
  #dots = [];

  /**
   * @param {Labels} labels
   * @param {(thing: Thing) => void} choose
   */
  constructor(labels, choose) {
    this.labels = labels;
    this.choose = choose;
    // Its own: a message about results must not be lost to it.
    this.said = h('p', { class: 'sr-only', 'aria-live': 'polite' });
    this.element = h('div', { class: 'dots', role: 'group', 'aria-label': labels.dots, hidden: true });
  }

  /** @param {FoundThing[]} things those that are there stay, more may come behind them; none: there is another photo */
  set(things) {
    if (things.length < this.#dots.length) {
      this.#dots = [];
      this.element.replaceChildren();
      this.said.textContent = '';
    }
    for (const { thing, title } of things.slice(this.#dots.length)) {
      const { x0, y0, x1, y1 } = thing.box;
      const button = /** @type {HTMLButtonElement} */ (h('button', {
        type: 'button', class: 'dot', part: 'dot', 'aria-label': fill(this.labels.dot, { title }), onclick: () => this.choose(thing),
      }));
      this.#dots.push({ x: (x0 + x1) / 2, y: (y0 + y1) / 2, thing, button });
      // Those that are there stay: one of them may have the focus.
      this.element.append(button);
    }
  }

  /** All have been found: a screen reader hears how many. */
  tell() {
    const count = this.#dots.length;
    this.said.textContent = count > 0 ? fill(this.labels.dotsFound, { count }) : '';
  }

  /** @param {boolean} isShown unless there are none */
  show(isShown) {
    this.element.hidden = !isShown || this.#dots.length === 0;
  }

  /**
   * The thing whose dot a tap hits; null: none is there, or they are not shown.
   * @param {{x: number, y: number}} point in pixels of the mask
   * @param {View} view
   * @param {{width: number, height: number}} photo in pixels of the mask
   */
  at(point, { scale }, photo) {
    if (this.element.hidden) return null;
    const far = (/** @type {{x: number, y: number}} */ dot) => Math.hypot(dot.x * photo.width - point.x, dot.y * photo.height - point.y) * scale;
    const [nearest] = this.#dots.filter((dot) => far(dot) <= REACH).sort((a, b) => far(a) - far(b));
    return nearest?.thing ?? null;
  }

  /**
   * @param {View} view
   * @param {{width: number, height: number}} photo in pixels of the mask
   */
  render(view, photo) {
    for (const { x, y, button } of this.#dots) {
      const left = view.x + x * photo.width * view.scale;
      const top = view.y + y * photo.height * view.scale;
      button.style.setProperty('left', `${left}px`);
      button.style.setProperty('top', `${top}px`);
      // The focus would move the stage to what is beyond its edge.
      button.hidden = !view.holds(left, top);
    }
  }
}
