/** The element in other people's pages: policies, origins, several at once, its events and attributes. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { ROOT, STRICT_CSP, missing, serve } from './server.mjs';
import { choose, facade, hand, idsOf, jpeg, launch, newContext, parts, problemsOf, products, settled, thumbOf } from './harness.mjs';

const BUDGET = 10 * 1024;

describe('the facade', () => {
  test('has at most 10 KB brotli with all that it imports', () => {
    const { files, bytes } = facade();
    assert.ok(bytes <= BUDGET, `${bytes} bytes in ${files.join(', ')}`);
  });

  test('can be imported where there is no DOM', async () => {
    const { LookAlike } = await import('../../www/element.js');
    assert.equal(typeof LookAlike, 'function');
    assert.equal(Reflect.get(globalThis, 'customElements'), undefined);
  });
});

describe('the element', { skip: missing() ?? false, timeout: 240_000 }, () => {
  /** @type {Awaited<ReturnType<typeof serve>>} */
  let server;
  /** @type {import('playwright-core').Browser} */
  let browser;
  /** @type {import('playwright-core').BrowserContext} */
  let context;
  /** @type {import('playwright-core').Page} */
  let page;
  /** @type {string[]} */
  let problems;

  const blank = (/** @type {string} */ body) => `<!doctype html><html lang="en"><meta charset="utf-8"><title>t</title><script type="module" src="/www/element.js"></script><main><h1>t</h1>${body}</main></html>`;
  const some = () => products()[7];

  before(async () => {
    server = await serve({
      csp: STRICT_CSP,
      pages: {
        '/lazy': blank('<div><look-alike manifest="/catalog/manifest.json"></look-alike></div>'),
        '/eager': blank('<look-alike manifest="/catalog/manifest.json" loading="eager" k="5"></look-alike>'),
        '/product': blank(`<look-alike manifest="/catalog/manifest.json" product-id="${some()?.id}" k="6"></look-alike>`),
        '/far': blank(`${'<p>far down</p>'.repeat(200)}<look-alike manifest="/catalog/manifest.json" loading="visible"></look-alike>`),
        '/none': blank('<look-alike loading="eager"></look-alike>'),
        '/twice': blank('<script type="module" src="/www/element.js?again"></script><look-alike manifest="/catalog/manifest.json"></look-alike>'),
        '/rtl': blank('<div dir="rtl"><look-alike manifest="/catalog/manifest.json" loading="eager" browse></look-alike></div>'),
      },
    });
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });
  beforeEach(async () => {
    server.forget();
    context = await newContext(browser);
    page = await context.newPage();
    problems = problemsOf(page);
  });
  afterEach(() => context.close());

  const paths = () => server.log().map(({ path }) => path);

  test('loads nothing but the facade until someone means to use it', async () => {
    await page.goto(`${server.origin}/lazy`);
    await page.waitForTimeout(400);
    assert.deepEqual(paths().filter((path) => !/favicon/.test(path)).sort(), ['/lazy', '/www/dom.js', '/www/element.js', '/www/sheets.js', '/www/words.js']);
    await page.locator('look-alike').hover();
    await page.waitForFunction(() => document.querySelector('look-alike')?.shadowRoot?.querySelector('.app'));
    await page.waitForTimeout(200);
    assert.ok(paths().some((path) => path.endsWith('.wasm')));
  });

  test('the keyboard means it too, and a chosen file is searched', async () => {
    await page.goto(`${server.origin}/lazy`);
    await choose(page, jpeg(thumbOf(some())));
    await settled(page);
    assert.equal((await idsOf(parts(page).left))[0], some().id);
    assert.deepEqual(problems, []);
  });

  test('a file dropped on the facade is searched', async () => {
    await page.goto(`${server.origin}/lazy`);
    await hand(page, 'drop', jpeg(thumbOf(some())));
    await settled(page);
    assert.equal((await idsOf(parts(page).left))[0], some().id);
    assert.deepEqual(problems, []);
  });

  test('"visible" waits until it is scrolled near', async () => {
    await page.goto(`${server.origin}/far`);
    await page.waitForTimeout(400);
    assert.ok(!paths().some((path) => /widget|worker|pkg|manifest/.test(path)));
    await page.locator('look-alike').scrollIntoViewIfNeeded();
    await page.waitForFunction(() => document.querySelector('look-alike')?.shadowRoot?.querySelector('.app'));
  });

  test('with product-id it lists what is similar, and downloads no network', async () => {
    await page.goto(`${server.origin}/product`);
    await settled(page);
    const ids = await idsOf(parts(page).left);
    assert.equal(ids.length, 6);
    assert.ok(!ids.includes(some().id), 'the product itself is not similar to itself');
    await page.waitForTimeout(300);
    assert.ok(!paths().some((path) => /\/model-/.test(path)), 'no network');
    assert.deepEqual(problems, []);
    const [, other] = products();
    await page.evaluate((id) => { /** @type {any} */ (document.querySelector('look-alike')).productId = id; }, other.id);
    await page.waitForFunction((old) => document.querySelector('look-alike')?.shadowRoot?.querySelector('.lists .card')?.getAttribute('data-id') !== old, ids[0]);
    await settled(page);
    assert.ok(!paths().some((path) => /\/model-/.test(path)));
    // A photo is still welcome.
    await hand(page, 'drop', jpeg(thumbOf(some())));
    await page.waitForFunction((id) => document.querySelector('look-alike')?.shadowRoot?.querySelector('.lists .card')?.getAttribute('data-id') === id, some().id);
    assert.ok(paths().some((path) => /\/model-/.test(path)));
  });

  test('a product-id that is not there', async () => {
    await page.goto(`${server.origin}/lazy`);
    await page.evaluate(() => document.querySelector('look-alike')?.setAttribute('product-id', 'nothing'));
    await parts(page).message.filter({ hasText: /does not fit the catalogue/i }).waitFor();
  });

  test('no manifest at all', async () => {
    await page.goto(`${server.origin}/none`);
    await parts(page).message.filter({ hasText: /no manifest attribute/i }).waitFor();
  });

  test('defined twice, it is defined once', async () => {
    await page.goto(`${server.origin}/twice`);
    await page.waitForTimeout(200);
    assert.deepEqual(problems, []);
    assert.ok(await page.locator('look-alike').getByRole('button', { name: 'Choose a photo' }).isVisible());
  });

  test('adds no names to the page', async () => {
    await page.addInitScript(() => addEventListener('DOMContentLoaded', () => Reflect.set(document, 'before', Object.keys(globalThis).length)));
    await page.goto(`${server.origin}/eager`);
    await hand(page, 'drop', jpeg(thumbOf(some())));
    await settled(page);
    assert.equal(await page.evaluate(() => Object.keys(globalThis).length - Reflect.get(document, 'before')), 0);
  });

  test('events: ready, progress, photochange, results, select; the last two can be cancelled', async () => {
    await page.goto(`${server.origin}/lazy`);
    await page.evaluate(() => {
      const seen = /** @type {string[]} */ ([]);
      Reflect.set(document, 'seen', seen);
      for (const name of ['ready', 'progress', 'photochange', 'results', 'select', 'error']) {
        // Heard outside of the element and of its parent.
        document.addEventListener(name, (event) => {
          if (!(event instanceof CustomEvent)) return;
          seen.push(name);
          if (name === 'select') event.preventDefault();
        });
      }
    });
    await hand(page, 'drop', jpeg(thumbOf(some())));
    await settled(page);
    await parts(page).left.locator('.tile').first().click();
    const seen = await page.evaluate(() => Reflect.get(document, 'seen'));
    for (const name of ['ready', 'progress', 'photochange', 'results', 'select']) assert.ok(seen.includes(name), name);
    assert.ok(!seen.includes('error'));
    assert.equal(await page.locator('look-alike').locator('dialog[open]').count(), 0, 'select was cancelled');

    await page.evaluate(() => {
      document.addEventListener('error', (event) => {
        if (!(event instanceof CustomEvent)) return;
        Reflect.set(document, 'failed', event.detail.kind);
        event.preventDefault();
      });
    });
    await hand(page, 'drop', jpeg(Buffer.from('no')));
    await page.waitForFunction(() => Reflect.get(document, 'failed'));
    assert.equal(await page.evaluate(() => Reflect.get(document, 'failed')), 'bad-picture');
    assert.ok(await parts(page).message.isHidden(), 'error was cancelled');

    await page.evaluate(() => document.addEventListener('results', (event) => event.preventDefault()));
    const before = await idsOf(parts(page).left);
    await hand(page, 'drop', jpeg(thumbOf(products()[150])));
    await page.waitForFunction((id) => /** @type {any} */ (document.querySelector('look-alike')).results.whole?.hits[0].id === id, products()[150].id);
    assert.deepEqual(await idsOf(parts(page).left), before, 'results were cancelled');
  });

  test('attributes and properties mirror each other; a value set before the definition counts', async () => {
    await page.goto(`${server.origin}/lazy`);
    const mirrored = await page.evaluate(() => {
      const element = /** @type {any} */ (document.createElement('look-alike'));
      element.k = 7;
      element.productId = 'x';
      element.loading = 'visible';
      element.intent = 'only';
      element.compact = true;
      const wrote = [element.getAttribute('k'), element.getAttribute('product-id'), element.getAttribute('loading'), element.getAttribute('intent'), element.hasAttribute('compact')];
      element.setAttribute('k', '0');
      element.removeAttribute('product-id');
      element.setAttribute('loading', 'nonsense');
      return [...wrote, element.k, element.productId, element.loading];
    });
    assert.deepEqual(mirrored, ['7', 'x', 'visible', 'only', true, 20, null, 'lazy']);

    await page.goto(`${server.origin}/eager`);
    await hand(page, 'drop', jpeg(thumbOf(some())));
    await settled(page);
    assert.equal((await idsOf(parts(page).left)).length, 5);
    await page.evaluate(() => { /** @type {any} */ (document.querySelector('look-alike')).k = 9; });
    await page.waitForFunction(() => document.querySelector('look-alike')?.shadowRoot?.querySelectorAll('.lists .card:not(.ghost)').length === 9);
  });

  test('words can be replaced, before and after', async () => {
    await page.goto(`${server.origin}/lazy`);
    await page.evaluate(() => { /** @type {any} */ (document.querySelector('look-alike')).labels = { choose: 'Foto wählen' }; });
    await choose(page, jpeg(thumbOf(some())), 'Foto wählen');
    await settled(page);
    await page.evaluate(() => { /** @type {any} */ (document.querySelector('look-alike')).labels = { similar: 'Ähnliche Produkte', brush: 'Pinsel' }; });
    await page.locator('look-alike').getByRole('heading', { name: 'Ähnliche Produkte' }).waitFor();
    await page.locator('look-alike').getByRole('button', { name: 'Pinsel' }).waitFor();
    await settled(page);
    assert.equal((await idsOf(parts(page).left))[0], some().id);
  });

  test('right to left, the photo is on the right and nothing overflows', async () => {
    await page.setViewportSize({ width: 1200, height: 800 });
    await page.goto(`${server.origin}/rtl`);
    await hand(page, 'drop', jpeg(thumbOf(some())));
    await settled(page);
    const canvas = await parts(page).canvas.boundingBox();
    const list = await parts(page).left.boundingBox();
    assert.ok(canvas && list && canvas.x > list.x);
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
  });

  test('moved in the page it goes on; removed it lets go of the worker', async () => {
    await page.goto(`${server.origin}/eager`);
    await hand(page, 'drop', jpeg(thumbOf(some())));
    await settled(page);
    await page.evaluate(() => document.querySelector('main')?.prepend(/** @type {Element} */ (document.querySelector('look-alike'))));
    await hand(page, 'drop', jpeg(thumbOf(products()[150])));
    await page.waitForFunction((id) => document.querySelector('look-alike')?.shadowRoot?.querySelector('.lists .card')?.getAttribute('data-id') === id, products()[150].id);
    assert.equal(page.workers().length, 1);
    await page.evaluate(() => document.querySelector('look-alike')?.remove());
    for (let i = 0; i < 50 && page.workers().length > 0; i++) await page.waitForTimeout(200);
    assert.equal(page.workers().length, 0);
    assert.deepEqual(problems, []);
  });

  test('moved into the document of a frame and back, it keeps its looks, its photo and its listeners', async () => {
    await page.goto(`${server.origin}/eager`);
    await hand(page, 'drop', jpeg(thumbOf(some())));
    await settled(page);
    const found = await idsOf(parts(page).left);
    const looks = () => page.evaluate(() => {
      const own = Reflect.get(globalThis, 'moved') ?? document.querySelector('look-alike');
      Reflect.set(globalThis, 'moved', own);
      const view = own.ownerDocument.defaultView;
      const root = own.shadowRoot;
      return {
        sheets: root.adoptedStyleSheets.length,
        host: view.getComputedStyle(own).display,
        grid: view.getComputedStyle(root.querySelector('.list .grid') ?? root.querySelector('.app')).display,
        photo: Number(root.querySelector('.stage canvas').width) > 0,
      };
    });
    const before = await looks();
    assert.equal(before.sheets, 2);
    /** What is pasted in the page, while nothing has the focus, is taken where it asks for that. @param {Buffer} picture */
    const paste = (picture) => page.evaluate((base64) => {
      const { ownerDocument } = Reflect.get(globalThis, 'moved');
      const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
      const data = new DataTransfer();
      data.items.add(new File([bytes], 'p.jpg', { type: 'image/jpeg' }));
      ownerDocument.body.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true, composed: true }));
    }, picture.toString('base64'));
    const shows = (/** @type {string} */ id) => page.waitForFunction((id) => Reflect.get(globalThis, 'moved').shadowRoot.querySelector('.lists .card')?.getAttribute('data-id') === id, id);

    await page.evaluate(() => {
      const frame = document.createElement('iframe');
      frame.width = '900';
      frame.height = '700';
      document.querySelector('main')?.append(frame);
      frame.contentDocument?.body.append(Reflect.get(globalThis, 'moved'));
      Reflect.get(globalThis, 'moved').paste = 'page';
    });
    assert.deepEqual(await looks(), before);
    assert.deepEqual(await page.evaluate(() => Reflect.get(globalThis, 'moved').results.whole.hits.map((/** @type {any} */ hit) => hit.id)), found);
    await paste(thumbOf(products()[150]));
    await shows(products()[150].id);

    await page.evaluate(() => document.querySelector('main')?.prepend(Reflect.get(globalThis, 'moved')));
    assert.deepEqual(await looks(), before);
    await paste(thumbOf(some()));
    await shows(some().id);
    assert.equal(page.workers().length, 1);
    assert.deepEqual(problems, []);
  });

  test('taken out while it loads, it leaves nothing running; put back, it loads', async () => {
    server.fail({ path: /manifest\.json/, delay: 1500, times: 1 });
    await page.goto(`${server.origin}/eager`);
    await page.waitForFunction(() => document.querySelector('look-alike')?.shadowRoot?.querySelector('.app'));
    await page.evaluate(() => {
      const element = /** @type {Element} */ (document.querySelector('look-alike'));
      Object.assign(globalThis, { kept: element });
      element.remove();
    });
    for (let i = 0; i < 60 && page.workers().length > 0; i++) await page.waitForTimeout(200);
    assert.equal(page.workers().length, 0);
    await page.evaluate(() => document.querySelector('main')?.append(Reflect.get(globalThis, 'kept')));
    await hand(page, 'drop', jpeg(thumbOf(some())));
    await settled(page);
    assert.equal((await idsOf(parts(page).left))[0], some().id);
    assert.ok(await parts(page).message.isHidden());
    assert.deepEqual(problems, []);
  });

  test('put back after its worker has gone, photo and paint are as they were and can be searched', async () => {
    await page.goto(`${server.origin}/eager`);
    await hand(page, 'drop', jpeg(thumbOf(some())));
    await settled(page);
    const ui = parts(page);
    await ui.canvas.focus();
    for (const key of ['r', 'Enter', 'Shift+ArrowRight', 'Shift+ArrowRight', 'Shift+ArrowDown', 'Shift+ArrowDown', 'Enter']) await page.keyboard.press(key);
    await ui.right.locator('.card:not(.ghost)').first().waitFor();
    await settled(page);
    const [paint, found] = [await ui.canvas.getAttribute('data-painted'), await idsOf(ui.right)];
    await page.evaluate(() => {
      const element = /** @type {Element} */ (document.querySelector('look-alike'));
      Object.assign(globalThis, { kept: element });
      element.remove();
    });
    for (let i = 0; i < 60 && page.workers().length > 0; i++) await page.waitForTimeout(200);
    assert.equal(page.workers().length, 0);
    await page.evaluate(() => document.querySelector('main')?.append(Reflect.get(globalThis, 'kept')));
    assert.equal(await ui.canvas.getAttribute('data-painted'), paint);
    // Something that was not asked before, and then the same as before.
    await page.evaluate(() => document.querySelector('look-alike')?.setAttribute('k', '4'));
    await page.waitForFunction(() => document.querySelector('look-alike')?.shadowRoot?.querySelectorAll('.lists .list:nth-child(2) .card:not(.ghost)').length === 4);
    assert.deepEqual(await idsOf(ui.right), found.slice(0, 4));
    assert.ok(await ui.message.isHidden());
    assert.deepEqual(problems, []);
  });

  test('attributes that change while it loads count', async () => {
    server.fail({ path: /manifest\.json/, delay: 800, times: 1 });
    await page.goto(`${server.origin}/eager`);
    await page.waitForFunction(() => document.querySelector('look-alike')?.shadowRoot?.querySelector('.app'));
    await hand(page, 'drop', jpeg(thumbOf(some())));
    await page.evaluate(() => {
      const element = /** @type {any} */ (document.querySelector('look-alike'));
      element.k = 7;
      element.intent = 'only';
    });
    await page.waitForFunction(() => document.querySelector('look-alike')?.shadowRoot?.querySelectorAll('.lists .card:not(.ghost)').length === 7);
    await settled(page);
    assert.ok(await parts(page).host.getByRole('radio', { name: 'Only this' }).isChecked());
    assert.deepEqual(problems, []);
  });

  test('custom properties and parts style it, before and after it has loaded', async () => {
    await page.goto(`${server.origin}/lazy`);
    await page.evaluate(() => {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync('look-alike { --look-alike-accent: rgb(1, 2, 3); } look-alike::part(choose) { letter-spacing: 5px; } look-alike::part(name) { font-style: italic; }');
      document.adoptedStyleSheets = [sheet];
    });
    const choosing = parts(page).host.getByRole('button', { name: 'Choose a photo' });
    const look = () => choosing.evaluate((button) => {
      const { backgroundColor, letterSpacing } = getComputedStyle(button);
      return [backgroundColor, letterSpacing];
    });
    assert.deepEqual(await look(), ['rgb(1, 2, 3)', '5px']);
    await page.evaluate(() => /** @type {any} */ (document.querySelector('look-alike')).load());
    assert.deepEqual(await look(), ['rgb(1, 2, 3)', '5px']);
    await hand(page, 'drop', jpeg(thumbOf(some())));
    await settled(page);
    assert.equal(await parts(page).left.locator('.name').first().evaluate((name) => getComputedStyle(name).fontStyle), 'italic');
  });

  test('when the worker dies, what waits is rejected in words and the photo is not lost', async () => {
    await page.goto(`${server.origin}/eager`);
    await hand(page, 'drop', jpeg(thumbOf(some())));
    await settled(page);
    await page.workers()[0].evaluate(() => { setTimeout(() => { throw new Error('gone'); }); }).catch(() => {});
    await parts(page).message.filter({ hasText: /search stopped/i }).waitFor();
    await parts(page).message.getByRole('button', { name: 'Try again' }).click();
    await settled(page);
    await page.waitForFunction(() => /** @type {HTMLElement} */ (document.querySelector('look-alike')?.shadowRoot?.querySelector('.message')).hidden);
    assert.equal((await idsOf(parts(page).left))[0], some().id);
  });
});

describe('the examples', { skip: missing() ?? false, timeout: 240_000 }, () => {
  /** @type {Awaited<ReturnType<typeof serve>>} */
  let server;
  /** @type {Awaited<ReturnType<typeof serve>>} */
  let files;
  /** @type {import('playwright-core').Browser} */
  let browser;
  /** @type {import('playwright-core').BrowserContext} */
  let context;

  const some = () => products()[7];
  const example = (/** @type {string} */ name) => readFileSync(`${ROOT}examples/${name}.html`, 'utf8');

  before(async () => {
    files = await serve({ cors: true });
    const other = new URL(files.origin);
    other.hostname = 'localhost';
    const host = other.origin;
    server = await serve({
      pages: {
        '/shop/other.html': example('other-origin').replaceAll('https://files.example', host).replace('shop.css', '/examples/shop.css'),
        '/shop/product.html': example('product-page').replaceAll('BlendSwap-CC-0-armchair', some()?.id ?? '').replaceAll('../', '/').replace('shop.css', '/examples/shop.css'),
      },
    });
    browser = await launch();
    context = await newContext(browser);
  });
  after(async () => {
    await browser?.close();
    await server?.close();
    await files?.close();
  });

  test('a product page', async () => {
    const page = await context.newPage();
    const problems = problemsOf(page);
    await page.goto(`${server.origin}/shop/product.html`);
    await settled(page);
    assert.equal((await idsOf(parts(page).left)).length, 8);
    assert.deepEqual(problems, []);
    await page.close();
  });

  test('a strict policy', async () => {
    const page = await context.newPage();
    const problems = problemsOf(page);
    await page.goto(`${server.origin}/examples/strict-csp.html`);
    await hand(page, 'drop', jpeg(thumbOf(some())));
    await settled(page);
    assert.equal((await idsOf(parts(page).left))[0], some().id);
    assert.deepEqual(problems, []);
    await page.close();
  });

  test('files from another origin', async () => {
    const page = await context.newPage();
    const problems = problemsOf(page);
    files.forget();
    await page.goto(`${server.origin}/shop/other.html`);
    await hand(page, 'drop', jpeg(thumbOf(some())));
    await settled(page);
    assert.equal((await idsOf(parts(page).left))[0], some().id);
    assert.ok(files.log().every(({ method, bytes, search }) => method === 'GET' && bytes === 0 && search === ''));
    assert.deepEqual(problems, []);
    await page.close();
  });

  test('two elements share one worker and one network, each with a photo of its own', async () => {
    const page = await context.newPage();
    const problems = problemsOf(page);
    server.forget();
    await page.goto(`${server.origin}/examples/two-elements.html`);
    const [a, b] = [products()[7], products()[150]];
    await hand(page, 'drop', jpeg(thumbOf(a)), '#first');
    await settled(page, '#first');
    await hand(page, 'drop', jpeg(thumbOf(b)), '#second');
    await settled(page, '#second');
    assert.equal(page.workers().length, 1);
    assert.equal((await idsOf(parts(page, '#first').left))[0], a.id);
    assert.equal((await idsOf(parts(page, '#second').left))[0], b.id);
    // Back to the first: its photo is still its own.
    await page.evaluate(() => { /** @type {any} */ (document.querySelector('#first')).k = 4; });
    await page.waitForFunction(() => document.querySelector('#first')?.shadowRoot?.querySelectorAll('.lists .card:not(.ghost)').length === 4);
    assert.equal((await idsOf(parts(page, '#first').left))[0], a.id);
    const networks = server.log().filter(({ path }) => /\/model-/.test(path)).map(({ path }) => path);
    assert.equal(new Set(networks).size, networks.length);
    assert.deepEqual(problems, []);
    await page.close();
  });
});
