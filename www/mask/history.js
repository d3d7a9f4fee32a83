/** Undo and redo over snapshots, run-length coded: a painted mask is mostly long runs. */

/** More steps than anyone takes back, few enough to forget about memory. */
const DEPTH = 200;

export class History {
  /** @type {Uint32Array[]} */
  #past = [];
  /** @type {Uint32Array[]} */
  #future = [];
  #size;

  /** @param {Uint8Array} data the state before the first step */
  constructor(data) {
    this.#size = data.length;
    this.#past.push(encode(data));
  }

  get canUndo() {
    return this.#past.length > 1;
  }

  get canRedo() {
    return this.#future.length > 0;
  }

  /** @param {Uint8Array} data the state after a step */
  push(data) {
    this.#past.push(encode(data));
    if (this.#past.length > DEPTH) this.#past.shift();
    this.#future = [];
  }

  /** @returns {Uint8Array|null} the state before */
  undo() {
    const now = this.canUndo ? this.#past.pop() : undefined;
    if (!now) return null;
    this.#future.push(now);
    return this.#top();
  }

  /** @returns {Uint8Array|null} the state after */
  redo() {
    const next = this.#future.pop();
    if (!next) return null;
    this.#past.push(next);
    return this.#top();
  }

  /** The state as of the last step: what an unfinished stroke returns to. */
  current() {
    return this.#top();
  }

  #top() {
    return decode(this.#past[this.#past.length - 1], this.#size);
  }
}

/**
 * Runs as (length << 8 | level).
 * @param {Uint8Array} data
 */
export function encode(data) {
  const longest = 0xffffff;
  /** @type {number[]} */
  const runs = [];
  // Four pixels at a time where they are all alike, which most are.
  const words = data.byteOffset % 4 === 0 ? new Uint32Array(data.buffer, data.byteOffset, data.length >> 2) : null;
  for (let at = 0; at < data.length;) {
    const level = data[at];
    const alike = Math.imul(level, 0x01010101) >>> 0;
    let end = at + 1;
    while (end < data.length && data[end] === level && end - at < longest) {
      end++;
      if (words && end % 4 === 0) while (end >> 2 < words.length && words[end >> 2] === alike && end - at + 4 <= longest) end += 4;
    }
    runs.push((end - at) * 256 + level);
    at = end;
  }
  return Uint32Array.from(runs);
}

/**
 * @param {Uint32Array} runs
 * @param {number} size
 */
export function decode(runs, size) {
  const data = new Uint8Array(size);
  let at = 0;
  for (const run of runs) {
    const end = at + (run >>> 8);
    data.fill(run & 255, at, end);
    at = end;
  }
  return data;
}
