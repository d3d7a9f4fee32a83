/** A thing's outline, which comes coarse, as paint. */

/**
 * Painted where the outline leaves something, as large as the photo. Smooth between the cells, so that the border is no
 * staircase.
 * @param {{width: number, height: number, coverage: Uint8Array}} outline 255 = taken out
 * @param {number} width of the photo
 * @param {number} height
 * @returns {Uint8Array} 255 = painted
 */
export function paintOf(outline, width, height) {
  const paint = new Uint8Array(width * height);
  const across = places(width, outline.width);
  for (let y = 0; y < height; y++) {
    const down = place(y, height, outline.height);
    const upper = down.first * outline.width;
    const lower = down.second * outline.width;
    for (let x = 0; x < width; x++) {
      const { first, second, share } = across[x];
      const mixed = (/** @type {number} */ row) => outline.coverage[row + first] * (1 - share) + outline.coverage[row + second] * share;
      const out = mixed(upper) * (1 - down.share) + mixed(lower) * down.share;
      if (out < 127.5) paint[y * width + x] = 255;
    }
  }
  return paint;
}

/** @param {number} width @param {number} cells */
function places(width, cells) {
  return Array.from({ length: width }, (_, x) => place(x, width, cells));
}

/**
 * The cells whose middles a pixel's middle lies between, and how far it is to the second.
 * @param {number} at
 * @param {number} of
 * @param {number} cells
 */
function place(at, of, cells) {
  const middle = Math.max(0, Math.min(cells - 1, ((at + 0.5) * cells) / of - 0.5));
  const first = Math.floor(middle);
  return { first, second: Math.min(cells - 1, first + 1), share: middle - first };
}
