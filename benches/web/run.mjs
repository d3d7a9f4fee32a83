/**
 * Our engine beside onnxruntime-web and TensorFlow.js on the same network, in one Chromium, in turn (A B C D A B C D …).
 *
 *   node benches/web/run.mjs [--json FILE] [--reps N]
 *
 * needs what `cargo xtask bench web` prepares. Prints minimum and median of each, and the ratios of the minima; writes
 * `[{name, value, unit, bar, pass}]`. Exits with 1 if a bar is missed.
 *
 * What is compared: the pooled features of the served network's layers. Ours and onnxruntime's int8 run the served file;
 * f32 is the same network before quantising; TensorFlow.js runs the layers model that the weights were published as, cut
 * at the same layers and pooled. Ours also takes the RGBA in and applies the projection; the others start at the
 * normalised tensor. All must agree in what they compute, or the run fails.
 */
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { launch, products, thumbOf } from '../../tests/e2e/harness.mjs';
import { ROOT, fileOf, hosted, missing, serve } from '../../tests/e2e/server.mjs';

const { values: options } = parseArgs({ options: { json: { type: 'string' }, reps: { type: 'string', default: '15' } } });
const reps = Number(options.reps);
const PEERS = 'target/lookalike/bench';
const peers = ['f32.onnx', 'tfjs/model.json', 'tfjs/weights.bin'].find((file) => !existsSync(join(ROOT, PEERS, file)));
const absent = missing() ?? (peers ? `${PEERS}/${peers} is not there; run \`cargo xtask bench web\`` : null);
if (absent || !(reps > 0)) {
  console.error(absent ?? '--reps needs a number above 0');
  process.exit(2);
}

/** @typedef {Record<string, number[]>} Times milliseconds of each repetition */

/** @param {number[]} times */
const least = (times) => Math.min(...times);
/** @param {number[]} times */
const median = (times) => times.toSorted((a, b) => a - b)[times.length >> 1];

/**
 * Runs in the page, or with more than one thread in a worker of it, which alone may wait for threads. With one it measures
 * everything, with more only what can use them.
 * @param {{reps: number, photo: string, threads: number, peers: string}} given
 */
async function measure({ reps, photo, threads, peers }) {
  const fetched = async (/** @type {string} */ url) => {
    const response = await fetch(url);
    if (!response.ok) throw new Error(`${url}: ${response.status}`);
    return new Uint8Array(await response.arrayBuffer());
  };
  /** @type {Record<string, number[]>} */
  const times = {};
  const timed = async (/** @type {string} */ name, /** @type {() => any} */ work) => {
    const start = performance.now();
    const result = await work();
    (times[name] ??= []).push(performance.now() - start);
    return result;
  };
  if (threads > 1 && !crossOriginIsolated) throw new Error('the page is not isolated, threads cannot be had');

  // @ts-ignore: a path of the server
  const { builds, start } = await import('/www/engine.js');
  const [build] = builds(threads > 1);
  const LookalikeEngine = await start(`${location.origin}/pkg/lookalike.js`, [build]);
  // Started already: this only asks for its exports.
  const { memory } = await (await import(`${location.origin}/pkg/${build && `${build}/`}lookalike.js`)).default();
  // @ts-ignore: a path of the server
  const ort = await import('/node_modules/onnxruntime-web/dist/ort.wasm.min.mjs');
  ort.env.wasm.numThreads = threads;
  ort.env.wasm.wasmPaths = '/node_modules/onnxruntime-web/dist/';
  const manifest = await fetched('/catalog/manifest.json');
  /** @type {{role: string, path: string}[]} */
  const hostedFiles = JSON.parse(new TextDecoder().decode(manifest)).files;
  const hostedAt = (/** @type {string} */ role) => `/catalog/${hostedFiles.find((file) => file.role === role)?.path}`;
  const model = await fetched(hostedAt('model'));
  const { model: { input_size: side, layers } } = JSON.parse(new TextDecoder().decode(manifest));

  const bytes = Uint8Array.from(atob(photo), (c) => c.charCodeAt(0));
  const bitmap = await createImageBitmap(new Blob([bytes]), { resizeWidth: side, resizeHeight: side });
  const canvas = new OffscreenCanvas(side, side);
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext('2d'));
  context.drawImage(bitmap, 0, 0);
  const rgba = new Uint8Array(context.getImageData(0, 0, side, side).data.buffer);
  const [planes, pixels] = [new Float32Array(3 * side * side), new Float32Array(3 * side * side)];
  for (let i = 0; i < side * side; i++) {
    for (let c = 0; c < 3; c++) planes[c * side * side + i] = pixels[3 * i + c] = rgba[4 * i + c] / 255;
  }

  const create = (/** @type {Uint8Array} */ bytes) => ort.InferenceSession.create(bytes, { executionProviders: ['wasm'] });
  const run = async (/** @type {any} */ session) => {
    const results = await session.run({ [session.inputNames[0]]: new ort.Tensor('float32', planes, [1, 3, side, side]) });
    return results[session.outputNames[0]].data;
  };
  const sha256 = async (/** @type {Uint8Array} */ bytes) =>
    Array.from(new Uint8Array(await crypto.subtle.digest('SHA-256', /** @type {BufferSource} */ (bytes))), (byte) => byte.toString(16).padStart(2, '0')).join('');
  // As the worker does it. What comes from the network is hashed block by block while it arrives, so that nothing is left to
  // hash when it is here; what comes from the browser's own storage on a second visit is hashed first.
  const promised = Object.fromEntries(JSON.parse(new TextDecoder().decode(manifest)).files.map((/** @type {any} */ file) => [file.role, file.sha256]));
  const provide = (/** @type {string} */ role, /** @type {Uint8Array} */ bytes, sum = promised[role]) => engine.provide(role, bytes, sum);
  // The first session also starts onnxruntime's module: that is not counted.
  await (await create(model)).release();
  let engine = new LookalikeEngine(manifest);
  const fresh = () => {
    engine.free();
    engine = new LookalikeEngine(manifest);
  };
  for (let i = 0; threads === 1 && i < 11; i++) {
    fresh();
    await timed(i ? 'hashed' : 'first', async () => provide('model', model, await sha256(model)));
    fresh();
    await timed('load ours', () => provide('model', model));
    await (await timed('load ort', () => create(model))).release();
  }
  if (threads > 1) provide('model', model);
  provide('index', await fetched(hostedAt('index')));
  const int8 = await create(model);

  /** @type {Record<string, () => Promise<Iterable<number>>>} */
  const ways = {
    ours: async () => {
      engine.setPhoto(rgba, side, side);
      engine.embed(false);
      return engine.pooled(false);
    },
    'ort int8': () => run(int8),
  };
  if (threads === 1) {
    const full = await create(await fetched(`/${peers}/f32.onnx`));
    ways['ort f32'] = () => run(full);
    for (const name of ['core', 'layers', 'backend-wasm']) {
      await new Promise((resolve, reject) => {
        const script = Object.assign(document.createElement('script'), { src: `/node_modules/@tensorflow/tfjs-${name}/dist/tf-${name}.min.js`, onload: resolve, onerror: reject });
        document.head.append(script);
      });
    }
    // @ts-ignore: what the scripts leave behind
    const { tf } = globalThis;
    tf.wasm.setWasmPaths('/node_modules/@tensorflow/tfjs-backend-wasm/dist/');
    await tf.setBackend('wasm');
    const { modelTopology, weightsManifest } = JSON.parse(new TextDecoder().decode(await fetched(`/${peers}/tfjs/model.json`)));
    const { buffer: weightData } = await fetched(`/${peers}/tfjs/weights.bin`);
    const weightSpecs = weightsManifest.flatMap((/** @type {any} */ group) => group.weights);
    const whole = await tf.loadLayersModel(tf.io.fromMemory({ modelTopology, weightSpecs, weightData }));
    const pooled = layers.map((/** @type {string} */ name) => tf.layers.globalAveragePooling2d({}).apply(whole.getLayer(name).output));
    const cut = tf.model({ inputs: whole.inputs, outputs: tf.layers.concatenate().apply(pooled) });
    ways.tfjs = async () => {
      const output = tf.tidy(() => cut.predict(tf.tensor4d(pixels, [1, side, side, 3])));
      const values = await output.data();
      output.dispose();
      return values;
    };
  }
  /** @type {Record<string, number[]>} */
  const results = {};
  for (const [name, way] of Object.entries(ways)) results[name] = [...await way()];
  const peak = /** @type {Record<string, number>} */ ({});
  const work = /** @type {{variant: string, macs: number, products: number}[]} */ (engine.work());
  for (let i = 0; i < reps; i++) {
    for (const [name, way] of Object.entries(ways)) await timed(name, way);
    for (const { variant } of work) {
      const start = performance.now();
      const products = LookalikeEngine.innerLoop(variant, 20_000);
      peak[variant] = Math.max(peak[variant] ?? 0, products / (performance.now() - start));
    }
  }
  return { times, results, work, peak, build, memory: memory.buffer.byteLength };
}

/** @param {number[]} a @param {number[]} b */
function cosine(a, b) {
  const dot = (/** @type {number[]} */ x, /** @type {number[]} */ y) => x.reduce((sum, value, i) => sum + value * y[i], 0);
  return a.length === b.length ? dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b)) : NaN;
}

/** What a visitor downloads to search with a photo, without the catalogue: one build, the largest of those that run quantised networks, and every script of the element. */
function codeBytes() {
  const below = (/** @type {string} */ folder) =>
    readdirSync(/** @type {string} */ (fileOf(`/${folder}`)), { withFileTypes: true });
  const size = (/** @type {string} */ folder) => {
    const files = below(folder).filter((entry) => !entry.isDirectory() && /\.(js|wasm)$/.test(entry.name));
    const brotli = (/** @type {Buffer} */ raw) =>
      brotliCompressSync(raw, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_LGWIN]: 24 } }).length;
    return files.reduce((sum, { name }) => sum + brotli(readFileSync(/** @type {string} */ (fileOf(`/${folder}/${name}`)))), 0);
  };
  const builds = below('pkg').filter((entry) => entry.isDirectory() && entry.name !== 'full').map(({ name }) => `pkg/${name}`);
  return size('www') + size('www/mask') + Math.max(...['pkg', ...builds].map(size));
}

/** @param {Times} times */
function table(times) {
  console.log(`${'ms'.padEnd(12)} ${'min'.padStart(8)} ${'median'.padStart(8)}`);
  for (const [name, list] of Object.entries(times)) {
    console.log(`${name.padEnd(12)} ${least(list).toFixed(1).padStart(8)} ${median(list).toFixed(1).padStart(8)}`);
  }
}

/** @param {Times} times @param {string} a @param {string} b */
function ratio(times, a, b) {
  console.log(`${`${a} / ${b}`.padEnd(20)} of minima ${(least(times[a]) / least(times[b])).toFixed(3)}, of medians ${(median(times[a]) / median(times[b])).toFixed(3)}`);
  return least(times[a]) / least(times[b]);
}

const pages = { '/blank.html': '<!doctype html><title>bench</title>' };
const photo = thumbOf(products()[401 % products().length]).toString('base64');

/** @param {number} threads */
async function inPage(threads) {
  const server = await serve({ pages, isolated: threads > 1 });
  const browser = await launch();
  try {
    const page = await browser.newPage();
    await page.goto(`${server.origin}/blank.html`);
    const given = { reps, photo, threads, peers: PEERS };
    let found;
    if (threads === 1) {
      found = await page.evaluate(measure, given);
    } else {
      const worker = page.waitForEvent('worker');
      // Any module that does nothing by itself.
      await page.evaluate(() => { Object.assign(globalThis, { held: new Worker('/www/errors.js', { type: 'module' }) }); });
      found = await (await worker).evaluate(measure, given);
    }
    console.log(`\nChromium ${browser.version()}, ${cpus()[0].model}, ${cpus().length} cores, ${threads} thread${threads > 1 ? 's' : ''}, build ${JSON.stringify(found.build)}, ${reps} repetitions in turn`);
    table(found.times);
    return found;
  } finally {
    await browser.close();
    await server.close();
  }
}

const { times, results, work, peak, memory } = await inPage(1);
const agreement = { 'ort int8': 0.999, 'ort f32': 0.98, tfjs: 0.98 };
for (const [name, wanted] of Object.entries(agreement)) {
  const found = cosine(results.ours, results[name]);
  console.log(`cosine of our features to ${name}: ${found.toFixed(4)}`);
  if (!(found >= wanted)) throw new Error(`ours and ${name} do not run the same network`);
}
const embed = least(times.ours);
for (const { variant, macs, products } of work) {
  console.log(`${variant}: ${(macs / 1e9).toFixed(2)} G textbook multiplications, ${(products / 1e9).toFixed(2)} G done, inner loop ${(peak[variant] / 1e6).toFixed(1)} G/s at its best`);
}
// The time that the multiplications would take at the inner loops' best, over the time taken.
const share = (/** @type {'macs'|'products'} */ counted) => work.reduce((sum, each) => sum + each[counted] / peak[each.variant], 0) / embed;
const model = readFileSync(/** @type {string} */ (fileOf(hosted('model'))));
const figures = [
  ['embed.vs_ort_int8.1t', ratio(times, 'ours', 'ort int8'), 'ratio', 0.6],
  ['embed.vs_ort_f32.1t', ratio(times, 'ours', 'ort f32'), 'ratio', 0.35],
  ['embed.vs_tfjs.1t', ratio(times, 'ours', 'tfjs'), 'ratio', 0.35],
  ['embed.share_of_peak', share('products'), 'share', 0.75],
  // What the textbook counts: above 1 is possible, since Winograd's method multiplies less.
  ['embed.share_of_peak.textbook', share('macs'), 'share', null],
  ['load.vs_ort', ratio(times, 'load ours', 'load ort'), 'ratio', 0.3],
  // A second visit: with the hashing, which onnxruntime does without.
  ['load.vs_ort.hashed', ratio(times, 'hashed', 'load ort'), 'ratio', null],
  ['size.code.br', codeBytes() / 1e6, 'MB', 1.3],
  ['size.model', gzipSync(model, { level: 9 }).length / 1e6, 'MB', 15.5],
  ['memory.peak', memory / 2 ** 20, 'MiB', 160],
];
if (cpus().length > 1) {
  const two = await inPage(2);
  figures.push(['embed.vs_ort_int8.2t', ratio(two.times, 'ours', 'ort int8'), 'ratio', 0.6]);
}
const atLeast = ['embed.share_of_peak'];
const judged = figures.map(([name, value, unit, bar]) => {
  const pass = bar === null || (atLeast.includes(String(name)) ? Number(value) >= Number(bar) : Number(value) <= Number(bar));
  return { name: String(name), value: Number(value), unit: String(unit), bar: bar === null ? null : Number(bar), pass };
});
console.log();
for (const { name, value, unit, bar, pass } of judged) {
  console.log(`${pass ? 'ok  ' : 'MISS'} ${name.padEnd(30)} ${value.toFixed(3)} ${unit}${bar === null ? '' : ` (bar ${bar})`}`);
}
if (options.json) writeFileSync(options.json, `${JSON.stringify(judged, null, 2)}\n`);
process.exitCode = judged.every(({ pass }) => pass) ? 0 : 1;
