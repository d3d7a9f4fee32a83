/**
 * Where a pointer is within a box, in the box's own CSS pixels, whatever lies between it and the screen: CSS zoom,
 * scaling, turning, scrolling. Three points of the box are looked up on the screen; they say how it lies there.
 */
import { h } from '../dom.js';

export class Place {
  /** Of no size, at three corners of the box. */
  corners = ['origin', 'right', 'below'].map((corner) => h('i', { class: `corner ${corner}`, 'aria-hidden': 'true' }));

  /**
   * @param {HTMLElement} box that has the corners
   * @returns {(event: {clientX: number, clientY: number}) => {x: number, y: number}} good until the box moves
   */
  within(box) {
    const [o, right, below] = this.corners.map((corner) => corner.getBoundingClientRect());
    const u = { x: right.left - o.left, y: right.top - o.top };
    const v = { x: below.left - o.left, y: below.top - o.top };
    // Seen from its edge, or not laid out, the box has no inside.
    const area = u.x * v.y - u.y * v.x || Infinity;
    const { clientWidth, clientHeight } = box;
    return ({ clientX, clientY }) => {
      const x = clientX - o.left;
      const y = clientY - o.top;
      return { x: (x * v.y - y * v.x) / area * clientWidth, y: (u.x * y - u.y * x) / area * clientHeight };
    };
  }
}
