/**
 * The same pixels everywhere: every kind of picture file that `pictures/` can make is opened by the command line and
 * by the page, and both must see the same, or both refuse it.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { hand, launch, newContext, parts } from './harness.mjs';
import { ROOT, missing, serve } from './server.mjs';

const NATIVE = join(ROOT, 'target/release/lookalike');
/** Built by `cargo test` and by `cargo build --examples`. */
const SAMPLES = join(ROOT, 'target/release/examples/samples');
const absent = missing() ?? (existsSync(NATIVE) ? null : 'the command line is not built; run `cargo xtask demo --no-serve`');
/** Decoders differ by a rounding here and there. */
const SAME = 0.998;
/**
 * Chromium dithers pictures of 16 bits a channel when it shows them in 8: a fifth of the values is one more or less. A
 * printer's profile is a coarse table of colours, in which the two interpolate differently: up to three more or less.
 */
const ROUGHLY = 0.99;
const rough = (/** @type {string} */ name) => /^(rgb|grey|gama-1|iccp-p3)-16\.png$|^(cmyk|ycck)-icc(-without-adobe-mark)?\.jpg$/.test(name);

/**
 * @typedef {{embedding?: number[], refused?: string, kind?: string}} Seen
 * @typedef {{expected: "same"|"same-or-white"|"refused"|"terminal-only", kind: string}} Owed
 */

/** @param {number[]} a @param {number[]} b */
function cosine(a, b) {
  return a.reduce((sum, x, i) => sum + x * b[i], 0) / Math.sqrt(a.reduce((sum, x) => sum + x * x, 0) * b.reduce((sum, x) => sum + x * x, 0));
}

describe('the same pixels everywhere', { skip: absent ?? false }, () => {
  /** @type {Awaited<ReturnType<typeof serve>>} */
  let server;
  /** @type {import('playwright-core').Browser} */
  let browser;
  /** @type {import('playwright-core').Page} */
  let page;
  /** @type {string} */
  let folder;
  /** @type {Record<string, Owed>} */
  let samples;
  /** @type {Record<string, Seen>} */
  const native = {};

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'lookalike-pictures-'));
    if (!existsSync(SAMPLES)) execFileSync('cargo', ['build', '--release', '--quiet', '-p', 'lookalike-pictures', '--example', 'samples'], { cwd: ROOT, stdio: 'inherit' });
    execFileSync(SAMPLES, [folder]);
    samples = JSON.parse(readFileSync(join(folder, 'samples.json'), 'utf8'));
    const files = Object.keys(samples).map((name) => join(folder, name));
    const { stdout, stderr } = spawnSync(NATIVE, ['embed', '--index', join(ROOT, 'catalog'), ...files], { encoding: 'utf8', maxBuffer: 1 << 28 });
    for (const line of stdout.trim().split('\n')) {
      const { file, embedding } = JSON.parse(line);
      native[file.slice(folder.length + 1)] = { embedding };
    }
    for (const [, name, refused] of stderr.matchAll(/^skipped: .*\/([^/:]+): (.*)$/gm)) native[name] = { refused };

    server = await serve({ folders: { '/samples/': `${folder}/` } });
    browser = await launch();
    page = await (await newContext(browser)).newPage();
    await page.goto(`${server.origin}/blank.html`);
    await page.evaluate(async () => {
      const fetched = async (/** @type {string} */ url) => new Uint8Array(await (await fetch(url)).arrayBuffer());
      // @ts-ignore: paths of the test server
      const { start } = await import('/www/engine.js');
      // @ts-ignore
      const { decode, inspect } = await import('/www/picture.js');
      const Engine = await start(new URL('/pkg/lookalike.js', location.href).href, ['']);
      const engine = new Engine(await fetched('/catalog/manifest.json'));
      for (const { role, path } of engine.files()) engine.provide(role, await fetched(`/catalog/${path}`));
      const serial = async (/** @type {() => any} */ work) => work();
      Object.assign(globalThis, {
        /** @param {Blob} file */
        see: async (file) => {
          try {
            const { bytes, found } = await inspect(file, Engine, serial);
            const { rgba, width, height, bitmap } = await decode(bytes, found);
            bitmap.close();
            engine.setPhoto(rgba, width, height);
            return { embedding: [...engine.embed(false)] };
          } catch (/** @type {any} */ thrown) {
            return { refused: thrown.message, kind: thrown.kind ?? String(thrown) };
          }
        },
      });
    });
  });
  after(async () => {
    await browser?.close();
    await server?.close();
    if (folder) rmSync(folder, { recursive: true });
  });

  /** What the page makes of a file. @param {string} name @returns {Promise<Seen>} */
  function seen(name) {
    return page.evaluate(async (path) => /** @type {any} */ (globalThis).see(await (await fetch(path)).blob()), `/samples/${name}`);
  }

  test('command line and Chromium see the same in every file, or refuse it both', async () => {
    const { embedding: blank = [] } = await page.evaluate(async () => {
      const canvas = new OffscreenCanvas(157, 119);
      const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext('2d'));
      context.fillStyle = 'white';
      context.fillRect(0, 0, 157, 119);
      return /** @type {any} */ (globalThis).see(await canvas.convertToBlob());
    });
    /** @type {string[]} */
    const wrong = [];
    const table = [];
    for (const [name, { expected, kind }] of Object.entries(samples)) {
      const here = native[name] ?? { refused: 'not a word' };
      const there = await seen(name);
      let verdict = 'both refuse';
      if (here.embedding && there.embedding) {
        const near = cosine(here.embedding, there.embedding);
        verdict = near.toFixed(5);
        const white = expected === 'same-or-white' && cosine(there.embedding, blank) >= SAME;
        if (!expected.startsWith('same') || !(white || near >= (rough(name) ? ROUGHLY : SAME))) wrong.push(`${name}: ${verdict}, ${expected} expected`);
      } else if (here.embedding) {
        verdict = `the page refuses: ${there.refused}`;
        if (expected !== 'terminal-only' || there.kind !== kind) wrong.push(`${name}: ${verdict} (${there.kind})`);
      } else if (there.embedding) {
        verdict = `the command line refuses: ${here.refused}`;
        wrong.push(`${name}: ${verdict}`);
      } else {
        verdict = `both refuse: ${there.refused}`;
        if (expected !== 'refused' || there.kind !== kind) wrong.push(`${name}: ${there.kind}, ${kind || expected} expected; ${here.refused}`);
      }
      table.push(`${name.padEnd(44)} ${verdict}`);
    }
    console.log(table.join('\n'));
    assert.deepEqual(wrong, []);
  });

  test('what cannot be a picture, or is too large for one, is not read', async () => {
    const [video, large, fine] = await page.evaluate(async () => {
      /** A file that counts what is read of it. @param {number[]} head @param {number} size */
      const file = (head, size) => {
        const own = { size, read: 0, slice: (/** @type {number} */ from, /** @type {number} */ to) => ({
          arrayBuffer: async () => {
            own.read += to - from;
            const bytes = new Uint8Array(to - from);
            bytes.set(head.slice(from, to));
            return bytes.buffer;
          } }),
          arrayBuffer: async () => {
            own.read = size;
            return new Uint8Array(head).buffer;
          } };
        return own;
      };
      const bytes = (/** @type {string} */ latin) => [...latin].map((c) => c.charCodeAt(0));
      const results = [];
      for (const each of [file(bytes('\0\0\0\x18ftypmp42\0\0\0\0mp42isom'), 5e9), file([0xff, 0xd8, 0xff, 0xe0], 100_000_001), file([0xff, 0xd8, 0xff, 0xe0], 90_000_000)]) {
        results.push({ ...(await /** @type {any} */ (globalThis).see(each)), read: each.read });
      }
      return results;
    });
    assert.equal(video.kind, 'unsupported');
    assert.match(video.refused, /a video/);
    assert.ok(video.read <= 512, String(video.read));
    assert.equal(large.kind, 'too-large');
    assert.match(large.refused, /101 MB, at most 100 MB/);
    assert.ok(large.read <= 512, String(large.read));
    assert.equal(fine.read, 90_000_000);
  });

  test('a motion photo of 71 MB opens', async () => {
    const near = await page.evaluate(async () => {
      const plain = await (await fetch('/samples/baseline.jpg')).blob();
      const head = new Uint8Array([0, 0, 0, 24, ...[...'ftypmp42'].map((c) => c.charCodeAt(0)), ...new Array(12).fill(0)]);
      const film = new Blob([plain, head, new Uint8Array(71_000_000).fill(0xd9)]);
      const [one, other] = [await /** @type {any} */ (globalThis).see(plain), await /** @type {any} */ (globalThis).see(film)];
      return one.embedding.every((/** @type {number} */ x, /** @type {number} */ i) => x === other.embedding?.[i]) || other.refused;
    });
    assert.equal(near, true);
  });

  test('the element says what is wrong in words', async () => {
    const shop = await (await newContext(browser)).newPage();
    await shop.goto(server.origin);
    const ui = parts(shop);
    for (const [name, words] of /** @type {[string, RegExp][]} */ ([
      ['baseline-cut-at-90.jpg', /incomplete/i],
      ['baseline-cut-at-98-with-end-mark.jpg', /incomplete/i],
      ['mp4-named.jpg', /a video/i],
      ['rgb.tif', /TIFF/],
      ['225-megapixels.jpg', /too large/i],
      ['arithmetic.jpg', /arithmetic/i],
    ])) {
      await hand(shop, 'drop', { name, mimeType: 'image/jpeg', buffer: readFileSync(join(folder, name)) });
      await ui.message.filter({ hasText: words }).waitFor({ timeout: 15_000 });
    }
  });
});
