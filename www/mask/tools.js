/**
 * The tools as small machines over points of the raster. A mouse, a finger and the keyboard all drive them
 * through the same four calls, so that whatever can be dragged can also be clicked together or typed.
 *
 * @import { Point, Raster } from './raster.js'
 *
 * @typedef {object} Tool
 * @property {(point: Point) => void} down
 * @property {(point: Point) => void} move with or without a button held
 * @property {(point: Point, clicked: boolean) => boolean} up true when a step is complete; `clicked`: no drag
 * @property {() => void} cancel forgets the unfinished shape; the caller restores the raster
 * @property {() => boolean} close completes an open shape, if it can; true when that made a step
 * @property {() => {points: Point[], closed: boolean}|null} outline the unfinished shape, to be drawn
 * @property {() => string|null} note which of `cornerSet`, `pointSet` to announce
 *
 * @typedef {object} Settings
 * @property {number} radius of brush and eraser, in pixels of the raster
 * @property {number} near how close a click must be to the first point of a lasso to close it
 */

/**
 * @param {Raster} raster
 * @param {() => Settings} settings
 * @param {boolean} erase
 * @returns {Tool}
 */
function brush(raster, settings, erase) {
  /** @type {Point|null} */
  let last = null;
  return {
    down(point) {
      raster.stroke(point, point, settings().radius, erase);
      last = point;
    },
    move(point) {
      if (!last) return;
      raster.stroke(last, point, settings().radius, erase);
      last = point;
    },
    up() {
      const drew = last !== null;
      last = null;
      return drew;
    },
    cancel() {
      last = null;
    },
    close: () => false,
    outline: () => null,
    note: () => null,
  };
}

/**
 * Drag from corner to corner, or click one and then the other.
 * @param {Raster} raster
 * @returns {Tool}
 */
function rectangle(raster) {
  /** @type {Point|null} */
  let first = null;
  /** @type {Point|null} */
  let second = null;
  let fresh = false;
  return {
    down(point) {
      fresh = first === null;
      first ??= point;
      second = point;
    },
    move(point) {
      if (first) second = point;
    },
    up(point, clicked) {
      if (!first) return false;
      if (clicked && fresh) return false;
      raster.rectangle(first, point);
      first = second = null;
      return true;
    },
    cancel() {
      first = second = null;
    },
    close: () => false,
    outline: () => first && second && {
      points: [first, { x: second.x, y: first.y }, second, { x: first.x, y: second.y }],
      closed: true,
    },
    note: () => (first ? 'cornerSet' : null),
  };
}

/**
 * Drag around it, or click points and close at the first one.
 * @param {Raster} raster
 * @param {() => Settings} settings
 * @returns {Tool}
 */
function lasso(raster, settings) {
  /** @type {Point[]} */
  let points = [];
  /** @type {Point|null} */
  let hover = null;
  let held = false;
  const finish = () => {
    const enough = points.length >= 3;
    if (enough) raster.polygon(points);
    points = [];
    hover = null;
    return enough;
  };
  return {
    down(point) {
      held = true;
      points.push(point);
    },
    move(point) {
      hover = point;
      if (!held) return;
      const last = points[points.length - 1];
      if (Math.hypot(point.x - last.x, point.y - last.y) >= 1) points.push(point);
    },
    up(point, clicked) {
      held = false;
      if (!clicked) return finish();
      const [first] = points;
      // The closing click is itself the last of the points.
      if (points.length >= 4 && Math.hypot(point.x - first.x, point.y - first.y) <= settings().near) {
        points.pop();
        return finish();
      }
      return false;
    },
    cancel() {
      points = [];
      hover = null;
      held = false;
    },
    close: finish,
    outline: () => (points.length === 0 ? null : { points: hover && !held ? [...points, hover] : points, closed: false }),
    note: () => (points.length > 0 ? 'pointSet' : null),
  };
}

/** @typedef {"brush"|"eraser"|"rectangle"|"lasso"} ToolName */

/**
 * @param {ToolName} name
 * @param {Raster} raster
 * @param {() => Settings} settings
 * @returns {Tool}
 */
export function makeTool(name, raster, settings) {
  switch (name) {
    case 'brush': return brush(raster, settings, false);
    case 'eraser': return brush(raster, settings, true);
    case 'rectangle': return rectangle(raster);
    case 'lasso': return lasso(raster, settings);
  }
}
