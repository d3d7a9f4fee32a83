/**
 * The page in Firefox and in WebKit, where Debian's `firefox-esr` and `webkit2gtk-driver` with `xvfb` are installed:
 * it loads, a photo gives results, a mask changes them. Everything else is tested in Chromium.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { after, before, describe, test } from 'node:test';
import puppeteer from 'puppeteer-core';
import { products, thumbOf } from './harness.mjs';
import { missing, serve } from './server.mjs';

/**
 * @typedef {object} Driver
 * @property {string} version
 * @property {(url: string) => Promise<unknown>} open
 * @property {(work: (given: any) => any, given?: unknown) => Promise<any>} run in the page
 * @property {() => Promise<void>} close
 */

const FIREFOX = process.env.FIREFOX ?? '/usr/bin/firefox-esr';
const WEBKIT = ['/usr/bin/WebKitWebDriver', '/usr/bin/Xvfb'];
/** Where the package puts the browser itself. */
const MINI_BROWSERS = ['x86_64', 'aarch64'].flatMap((cpu) => ['4.1', '4.0', '6.0'].map((api) => `/usr/lib/${cpu}-linux-gnu/webkit${api === '6.0' ? '' : '2'}gtk-${api}/MiniBrowser`));
const miniBrowser = MINI_BROWSERS.find((path) => existsSync(path));

/** @returns {Promise<Driver>} */
async function firefox() {
  const browser = await puppeteer.launch({ browser: 'firefox', executablePath: FIREFOX, headless: true });
  const page = await browser.newPage();
  await page.setViewport({ width: 1280, height: 900 });
  return {
    version: await browser.version(),
    open: (url) => page.goto(url),
    run: (work, given) => page.evaluate(work, given),
    close: () => browser.close(),
  };
}

/** Three calls of the W3C's WebDriver are all that this needs. @returns {Promise<Driver>} */
async function webkit() {
  const port = await freePort();
  const display = `:${90 + (port % 900)}`;
  const screen = spawn('/usr/bin/Xvfb', [display, '-screen', '0', '1400x1000x24', '-nolisten', 'tcp'], { stdio: 'ignore' });
  // The browser's own sandbox needs rights that a container does not give; the page is ours.
  const env = { ...process.env, DISPLAY: display, WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: '1' };
  const driver = spawn('/usr/bin/WebKitWebDriver', [`--port=${port}`], { stdio: 'ignore', env });
  const stop = async () => {
    driver.kill();
    screen.kill();
  };
  const call = async (/** @type {string} */ method, /** @type {string} */ path, /** @type {object} */ body) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { method, ...(body && { body: JSON.stringify(body) }) });
    const { value } = /** @type {any} */ (await response.json());
    if (!response.ok) throw new Error(`${value.error}: ${value.message}`);
    return value;
  };
  const capabilities = { alwaysMatch: { browserName: 'MiniBrowser', 'webkitgtk:browserOptions': { binary: miniBrowser, args: ['--automation'] } } };
  let session;
  for (let tries = 0; !session; tries++) {
    try {
      session = await call('POST', '/session', { capabilities });
    } catch (thrown) {
      if (tries === 20) {
        await stop();
        throw thrown;
      }
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
  const at = `/session/${session.sessionId}`;
  await call('POST', `${at}/timeouts`, { script: 90_000 });
  return {
    version: `WebKitGTK ${session.capabilities.browserVersion}`,
    open: (url) => call('POST', `${at}/url`, { url }),
    run: async (work, given) => {
      const script = `const [given, done] = arguments; Promise.resolve((${work})(given)).then((value) => done({ value }), (thrown) => done({ thrown: String(thrown) }));`;
      const { value, thrown } = await call('POST', `${at}/execute/async`, { script, args: [given ?? null] });
      if (thrown) throw new Error(thrown);
      return value;
    },
    close: async () => {
      await call('DELETE', at, {}).catch(() => {});
      await stop();
    },
  };
}

/** @returns {Promise<number>} */
function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
      server.close(() => resolve(port));
    });
  });
}

/** Runs in the page: drops a picture and gives the ids of its results. @param {{base64: string}} given */
async function dropped({ base64 }) {
  await customElements.whenDefined('look-alike');
  const element = /** @type {any} */ (document.querySelector('look-alike'));
  const done = new Promise((resolve, reject) => {
    element.addEventListener('error', (/** @type {CustomEvent} */ event) => reject(new Error(`${event.detail.kind}: ${event.detail.message}`)), { once: true });
    element.addEventListener('results', (/** @type {CustomEvent} */ event) => event.detail.whole && resolve(event.detail.whole.hits.map((/** @type {any} */ hit) => hit.id)));
  });
  const data = new DataTransfer();
  data.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], 'photo.jpg', { type: 'image/jpeg' }));
  element.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }));
  return done;
}

/** Runs in the page: paints over the right half, and gives the ids of what is found without it, as shown. */
async function painted() {
  const element = /** @type {any} */ (document.querySelector('look-alike'));
  const done = new Promise((resolve) => {
    element.addEventListener('results', (/** @type {CustomEvent} */ event) => event.detail.masked && resolve(undefined));
  });
  const canvas = element.shadowRoot.querySelector('.stage canvas[role=application]');
  const box = canvas.getBoundingClientRect();
  canvas.dispatchEvent(new KeyboardEvent('keydown', { key: 'r', bubbles: true }));
  const at = (/** @type {string} */ type, /** @type {number} */ x, /** @type {number} */ y) => canvas.dispatchEvent(new PointerEvent(type, {
    pointerId: 1, pointerType: 'mouse', isPrimary: true, bubbles: true, clientX: box.left + x * box.width, clientY: box.top + y * box.height,
    button: type === 'pointermove' ? -1 : 0, buttons: type === 'pointerup' ? 0 : 1,
  }));
  at('pointerdown', 0.55, 0.05);
  for (let i = 1; i <= 5; i++) at('pointermove', 0.55 + i * 0.08, 0.05 + i * 0.18);
  at('pointerup', 0.95, 0.95);
  await done;
  await new Promise((resolve) => requestAnimationFrame(() => resolve(undefined)));
  const ids = (/** @type {number} */ list) => [...element.shadowRoot.querySelectorAll('.lists .list')[list].querySelectorAll('.card:not(.ghost)')].map((card) => card.dataset.id);
  return { whole: ids(0), masked: ids(1), share: Number(canvas.dataset.painted) };
}

/** @type {[string, () => Promise<Driver>, string|null][]} */
const browsers = [
  ['Firefox', firefox, existsSync(FIREFOX) ? null : `${FIREFOX} is not here; apt-get install firefox-esr`],
  ['WebKit', webkit, miniBrowser && WEBKIT.every((path) => existsSync(path)) ? null : 'WebKit is not here; apt-get install webkit2gtk-driver xvfb'],
];

for (const [name, start, absent] of browsers) {
  describe(name, { skip: missing() ?? absent ?? false, timeout: 600_000 }, () => {
    /** @type {Awaited<ReturnType<typeof serve>>} */
    let server;
    /** @type {Driver} */
    let browser;

    before(async () => {
      server = await serve();
      browser = await start();
    });
    after(async () => {
      await browser?.close();
      await server?.close();
    });

    test('the page loads, a photo gives results, a mask changes them', async (t) => {
      t.diagnostic(browser.version);
      await browser.open(server.origin);
      const product = products()[7];
      const ids = await browser.run(dropped, { base64: thumbOf(product).toString('base64') });
      assert.equal(ids.length, 20);
      assert.equal(ids[0], product.id);
      const { whole, masked, share } = await browser.run(painted);
      assert.deepEqual(whole, ids);
      assert.equal(masked.length, 20);
      assert.notDeepEqual(masked, whole);
      assert.ok(share > 10, `${share} % painted`);
    });
  });
}
