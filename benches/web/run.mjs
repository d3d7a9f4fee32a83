/**
 * Our engine beside onnxruntime-web, in one page of one Chromium, in turn (A B C A B C …).
 *
 *   node benches/web/run.mjs [--json FILE] [--reps N]
 *
 * needs what `cargo xtask demo --no-serve` leaves. Prints minimum and median of each, and the ratios of the minima;
 * writes `[{name, value, unit, bar, pass}]`. Exits with 1 if a bar is missed.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { launch, products, thumbOf } from '../../tests/e2e/harness.mjs';
import { ROOT, fileOf, missing, serve } from '../../tests/e2e/server.mjs';

const { values: options } = parseArgs({ options: { json: { type: 'string' }, reps: { type: 'string', default: '15' } } });
const reps = Number(options.reps);
const absent = missing();
if (absent || !(reps > 0)) {
  console.error(absent ?? '--reps needs a number above 0');
  process.exit(2);
}

/** @param {number[]} times */
const least = (times) => Math.min(...times);
/** @param {number[]} times */
const median = (times) => times.toSorted((a, b) => a - b)[times.length >> 1];

/** The same layers in f32: weights stored as int8, which onnxruntime unpacks when it loads. @param {string} folder */
function plainModel(folder) {
  const manifest = JSON.parse(readFileSync(/** @type {string} */ (fileOf('/catalog/manifest.json')), 'utf8'));
  const output = join(folder, 'f32.onnx');
  execFileSync(join(ROOT, 'target/release/lookalike'), ['model', 'prepare', join(ROOT, 'target/lookalike/weights/inception_v3.onnx'),
    '-o', output, '--layer', manifest.model.layers.join(',')]);
  return readFileSync(output);
}

/** Runs in the page. @param {{reps: number, photo: string, f32: string}} given */
async function measure({ reps, photo, f32 }) {
  const unpack = (/** @type {string} */ text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const fetched = async (/** @type {string} */ url) => new Uint8Array(await (await fetch(url)).arrayBuffer());
  /** @type {Record<string, number[]>} */
  const times = { ours: [], ortInt8: [], ortF32: [], oursLoad: [], ortLoad: [] };
  const timed = async (/** @type {string} */ name, /** @type {() => any} */ work) => {
    const start = performance.now();
    const result = await work();
    times[name].push(performance.now() - start);
    return result;
  };
  // @ts-ignore: a path of the server
  const { default: init, LookalikeEngine } = await import('/pkg/lookalike.js');
  const { memory } = await init({ module_or_path: '/pkg/lookalike_bg.wasm' });
  // @ts-ignore: a path of the server
  const ort = await import('/node_modules/onnxruntime-web/dist/ort.wasm.min.mjs');
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmPaths = '/node_modules/onnxruntime-web/dist/';
  const manifest = await fetched('/catalog/manifest.json');
  const model = await fetched('/catalog/model.onnx');
  const index = await fetched('/catalog/index.bin');
  const create = (/** @type {Uint8Array} */ bytes) => ort.InferenceSession.create(bytes, { executionProviders: ['wasm'] });

  const { model: { input_size: side } } = JSON.parse(new TextDecoder().decode(manifest));
  const bitmap = await createImageBitmap(new Blob([unpack(photo)]), { resizeWidth: side, resizeHeight: side });
  const canvas = new OffscreenCanvas(side, side);
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext('2d'));
  context.drawImage(bitmap, 0, 0);
  const rgba = new Uint8Array(context.getImageData(0, 0, side, side).data.buffer);
  const planes = new Float32Array(3 * side * side);
  for (let i = 0; i < side * side; i++) for (let c = 0; c < 3; c++) planes[c * side * side + i] = rgba[4 * i + c] / 255;

  // The first session also starts onnxruntime's module: that is not counted.
  await (await create(model)).release();
  let engine = new LookalikeEngine(manifest);
  for (let i = 0; i < 3; i++) {
    engine.free();
    engine = new LookalikeEngine(manifest);
    await timed('oursLoad', () => engine.provide('model', model));
    await (await timed('ortLoad', () => create(model))).release();
  }
  engine.provide('index', index);
  const [int8, full] = [await create(model), await create(unpack(f32))];
  const run = (/** @type {any} */ session) => session.run({ [session.inputNames[0]]: new ort.Tensor('float32', planes, [1, 3, side, side]) });
  const embed = () => {
    engine.setPhoto(rgba, side, side);
    return engine.embed(false);
  };
  await embed();
  await run(int8);
  await run(full);
  for (let i = 0; i < reps; i++) {
    await timed('ours', embed);
    await timed('ortInt8', () => run(int8));
    await timed('ortF32', () => run(full));
  }
  return { times, memory: memory.buffer.byteLength };
}

/** What a visitor downloads to search with a photo, without the catalogue. */
function codeBytes() {
  const files = ['/pkg/lookalike.js', '/pkg/lookalike_bg.wasm'];
  const brotli = (/** @type {string} */ path) =>
    brotliCompressSync(readFileSync(/** @type {string} */ (fileOf(path))), { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_LGWIN]: 24 } }).length;
  return files.map(brotli).reduce((a, b) => a + b);
}

const folder = mkdtempSync(join(tmpdir(), 'lookalike-bench-'));
const server = await serve({ pages: { '/blank.html': '<!doctype html><title>bench</title>' } });
const browser = await launch();
try {
  const page = await browser.newPage();
  await page.goto(`${server.origin}/blank.html`);
  const all = products();
  const { times, memory } = await page.evaluate(measure, {
    reps,
    photo: thumbOf(all[401 % all.length]).toString('base64'),
    f32: plainModel(folder).toString('base64'),
  });
  console.log(`Chromium ${browser.version()}, ${cpus()[0].model}, ${cpus().length} cores, ${reps} repetitions in turn`);
  console.log(`${'ms'.padEnd(12)} ${'min'.padStart(8)} ${'median'.padStart(8)}`);
  for (const [name, list] of Object.entries(times)) {
    console.log(`${name.padEnd(12)} ${least(list).toFixed(1).padStart(8)} ${median(list).toFixed(1).padStart(8)}`);
  }
  const model = readFileSync(/** @type {string} */ (fileOf('/catalog/model.onnx')));
  const ratio = (/** @type {string} */ a, /** @type {string} */ b) => least(times[a]) / least(times[b]);
  const figures = [
    ['embed.vs_ort_int8.1t', ratio('ours', 'ortInt8'), 'ratio', 0.6],
    ['embed.vs_ort_f32.1t', ratio('ours', 'ortF32'), 'ratio', 0.35],
    ['load.vs_ort', ratio('oursLoad', 'ortLoad'), 'ratio', 0.3],
    ['size.code.br', codeBytes() / 1e6, 'MB', 1.3],
    ['size.model', gzipSync(model, { level: 9 }).length / 1e6, 'MB', 15.5],
    ['memory.peak', memory / 2 ** 20, 'MiB', 160],
  ].map(([name, value, unit, bar]) => ({ name, value: Number(value), unit, bar, pass: Number(value) <= Number(bar) }));
  for (const { name, value, unit, bar, pass } of figures) {
    console.log(`${pass ? 'ok  ' : 'MISS'} ${String(name).padEnd(22)} ${value.toFixed(3)} ${unit} (bar ${bar})`);
  }
  if (options.json) writeFileSync(options.json, `${JSON.stringify(figures, null, 2)}\n`);
  process.exitCode = figures.every(({ pass }) => pass) ? 0 : 1;
} finally {
  await browser.close();
  await server.close();
  rmSync(folder, { recursive: true });
}
