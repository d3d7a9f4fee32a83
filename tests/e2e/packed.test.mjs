/** Files as gzip, unpacked while they arrive: on every kind of host, and whatever is wrong with them. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { ROOT, fileOf, hosted, missing, serve } from './server.mjs';
import { hand, idsOf, jpeg, launch, newContext, parts, problemsOf, products, settled, thumbOf } from './harness.mjs';

/** Of one role, packed or plain. */
const INDEX = /\/index-\w+\.(packed|bin)$/;
const PACKED = /\/\w+-\w+\.packed$/;
const PLAIN = /\/(model-\w+\.onnx|index-\w+\.bin|products-\w+\.json)$/;

const absent = () => {
  const manifest = missing() ? null : JSON.parse(readFileSync(/** @type {string} */ (fileOf('/catalog/manifest.json')), 'utf8'));
  return missing() ?? (manifest.files.some((/** @type {any} */ file) => file.packed) ? false : 'the catalogue has no packed files');
};

describe('packed files', { skip: absent(), timeout: 300_000 }, () => {
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
  /** @type {string[]} */
  let problems;

  const read = (/** @type {string} */ path) => readFileSync(/** @type {string} */ (fileOf(path)));
  /** What was asked for, of a kind. @param {RegExp} kind */
  const asked = (kind) => server.log().filter(({ path }) => kind.test(path));
  const endings = (/** @type {RegExp} */ kind) => asked(kind).map(({ path }) => path.split('.').at(-1));

  before(async () => {
    server = await serve();
    browser = await launch();
    manifest = JSON.parse(read('/catalog/manifest.json').toString());
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });
  async function open() {
    page = await context.newPage();
    ui = parts(page);
    problems = problemsOf(page);
  }
  beforeEach(async () => {
    server.heal();
    server.forget();
    context = await newContext(browser);
    await open();
  });
  afterEach(() => context.close());

  /** The shopper finds what the photo shows, and hears of nothing. */
  async function searches() {
    const product = products()[5];
    await hand(page, 'drop', jpeg(thumbOf(product)));
    await settled(page);
    assert.equal((await idsOf(ui.left))[0], product.id);
    assert.ok(await ui.message.isHidden());
  }

  /** The worker begins with this. @param {string} code */
  const worker = (code) => ({ path: /\/www\/worker\.js$/, body: `${code}\n${readFileSync(`${ROOT}www/worker.js`, 'utf8')}` });

  test('are what the manifest says, and unpack to the plain ones', () => {
    for (const { role, path, packed } of manifest.files) {
      assert.match(packed.path, new RegExp(`^${role}-[0-9a-f]{16}\\.packed$`));
      const bytes = read(`/catalog/${packed.path}`);
      assert.equal(bytes.length, packed.bytes);
      assert.ok(gunzipSync(bytes).equals(read(`/catalog/${path}`)), path);
    }
  });

  test('are all that comes over the line', async () => {
    await page.goto(server.origin);
    await searches();
    assert.deepEqual(asked(PLAIN), []);
    assert.equal(asked(PACKED).length, 3);
    const sent = asked(PACKED).reduce((sum, each) => sum + each.sent, 0);
    const promised = manifest.files.reduce((/** @type {number} */ sum, /** @type {any} */ file) => sum + file.packed.bytes, 0);
    assert.ok(sent >= promised && sent < promised + 3000, `${sent} bytes, the manifest promises ${promised}`);
    assert.deepEqual(problems, []);
  });

  test('are gone on with where the line was cut, and nothing comes twice', async () => {
    const model = /\/model-\w+\.packed$/;
    server.fail({ path: model, drop: 700_000, times: 3 });
    await page.goto(server.origin);
    await searches();
    const all = asked(model);
    assert.equal(all.length, 4);
    let from = 0;
    for (const { range } of all.slice(1)) {
      const next = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1]);
      assert.ok(next > from, `${range} after ${from}`);
      from = next;
    }
    assert.deepEqual(asked(PLAIN), []);
  });

  test('start over on a server without ranges', async () => {
    server.fail({ path: PACKED, drop: 300_000, times: 1, noRange: true }, { path: PACKED, noRange: true });
    await page.goto(server.origin);
    await searches();
    assert.deepEqual(asked(PLAIN), []);
  });

  test('may be packed once more on their way', async () => {
    server.fail({ path: PACKED, encode: true, drop: 20_000, times: 3 }, { path: PACKED, encode: true });
    await page.goto(server.origin);
    await searches();
    assert.ok(asked(PACKED).every(({ range }) => range === undefined), 'what is on the line is not the file');
    assert.deepEqual(asked(PLAIN), []);
  });

  test('may be said to be packed, so that the browser unpacks them', async () => {
    server.fail({ path: PACKED, declare: true, drop: 30_000, times: 3 }, { path: PACKED, declare: true });
    await page.goto(server.origin);
    await searches();
    assert.ok(asked(PACKED).every(({ range }) => range === undefined), 'what is on the line is not what arrives');
    assert.deepEqual(asked(PLAIN), []);
  });

  test('may be unpacked on their way', async () => {
    server.fail(...manifest.files.map((/** @type {any} */ file) => ({ path: new RegExp(`/${file.packed.path}$`), body: read(`/catalog/${file.path}`) })));
    await page.goto(server.origin);
    await searches();
    assert.deepEqual(endings(/\/(model|index|products)-/), ['packed', 'packed', 'packed']);
  });

  test('may come byte by byte', async () => {
    server.fail({ path: PACKED, trickle: 12 });
    await page.goto(server.origin);
    await searches();
    assert.equal(asked(PACKED).length, 3);
    assert.deepEqual(asked(PLAIN), []);
  });

  const packed = () => read(hosted('index', true));
  /** @param {Buffer} bytes @param {number} at */
  const flipped = (bytes, at) => Buffer.from(bytes.map((byte, i) => (i === at ? byte ^ 0x10 : byte)));
  /** @type {Record<string, () => Buffer>} */
  const faults = {
    'garbage': () => Buffer.alloc(packed().length, 'no index '),
    'garbage behind a right beginning': () => Buffer.concat([packed().subarray(0, 18), Buffer.alloc(packed().length - 18, 'no index ')]),
    'one wrong byte in the middle': () => flipped(packed(), packed().length >> 1),
    'a wrong checksum': () => flipped(packed(), packed().length - 7),
    'cut short': () => packed().subarray(0, packed().length - 50_000),
    'something behind its end': () => Buffer.concat([packed(), Buffer.from('and more')]),
    'one byte too many unpacked': () => gzipSync(Buffer.concat([read(hosted('index')), Buffer.of(1)])),
    'one byte too few unpacked': () => gzipSync(read(hosted('index')).subarray(1)),
    'a page of the host': () => Buffer.from('<!doctype html><title>Not found</title>'),
    'nothing': () => Buffer.alloc(0),
  };
  for (const [what, made] of Object.entries(faults)) {
    test(`${what}: the plain file is taken; where that is wrong too, it is said`, async () => {
      server.fail({ path: /\/index-\w+\.packed$/, body: made() });
      await page.goto(server.origin);
      await searches();
      const all = endings(INDEX);
      assert.equal(all.at(-1), 'bin');
      assert.equal(all.filter((ending) => ending === 'bin').length, 1);
      assert.ok(all.length >= 3, 'it is asked for once more, past the cache');
      await context.close();

      context = await newContext(browser);
      await open();
      server.forget();
      server.fail({ path: INDEX, body: made() });
      await page.goto(server.origin);
      await ui.message.filter({ hasText: /index-\w+\.bin/ }).waitFor({ timeout: 60_000 });
      // Nothing of it was kept.
      server.heal();
      await ui.message.getByRole('button', { name: 'Try again' }).click();
      await searches();
    });
  }

  test('damaged ones of yesterday in the HTTP cache are fetched anew', async () => {
    server.fail({ path: /\/index-\w+\.packed$/, body: flipped(packed(), 100_000), times: 1 });
    await page.goto(server.origin);
    await searches();
    assert.deepEqual(endings(INDEX), ['packed', 'packed']);
  });

  test('missing ones cost one question', async () => {
    server.fail({ path: PACKED, status: 404 });
    await page.goto(server.origin);
    await searches();
    assert.equal(asked(PACKED).length, 3);
    assert.equal(asked(PLAIN).length, 3);
  });

  test('a gigabyte in a megabyte is not unpacked', async () => {
    // By the manifest's own word, so that its size gives nothing away.
    const bomb = gzipSync(Buffer.alloc(1 << 30), { level: 9 });
    const wrong = structuredClone(manifest);
    const index = wrong.files.find((/** @type {any} */ file) => file.role === 'index');
    index.packed.bytes = bomb.length;
    server.fail({ path: /manifest\.json$/, body: JSON.stringify(wrong) }, { path: /\/index-\w+\.packed$/, body: bomb });
    // Before the search, whose network needs memory of its own.
    await page.goto(server.origin);
    await ui.host.locator('.shelf .tile').first().waitFor();
    const session = await browser.newBrowserCDPSession();
    const { processInfo } = /** @type {any} */ (await session.send('SystemInfo.getProcessInfo'));
    const peaks = processInfo.filter((/** @type {any} */ each) => each.type === 'renderer').map((/** @type {any} */ each) => {
      try {
        return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${each.id}/status`, 'utf8'))?.[1] ?? 0) * 1024;
      } catch {
        return 0;
      }
    });
    assert.ok(Math.max(...peaks) < 500e6, `${Math.max(...peaks) / 1e6} MB at its peak`);
    await searches();
    assert.equal(endings(INDEX).at(-1), 'bin');
  });

  test('without DecompressionStream, the plain ones are fetched', async () => {
    server.fail(worker('delete globalThis.DecompressionStream;'));
    await page.goto(server.origin);
    await searches();
    assert.deepEqual(asked(PACKED), []);
    assert.equal(asked(PLAIN).length, 3);
    assert.deepEqual(problems, []);
  });

  test('a manifest of before, without them, goes on; what it stored serves the new one, and the other way round', async () => {
    const old = structuredClone(manifest);
    for (const file of old.files) delete file.packed;
    for (const [first, second] of [[old, manifest], [manifest, old]]) {
      await context.close();
      context = await newContext(browser);
      await open();
      server.forget();
      server.fail({ path: /manifest\.json$/, body: JSON.stringify(first) });
      await page.goto(server.origin);
      await searches();
      assert.equal(asked(first === old ? PACKED : PLAIN).length, 0);
      await page.close();
      server.forget();
      server.fail({ path: /manifest\.json$/, body: JSON.stringify(second) }, { path: PACKED, status: 500 }, { path: PLAIN, status: 500 });
      await open();
      await page.goto(server.origin);
      await searches();
      assert.deepEqual([...asked(PACKED), ...asked(PLAIN)], []);
    }
  });

  test('called off in the middle, nothing is left that could fail or write', async () => {
    server.fail({ path: /\/model-\w+\.packed$/, hold: 1_500_000 });
    await page.goto(`${server.origin}/www/frame.html`);
    const left = await page.evaluate(async (unit) => {
      /** @type {string[]} */
      const unheard = [];
      addEventListener('unhandledrejection', ({ reason }) => unheard.push(String(reason)));
      // @ts-ignore: a path of the server
      const { obtain } = await import('/www/hosted.js');
      const kinds = [];
      let written = 0;
      for (const at of [0, 1, 100_000, 1_499_999]) {
        const controller = new AbortController();
        const into = new Uint8Array(unit.bytes);
        const onBytes = (/** @type {number} */ received) => {
          if (received > at) controller.abort();
        };
        if (at === 0) setTimeout(() => controller.abort(), 0);
        kinds.push(await obtain(unit, new URL('/catalog/', location.href).href, into, { signal: controller.signal, onBytes }).catch((/** @type {any} */ error) => error.kind));
        const there = into.slice();
        await new Promise((done) => setTimeout(done, 100));
        if (there.some((byte, i) => byte !== into[i])) written++;
      }
      return { kinds, written, unheard };
    }, manifest.files.find((/** @type {any} */ file) => file.role === 'model'));
    assert.deepEqual(left, { kinds: ['aborted', 'aborted', 'aborted', 'aborted'], written: 0, unheard: [] });
    assert.deepEqual(problems, []);
  });

  test('an element that is taken away in the middle leaves nothing behind', async () => {
    server.fail({ path: /\/model-\w+\.packed$/, hold: 400_000 });
    await page.goto(server.origin);
    await ui.host.locator('.shelf .tile').first().waitFor();
    while (asked(/\/model-/).length === 0) await page.waitForTimeout(20);
    await page.waitForTimeout(300);
    await page.evaluate(() => {
      const element = /** @type {HTMLElement} */ (document.querySelector('look-alike'));
      Reflect.set(globalThis, 'markup', element.outerHTML);
      element.remove();
    });
    server.heal();
    await page.evaluate(() => document.body.insertAdjacentHTML('beforeend', Reflect.get(globalThis, 'markup')));
    await searches();
    assert.deepEqual(problems, []);
  });
});
