/** The engine in the browser computes what the native one does, and what onnxruntime does on the same file. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { draw, launch, newContext, products, thumbOf } from './harness.mjs';
import { ROOT, fileOf, hosted, missing, serve } from './server.mjs';

const NATIVE = join(ROOT, 'target/release/lookalike');
const absent = missing() ?? (existsSync(NATIVE) ? null : 'the command line is not built; run `cargo xtask demo --no-serve`');

/** @param {ArrayLike<number>} a @param {ArrayLike<number>} b */
function cosine(a, b) {
  assert.equal(a.length, b.length);
  let [dot, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    dot += a[i] * b[i];
    aa += a[i] ** 2;
    bb += b[i] ** 2;
  }
  return dot / Math.sqrt(aa * bb);
}

/** The int8 code of an embedding, as the index has it. @param {number[]} embedding */
function codeOf(embedding) {
  const peak = Math.max(...embedding.map(Math.abs));
  return embedding.map((x) => Math.round(Math.abs(x / peak * 127)) * Math.sign(x) + 0);
}

/**
 * Runs in the page: every build in a worker, where builds with threads have to be.
 * @param {string[]} sources
 * @returns {Promise<Record<string, {threads: number, embeddings: number[][]}>>}
 */
async function inAWorker(sources) {
  const code = `
    import { builds, start } from '${location.origin}/www/engine.js';
    const at = (path) => new URL(path, '${location.origin}').href;
    const fetched = async (path) => new Uint8Array(await (await fetch(at(path))).arrayBuffer());
    const found = builds();
    if (found[0].endsWith('threads')) found.push('threads');
    onmessage = async ({ data: sources }) => {
      const results = {};
      try {
        for (const build of found) {
          if (build && !(await fetch(at('/pkg/' + build + '/lookalike.js'), { method: 'HEAD' })).ok) continue;
          const Engine = await start(at('/pkg/lookalike.js'), [build]);
          const engine = new Engine(await fetched('/catalog/manifest.json'));
          for (const { role, path } of engine.files()) engine.provide(role, await fetched('/catalog/' + path));
          // Helpers come when they can; the engine does not wait for them, this test does.
          for (let i = 0; build.endsWith('threads') && engine.threads < 2 && i < 200; i++) await new Promise((done) => setTimeout(done, 50));
          const embeddings = [];
          for (const source of sources) {
            const bitmap = await createImageBitmap(new Blob([Uint8Array.from(atob(source), (c) => c.charCodeAt(0))], { type: 'image/png' }));
            const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d');
            context.drawImage(bitmap, 0, 0);
            const { data, width, height } = context.getImageData(0, 0, bitmap.width, bitmap.height);
            engine.setPhoto(new Uint8Array(data.buffer), width, height);
            embeddings.push([...engine.embed(false)]);
          }
          results[build] = { threads: engine.threads, embeddings };
        }
        postMessage(results);
      } catch (thrown) {
        postMessage(String(thrown.stack ?? thrown));
      }
    };`;
  const worker = new Worker(URL.createObjectURL(new Blob([code], { type: 'text/javascript' })), { type: 'module' });
  const answer = await new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = ({ message }) => reject(new Error(message));
    worker.postMessage(sources);
  });
  worker.terminate();
  if (typeof answer === 'string') throw new Error(answer);
  return answer;
}

describe('parity', { skip: absent ?? false }, () => {
  /** @type {Awaited<ReturnType<typeof serve>>} */
  let server;
  /** @type {import('playwright-core').Browser} */
  let browser;
  /** @type {string} */
  let folder;
  /** @type {{file: string, png: Buffer}[]} */
  const pictures = [];
  /** What is painted over in all of them: a blot with a soft edge, of a size of its own. @type {{file: string, png: Buffer}} */
  let mask;
  /** @typedef {{id: string, score: number}} Hit */
  /** @type {{embedding: number[], pooled: number[], theirs: number[], masked: Hit[]}[]} */
  let found;
  /** @type {Hit[][]} */
  let nativeMasked;
  /** @type {{embedding: number[], code: number[]}[]} */
  let native;
  /** What each build that this browser runs makes of the pictures. @type {Awaited<ReturnType<typeof inAWorker>>} */
  let variants;

  before(async () => {
    server = await serve({ isolated: true, pages: { '/blank.html': '<!doctype html><title>blank</title>' } });
    browser = await launch();
    const context = await newContext(browser);
    folder = mkdtempSync(join(tmpdir(), 'lookalike-parity-'));
    const manifest = JSON.parse(String(readFileSync(/** @type {string} */ (fileOf('/catalog/manifest.json')))));
    const size = manifest.model.input_size;
    // Lossless, so that both sides see the same pixels. Two at the network's own size, where no
    // resizing can differ, and one that has to be shrunk.
    const all = products();
    for (const [row, side] of /** @type {const} */ ([[7, size], [401, size], [150, 500]])) {
      const png = await draw(context, { width: side, height: side, type: 'image/png', images: [thumbOf(all[row % all.length])] }, `
        context.fillStyle = '#e8d8c0'; context.fillRect(0, 0, width, height);
        context.drawImage(images[0], 20, 30, width - 60, height - 70);`);
      const file = join(folder, `${row}.png`);
      writeFileSync(file, png);
      pictures.push({ file, png });
    }
    const blot = await draw(context, { width: 400, height: 300, type: 'image/png' }, `
      context.fillStyle = '#000'; context.fillRect(0, 0, width, height);
      const soft = context.createRadialGradient(270, 180, 60, 270, 180, 110);
      soft.addColorStop(0, '#fff'); soft.addColorStop(1, '#000');
      context.fillStyle = soft; context.fillRect(0, 0, width, height);`);
    mask = { file: join(folder, 'mask.png'), png: blot };
    writeFileSync(mask.file, blot);
    nativeMasked = pictures.map(({ file: photo }) => JSON.parse(execFileSync(NATIVE,
      ['search', '--index', join(ROOT, 'catalog'), photo, '--mask', mask.file, '-k', '20', '--json'], { encoding: 'utf8', maxBuffer: 1 << 26 })).hits);
    const lines = execFileSync(NATIVE, ['embed', '--index', join(ROOT, 'catalog'), ...pictures.map((p) => p.file)], { encoding: 'utf8', maxBuffer: 1 << 26 });
    native = lines.trim().split('\n').map((line) => JSON.parse(line));

    const page = await context.newPage();
    await page.goto(`${server.origin}/blank.html`);
    found = await page.evaluate(async ([sources, side, blotSource, network]) => {
      const fetched = async (/** @type {string} */ url) => new Uint8Array(await (await fetch(url)).arrayBuffer());
      // @ts-ignore: paths of the test server
      const { default: init, LookalikeEngine } = await import('/pkg/lookalike.js');
      await init({ module_or_path: '/pkg/lookalike_bg.wasm' });
      const engine = new LookalikeEngine(await fetched('/catalog/manifest.json'));
      for (const { role, path } of engine.files()) engine.provide(role, await fetched(`/catalog/${path}`));
      // @ts-ignore
      const ort = await import('/node_modules/onnxruntime-web/dist/ort.wasm.min.mjs');
      ort.env.wasm.numThreads = 1;
      ort.env.wasm.wasmPaths = '/node_modules/onnxruntime-web/dist/';
      const session = await ort.InferenceSession.create(await fetched(/** @type {string} */ (network)), { executionProviders: ['wasm'] });
      const pixelsOf = async (/** @type {string} */ source) => {
        const bytes = Uint8Array.from(atob(source), (c) => c.charCodeAt(0));
        const bitmap = await createImageBitmap(new Blob([bytes], { type: 'image/png' }));
        const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
        const context2d = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext('2d'));
        context2d.drawImage(bitmap, 0, 0);
        return context2d.getImageData(0, 0, bitmap.width, bitmap.height);
      };
      const painted = await pixelsOf(blotSource);
      const coverage = Uint8Array.from({ length: painted.width * painted.height }, (_, i) => painted.data[4 * i + 1]);
      const results = [];
      for (const source of /** @type {string[]} */ (sources)) {
        const { data, width, height } = await pixelsOf(source);
        engine.setPhoto(new Uint8Array(data.buffer), width, height);
        const [embedding, pooled] = [[...engine.embed(false)], [...engine.pooled(false)]];
        /** @type {number[]} */
        let theirs = [];
        if (width === side) {
          const planes = new Float32Array(3 * width * height);
          for (let i = 0; i < width * height; i++) for (let c = 0; c < 3; c++) planes[c * width * height + i] = data[4 * i + c] / 255;
          const input = new ort.Tensor('float32', planes, [1, 3, height, width]);
          const output = await session.run({ [session.inputNames[0]]: input });
          theirs = [...output[session.outputNames[0]].data];
        }
        engine.setMask(coverage, painted.width, painted.height);
        const { hits } = engine.search({ photo: 'masked', k: 20 });
        results.push({ embedding, pooled, theirs, masked: hits.map((/** @type {any} */ { id, score }) => ({ id, score })) });
      }
      return results;
    }, /** @type {const} */ ([pictures.map((p) => p.png.toString('base64')), size, mask.png.toString('base64'), hosted('model')]));

    variants = await page.evaluate(inAWorker, pictures.map((p) => p.png.toString('base64')));
  });
  after(async () => {
    await browser?.close();
    await server?.close();
    if (folder) rmSync(folder, { recursive: true });
  });

  test('the embedding in the browser is the native one, to the code', () => {
    found.forEach(({ embedding }, i) => {
      assert.ok(cosine(embedding, native[i].embedding) >= 0.9999, `picture ${i}: ${cosine(embedding, native[i].embedding)}`);
      assert.deepEqual(codeOf(embedding), native[i].code.map((x) => x + 0), `picture ${i}: the int8 codes differ`);
    });
  });

  test('so it is in every build that this browser runs', () => {
    assert.ok('' in variants);
    for (const [build, { threads, embeddings }] of Object.entries(variants)) {
      embeddings.forEach((embedding, i) => assert.deepEqual(codeOf(embedding), native[i].code.map((x) => x + 0), `${build}: picture ${i}`));
      if (build.endsWith('threads')) assert.ok(threads > 1, `${build} ran on ${threads} thread`);
      else assert.equal(threads, 1);
    }
  });

  const alone = cpus().length > 1 ? false : 'there is one processor';
  test('builds with threads run where there is more than one processor', { skip: alone }, (t) => {
    if (!existsSync(/** @type {string} */ (fileOf('/pkg/threads/lookalike.js')))) return t.skip('pkg/threads/ was not built');
    assert.ok('threads' in variants && 'relaxed-threads' in variants, Object.keys(variants).join());
  });

  test('the features are those of onnxruntime on the same file', () => {
    const compared = found.filter(({ theirs }) => theirs.length > 0);
    assert.equal(compared.length, 2);
    for (const { pooled, theirs } of compared) {
      assert.ok(cosine(pooled, theirs) >= 0.999, String(cosine(pooled, theirs)));
    }
  });

  test('a masked query finds what the native command finds, in the same order', () => {
    found.forEach(({ masked }, i) => {
      assert.equal(masked.length, 20);
      assert.deepEqual(masked.map(({ id }) => id), nativeMasked[i].map(({ id }) => id), `picture ${i}`);
      masked.forEach(({ score }, at) => assert.ok(Math.abs(score - nativeMasked[i][at].score) < 1e-5, `picture ${i}, place ${at}`));
    });
  });

  test('different pictures have different embeddings', () => {
    assert.ok(cosine(found[0].embedding, found[1].embedding) < 0.99);
  });
});
