/** Downloads: progress, faults on the line, damaged files, the second visit. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { fileOf, hosted, missing, serve } from './server.mjs';
import { hand, idsOf, jpeg, launch, newContext, parts, problemsOf, products, settled, thumbOf } from './harness.mjs';

describe('loading', { skip: missing() ?? false, timeout: 240_000 }, () => {
  /** @type {Awaited<ReturnType<typeof serve>>} */
  let server;
  /** @type {import('playwright-core').Browser} */
  let browser;
  /** @type {import('playwright-core').BrowserContext} */
  let context;
  /** @type {import('playwright-core').Page} */
  let page;
  /** @type {ReturnType<typeof parts>} */
  let ui;
  /** @type {any} */
  let manifest;
  /** What is fetched of the network, packed or not. */
  const model = /\/model-\w+\.(packed|onnx|onnx\.0)$/;

  before(async () => {
    server = await serve();
    browser = await launch();
    manifest = JSON.parse(readFileSync(/** @type {string} */ (fileOf('/catalog/manifest.json')), 'utf8'));
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });
  beforeEach(async () => {
    server.heal();
    server.forget();
    context = await newContext(browser);
    page = await context.newPage();
    ui = parts(page);
  });
  afterEach(() => context.close());

  async function searches() {
    const [product] = products();
    await hand(page, 'drop', jpeg(thumbOf(product)));
    await settled(page);
    assert.equal((await idsOf(ui.left))[0], product.id);
  }

  /** Every progress event from the first on. */
  async function recordProgress() {
    await page.addInitScript(() => {
      Reflect.set(globalThis, 'seen', []);
      document.addEventListener('progress', (event) => Reflect.get(globalThis, 'seen').push(/** @type {any} */ (event).detail));
    });
    return /** @returns {Promise<{fraction: number, loaded: number, total: number, done: boolean}[]>} */ () => page.evaluate(() => Reflect.get(globalThis, 'seen'));
  }

  test('progress rises from 0 to 1, counts the bytes of the manifest, and never goes back', async () => {
    const seen = await recordProgress();
    server.fail({ path: model, drop: 100_000, times: 2 });
    await page.goto(server.origin);
    await page.waitForFunction(() => Reflect.get(globalThis, 'seen').some((/** @type {any} */ each) => each.total > 5e6 && each.done));
    const all = await seen();
    // The product search is ready first; then the count goes on with the network.
    const total = manifest.files.reduce((/** @type {number} */ sum, /** @type {any} */ file) => sum + (file.packed ?? file).bytes, 0);
    assert.ok(all.every(({ fraction, loaded, total: sum }) => fraction >= 0 && fraction <= 1 && loaded <= sum && sum <= total));
    const runs = all.reduce((/** @type {any[][]} */ list, each) => {
      const last = list.at(-1);
      if (!last || last.at(-1).done) list.push([each]);
      else last.push(each);
      return list;
    }, []);
    for (const run of runs) {
      for (let i = 1; i < run.length; i++) assert.ok(run[i].fraction >= run[i - 1].fraction);
      assert.equal(run.at(-1).fraction, 1);
    }
    assert.ok(await ui.host.locator('.progress').isHidden());
  });

  test('a dropped line is resumed where it was cut', async () => {
    server.fail({ path: model, drop: 200_000, times: 2 });
    await page.goto(server.origin);
    await searches();
    const asked = server.log().filter(({ path }) => model.test(path));
    assert.equal(asked.length, 3);
    assert.equal(asked[0].range, undefined);
    assert.match(asked[1].range ?? '', /^bytes=[1-9]\d*-$/);
    assert.ok(Number(asked[2].range?.match(/\d+/)?.[0]) >= Number(asked[1].range?.match(/\d+/)?.[0]));
    assert.ok(await ui.message.isHidden(), 'the shopper hears nothing of it');
  });

  test('a server without ranges is asked for the whole again', async () => {
    server.fail({ path: model, drop: 200_000, times: 1 }, { path: model, noRange: true });
    await page.goto(server.origin);
    await searches();
  });

  test('half a file for ever ends in words, and "Try again" works once the server does', async () => {
    server.fail({ path: model, truncate: 5000 });
    await page.goto(server.origin);
    await ui.message.filter({ hasText: /connection was lost/i }).waitFor({ timeout: 60_000 });
    assert.match(await ui.message.locator('.message-detail').textContent() ?? '', /model-\w+\.onnx.*5000 of \d+ bytes/);
    server.heal();
    await ui.message.getByRole('button', { name: 'Try again' }).click();
    await searches();
    assert.ok(await ui.message.isHidden());
  });

  for (const [file, words] of /** @type {[string, RegExp][]} */ ([
    ['manifest.json', /missing.*manifest\.json.*404/is],
    ['index-\\w+.(packed|bin)', /missing.*index-\w+\.bin.*404/is],
    ['products-\\w+.(packed|json)', /missing.*products-\w+\.json.*404/is],
  ])) {
    test(`404 for ${file}`, async () => {
      server.fail({ path: new RegExp(`/${file.replace('.', '\\.')}`), status: 404 });
      await page.goto(server.origin);
      await ui.message.filter({ hasText: words }).waitFor();
      server.heal();
      await ui.message.getByRole('button', { name: 'Try again' }).click();
      await searches();
    });
  }

  test('404 for the network leaves the search by product working', async () => {
    server.fail({ path: model, status: 404 });
    await page.goto(server.origin);
    await ui.message.filter({ hasText: /missing/i }).waitFor();
    await ui.host.locator('.shelf .tile').first().click();
    await settled(page);
    assert.equal((await idsOf(ui.left)).length, 20);
  });

  test('404 for the wasm', async () => {
    server.fail({ path: /_bg\.wasm$/, status: 404 });
    await page.goto(server.origin);
    await ui.message.filter({ hasText: /engine could not be loaded/i }).waitFor();
    server.heal();
    await ui.message.getByRole('button', { name: 'Try again' }).click();
    await searches();
  });

  test('404 for the worker', async () => {
    server.fail({ path: /\/worker\.js$/, status: 404 });
    await page.goto(server.origin);
    await ui.message.filter({ hasText: /missing.*worker\.js.*404/is }).waitFor();
    server.heal();
    await ui.message.getByRole('button', { name: 'Try again' }).click();
    await searches();
  });

  test('404 for the interface', async () => {
    server.fail({ path: /\/widget\.js$/, status: 404 });
    await page.goto(server.origin);
    await ui.host.getByText(/engine could not be loaded/i).waitFor();
  });

  test('a file with one wrong byte is refused by its hash', async () => {
    const bytes = Buffer.from(readFileSync(/** @type {string} */ (fileOf(hosted('index')))));
    bytes[bytes.length >> 1] ^= 1;
    server.fail({ path: /\/index-\w+\.(packed|bin)$/, body: bytes });
    await page.goto(server.origin);
    await ui.message.filter({ hasText: /damaged.*index-\w+\.bin/is }).waitFor();
    server.heal();
    await ui.message.getByRole('button', { name: 'Try again' }).click();
    await searches();
  });

  test('a file of yesterday in the HTTP cache is fetched anew', async () => {
    const stale = Buffer.from(readFileSync(/** @type {string} */ (fileOf(hosted('index')))));
    stale[stale.length >> 1] ^= 1;
    server.fail({ path: /\/index-\w+\.(packed|bin)$/, body: stale, times: 1 });
    await page.goto(server.origin);
    await searches();
    assert.ok(await ui.message.isHidden());
  });

  test('a manifest that is none', async () => {
    for (const body of ['', '{', '[]', '{"format":99}', '<!doctype html><title>Not found</title>']) {
      server.fail({ path: /manifest\.json$/, body });
      await page.goto(server.origin);
      await ui.message.waitFor();
      assert.ok((await ui.message.textContent() ?? '').length > 20);
    }
    server.fail({ path: /manifest\.json$/, body: JSON.stringify({ ...manifest, format: 1 }) });
    await page.goto(server.origin);
    await ui.message.filter({ hasText: /format 1.*build the index again/ }).waitFor();
    server.heal();
    await page.goto(server.origin);
    await searches();
  });

  test('a manifest that promises other files than there are', async () => {
    const wrong = structuredClone(manifest);
    for (const file of wrong.files) if (file.role === 'index') file.bytes -= 8;
    server.fail({ path: /manifest\.json$/, body: JSON.stringify(wrong) });
    await page.goto(server.origin);
    await ui.message.filter({ hasText: /index-\w+\.bin/ }).waitFor();
  });

  test('a second visit fetches the manifest and nothing else, even where the server has gone', async () => {
    await page.goto(server.origin);
    await searches();
    await page.close();
    server.forget();
    server.fail({ path: /\.(onnx|bin|packed)|products-\w+\.json/, status: 500 });
    page = await context.newPage();
    ui = parts(page);
    await page.goto(server.origin);
    await searches();
    const fetched = server.log().map(({ path }) => path).filter((path) => path.startsWith('/catalog/') && !path.startsWith('/catalog/thumbs/'));
    assert.deepEqual(fetched, ['/catalog/manifest.json']);
  });

  test('without a network, the last visit is enough', async () => {
    await page.goto(server.origin);
    await searches();
    await page.close();
    // Without the manifest even; only the page itself comes from the host.
    server.fail({ path: /\/catalog\/(?!thumbs)/, status: 503 }, { path: /manifest/, drop: 0 });
    page = await context.newPage();
    ui = parts(page);
    await page.route('**/manifest.json', (route) => route.abort('internetdisconnected'));
    await page.goto(server.origin);
    await searches();
  });

  test('where nothing can be stored, it works all the same and says nothing', async () => {
    await page.addInitScript(() => {
      // As in a private window of some browsers.
      Object.defineProperty(Object.getPrototypeOf(globalThis), 'caches', { get() { throw new DOMException('denied', 'SecurityError'); } });
    });
    const problems = problemsOf(page);
    await page.goto(server.origin);
    await searches();
    assert.ok(await ui.message.isHidden());
    assert.deepEqual(problems, []);
  });

  test('with no space left, it works all the same and says nothing', async () => {
    const session = await context.newCDPSession(page);
    await session.send('Storage.overrideQuotaForOrigin', { origin: server.origin, quotaSize: 1000 });
    await page.goto(server.origin);
    await searches();
    assert.ok(await ui.message.isHidden());
  });

  test('being offline is said, and being back takes it away', async () => {
    await page.goto(server.origin);
    await searches();
    await context.setOffline(true);
    await ui.host.getByText(/You are offline/).waitFor();
    const [, product] = products();
    await hand(page, 'drop', jpeg(thumbOf(product)));
    await settled(page);
    assert.ok(await ui.message.isHidden(), 'a search needs no network');
    await context.setOffline(false);
    await ui.host.getByText(/You are offline/).waitFor({ state: 'hidden' });
  });
});
