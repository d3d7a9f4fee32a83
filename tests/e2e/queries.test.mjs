/** The queries of `tests/queries/` in the browser: the same products, pictures and scores as `tests/queries.rs` finds natively. */
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { decodeState, encodeState } from '../../www/url-state.js';
import { launch, newContext } from './harness.mjs';
import { ROOT, missing, serve } from './server.mjs';

/** @import { Query } from '../../www/types.js' */

const FOLDER = join(ROOT, 'tests/queries');
/** @type {{name: string, query: Query, hits?: {id: string, score: number, image: number, variants?: string[]}[], refused?: string, because?: string}[]} */
const cases = readdirSync(FOLDER).filter((name) => name.endsWith('.json')).toSorted()
  .map((name) => ({ name, ...JSON.parse(readFileSync(join(FOLDER, name), 'utf8')) }));

/** Runs in the page. @param {Query[]} queries */
async function ask(queries) {
  // @ts-ignore: a path of the server
  const { default: init, LookalikeEngine } = await import('/pkg/lookalike.js');
  await init({ module_or_path: '/pkg/lookalike_bg.wasm' });
  const bytes = async (/** @type {string} */ name) => new Uint8Array(await (await fetch(`/tests/queries/${name}`)).arrayBuffer());
  const engine = new LookalikeEngine(await bytes('served/manifest.json'));
  for (const { role, path } of engine.files()) engine.provide(role, await bytes(`served/${path}`));
  const pixels = async (/** @type {string} */ name) => {
    const bitmap = await createImageBitmap(new Blob([await bytes(name)]), { colorSpaceConversion: 'none' });
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
    const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext('2d'));
    context.drawImage(bitmap, 0, 0);
    return context.getImageData(0, 0, bitmap.width, bitmap.height);
  };
  const photo = await pixels('photo.png');
  const mask = await pixels('mask.png');
  engine.setPhoto(new Uint8Array(photo.data.buffer), photo.width, photo.height);
  engine.setMask(Uint8Array.from({ length: mask.width * mask.height }, (_, i) => mask.data[4 * i + 1]), mask.width, mask.height);
  return queries.map((query) => {
    try {
      return { hits: engine.search(query).hits.map((/** @type {any} */ { id, score, image, variants }) => ({ id, score, image, variants })) };
    } catch (thrown) {
      const { kind, message } = /** @type {any} */ (thrown);
      return { refused: kind, because: message };
    }
  });
}

describe('queries', { skip: missing() ?? false }, () => {
  /** @type {Awaited<ReturnType<typeof serve>>} */
  let server;
  /** @type {import('playwright-core').Browser} */
  let browser;
  before(async () => {
    server = await serve({ pages: { '/blank.html': '<!doctype html><title>blank</title>' } });
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });

  test('the browser answers as the library and the terminal do', async () => {
    const page = await (await newContext(browser)).newPage();
    await page.goto(`${server.origin}/blank.html`);
    const answers = await page.evaluate(ask, cases.map(({ query }) => query));
    assert.ok(cases.length > 15);
    cases.forEach(({ name, hits, refused, because }, at) => {
      const got = answers[at];
      assert.equal(got.refused, refused, `${name}: ${got.because}`);
      if (refused) {
        assert.ok(got.because.includes(because), `${name}: "${got.because}" does not say "${because}"`);
        return;
      }
      const shown = (/** @type {any} */ { id, image, variants = [] }) => ({ id, image, variants });
      assert.deepEqual(got.hits.map(shown), hits?.map(shown), name);
      got.hits.forEach((/** @type {any} */ hit, /** @type {number} */ i) => {
        assert.ok(Math.abs(hit.score - (hits?.[i].score ?? NaN)) <= 1e-5, `${name}: ${hit.id} scores ${hit.score}, expected ${hits?.[i].score}`);
      });
    });
    await page.close();
  });

  test('links hold what a shopper can ask without a photo', () => {
    let kept = 0;
    for (const { name, query, refused } of cases) {
      const { photo, embedding, k, variants, ...rest } = query;
      const away = (rest.toward ?? []).some(({ strength }) => !(strength >= 0.1 && strength <= 0.9));
      if (photo || embedding || refused || away) continue;
      assert.deepEqual(decodeState(encodeState(rest)), rest, name);
      kept++;
    }
    assert.ok(kept > 8);
  });
});
