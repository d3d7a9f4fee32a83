/** A browser, pages that record what they ask for, and photos to give them. */
import { existsSync, readFileSync } from 'node:fs';
import { brotliCompressSync } from 'node:zlib';
import { chromium } from 'playwright-core';
import { ROOT, fileOf, hosted } from './server.mjs';

/** @import { BrowserContext, Locator, Page } from 'playwright-core' */

export const EXECUTABLE = process.env.CHROMIUM ?? '/usr/bin/chromium';

/** What takes longer than this hangs. */
const PATIENCE_MS = 20_000;

export function launch() {
  return chromium.launch({
    executablePath: EXECUTABLE,
    args: ['--no-sandbox', '--disable-quic', '--disable-background-networking'],
  });
}

/**
 * @param {import('playwright-core').Browser} browser
 * @param {import('playwright-core').BrowserContextOptions} [options]
 */
export async function newContext(browser, options) {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(PATIENCE_MS);
  return context;
}

/**
 * Products of the catalogue under test.
 * @returns {{id: string, title: string, thumb: string, category: string, attributes?: Record<string, string>}[]}
 */
export function products() {
  const file = fileOf(hosted('products'));
  const { products } = JSON.parse(readFileSync(/** @type {string} */ (file), 'utf8'));
  return products.map((/** @type {import('../../www/types.js').Product} */ product) => ({ ...product, thumb: product.images?.[0]?.thumb }));
}

/** @param {{thumb: string}} product */
export function thumbOf({ thumb }) {
  return readFileSync(/** @type {string} */ (fileOf(`/catalog/${thumb}`)));
}

/** What is downloaded before anyone means to use the element: its module with all that it imports. */
export function facade() {
  /** @type {Set<string>} */
  const files = new Set();
  const take = (/** @type {string} */ name) => {
    if (files.has(name)) return;
    files.add(name);
    for (const [, other] of readFileSync(`${ROOT}www/${name}`, 'utf8').matchAll(/^import [^'"]*['"]\.\/([\w/.-]+)['"]/gm)) take(other);
  };
  take('element.js');
  const bytes = [...files].reduce((sum, name) => sum + brotliCompressSync(readFileSync(`${ROOT}www/${name}`)).length, 0);
  return { files: [...files], bytes };
}

/** Real photos beside the checkout, where there are any. @param {string} name */
export function sharedPhoto(name) {
  const url = new URL(`../../../shared/photos/${name}`, import.meta.url);
  return existsSync(url) ? readFileSync(url) : null;
}

/**
 * Problems that the page itself has noticed; a test that expects none checks that this stays empty.
 * @param {Page} page
 */
export function problemsOf(page) {
  /** @type {string[]} */
  const problems = [];
  page.on('pageerror', (error) => problems.push(`uncaught: ${error.message}`));
  page.on('console', (message) => {
    // Browsers ask for a favicon by themselves.
    if (message.type() === 'error' && !message.location().url.endsWith('/favicon.ico')) problems.push(message.text());
  });
  return problems;
}

/**
 * What is inside the element on the page, whichever shadow it lies in.
 * @param {Page} page
 * @param {string} [element]
 */
export function parts(page, element = 'look-alike') {
  const host = page.locator(element);
  return {
    host,
    drop: host.locator('.drop'),
    message: host.locator('.message'),
    cards: host.locator('.lists .card:not(.ghost)'),
    left: host.locator('.lists .list').nth(0),
    right: host.locator('.lists .list').nth(1),
    canvas: host.locator('.stage canvas[role=application]'),
    status: host.locator('[role=status]').first(),
    /** @param {string} label */
    tool: (label) => host.getByRole('button', { name: label, exact: true }),
  };
}

/** On a phone, all tools but undo are behind one button. @param {Page} page @param {string} [element] */
export async function openTools(page, element) {
  const fold = parts(page, element).tool('Paint, erase and other tools');
  if (await fold.isVisible() && (await fold.getAttribute('aria-expanded')) === 'false') await fold.click();
}

/** The rare tools are behind one button. @param {Page} page @param {string} [element] */
export async function unfoldTools(page, element) {
  await openTools(page, element);
  const ui = parts(page, element);
  if (!(await ui.tool('Invert').isVisible())) await ui.tool('More tools').click();
}

/** Both lists side by side, or one at a time. @param {Page} page @param {boolean} on */
export async function compare(page, on) {
  const compared = parts(page).host.getByRole('switch', { name: 'Compare' });
  if ((await compared.getAttribute('aria-checked')) !== String(on)) await compared.click();
  await settled(page);
}

/**
 * The ids of a list, best first.
 * @param {Locator} list
 * @returns {Promise<string[]>}
 */
export function idsOf(list) {
  return list.locator('.card:not(.ghost)').evaluateAll((cards) => cards.map((card) => /** @type {HTMLElement} */ (card).dataset.id ?? ''));
}

/**
 * Through the file chooser, as a shopper does it.
 * @param {Page} page
 * @param {{name: string, mimeType: string, buffer: Buffer}} file
 * @param {string|RegExp} [button]
 */
export async function choose(page, file, button = 'Choose a photo') {
  const chooser = page.waitForEvent('filechooser');
  await page.getByRole('button', { name: button }).first().click();
  await (await chooser).setFiles(file);
}

/** @param {Buffer} buffer @param {string} [name] */
export function jpeg(buffer, name = 'photo.jpg') {
  return { name, mimeType: 'image/jpeg', buffer };
}

/** Waits until the results are those of the last thing that was asked. @param {Page} page @param {string} [element] */
export async function settled(page, element = 'look-alike') {
  await page.waitForFunction((selector) => {
    const app = document.querySelector(selector)?.shadowRoot?.querySelector('.app');
    return app && app.getAttribute('aria-busy') === 'false' && app.querySelector('.lists .card:not(.ghost)');
  }, element, { timeout: 30_000 });
}

/**
 * A picture file made by a canvas, in a blank page, since ours forbids the eval that this needs.
 * @param {BrowserContext} context
 * @param {{width: number, height: number, type?: string, quality?: number, images?: Buffer[]}} options
 * @param {string} code body of (context, width, height, images)
 */
export async function draw(context, { width, height, type = 'image/jpeg', quality = 0.92, images = [] }, code) {
  const page = await context.newPage();
  const base64 = await page.evaluate(async ([w, h, mime, q, sources, body]) => {
    const canvas = new OffscreenCanvas(/** @type {number} */ (w), /** @type {number} */ (h));
    const pictures = await Promise.all(/** @type {string[]} */ (sources).map(async (source) =>
      createImageBitmap(new Blob([Uint8Array.from(atob(source), (c) => c.charCodeAt(0))]))));
    new Function('context', 'width', 'height', 'images', /** @type {string} */ (body))(canvas.getContext('2d'), w, h, pictures);
    const bytes = new Uint8Array(await (await canvas.convertToBlob({ type: /** @type {string} */ (mime), quality: /** @type {number} */ (q) })).arrayBuffer());
    let text = '';
    for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
    return btoa(text);
  }, /** @type {const} */ ([width, height, type, quality, images.map((image) => image.toString('base64')), code]));
  await page.close();
  return Buffer.from(base64, 'base64');
}

/**
 * Drops or pastes a file on the element, with the events that the browser would send.
 * @param {Page} page
 * @param {"drop"|"paste"} how
 * @param {{buffer: Buffer, name: string, mimeType: string}|{text: string}} what
 * @param {string} [element]
 */
export async function hand(page, how, what, element = 'look-alike') {
  const data = 'buffer' in what
    ? { base64: what.buffer.toString('base64'), name: what.name, type: what.mimeType }
    : { text: what.text };
  await page.evaluate(([kind, given, selector]) => {
    const transfer = new DataTransfer();
    if (given.base64 !== undefined) {
      const bytes = Uint8Array.from(atob(given.base64), (c) => c.charCodeAt(0));
      transfer.items.add(new File([bytes], given.name, { type: given.type }));
    } else {
      transfer.setData('text/plain', given.text);
    }
    const target = /** @type {Element} */ (document.querySelector(selector));
    if (kind === 'drop') {
      target.dispatchEvent(new DragEvent('dragover', { dataTransfer: transfer, bubbles: true, cancelable: true }));
      target.dispatchEvent(new DragEvent('drop', { dataTransfer: transfer, bubbles: true, cancelable: true }));
    } else {
      document.body.dispatchEvent(new ClipboardEvent('paste', { clipboardData: transfer, bubbles: true, cancelable: true }));
    }
  }, /** @type {[string, any, string]} */ ([how, data, element]));
}

/**
 * Listens for one event of an element from now on; what comes back waits for its detail.
 * @param {Page} page
 * @param {string} name
 * @param {string} [element]
 * @returns {Promise<() => Promise<any>>}
 */
export async function once(page, name, element = 'look-alike') {
  const heard = await page.evaluateHandle(([event, selector]) => {
    const box = /** @type {{detail: Promise<unknown>}} */ ({});
    box.detail = new Promise((resolve) => {
      document.querySelector(selector)?.addEventListener(event, (each) => resolve(/** @type {CustomEvent} */ (each).detail), { once: true });
    });
    return box;
  }, /** @type {const} */ ([name, element]));
  return () => heard.evaluate((box) => box.detail);
}
