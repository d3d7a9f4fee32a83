/**
 * Addresses from a shop's feed: they may be anything. What is no address of the web is none. Pure.
 *
 * @import { Product } from './types.js'
 */

/**
 * Where a product's page is: an absolute address, or a path from the root of the shop's own host. Anything else, such as
 * `shop.example/p` or `p.html`, would lead to a place that nobody meant.
 * @param {Product} product
 * @param {string} base of the page
 * @returns {string|null}
 */
export function pageOf({ url }, base) {
  const text = url?.trim() ?? '';
  return /^(https?:|\/)/i.test(text) ? webAddress(text, base) : null;
}

/**
 * One of a product's pictures: the thumbnail that is hosted beside the manifest; else, where there is none, the feed's own
 * picture if its address is absolute.
 * @param {Product} product
 * @param {number} index into its pictures
 * @param {string} manifest absolute
 * @returns {string|null}
 */
export function pictureOf({ images = [] }, index, manifest) {
  const { thumb, image } = images[index] ?? images[0] ?? {};
  if (thumb) return webAddress(thumb, manifest);
  return image && /^https?:/i.test(image.trim()) ? webAddress(image.trim()) : null;
}

/**
 * @param {string} text
 * @param {string} [base]
 * @returns {string|null} absolute http or https
 */
function webAddress(text, base) {
  try {
    const { protocol, hostname, href } = new URL(text, base);
    // Some browsers take a space in a host's name.
    return /^https?:$/.test(protocol) && !hostname.includes('%') ? href : null;
  } catch {
    return null;
  }
}
