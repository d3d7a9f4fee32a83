/**
 * What a slider move costs at 100 000 products in Chromium: from the query to the hits in the worker's module, and
 * from the slider's event to the new results on the page.
 *
 *   node benches/web/slider.mjs [--json FILE] [--products N] [--moves N]
 *
 * needs what `cargo xtask demo --no-serve` leaves; grows an index once, under target/. Prints the 50th and the 95th
 * percentile; writes `[{name, value, unit, bar, pass}]`. Exits with 1 if a bar is missed.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const ROOT = join(import.meta.dirname, '../..');
const { values: options } = parseArgs({ options: { json: { type: 'string' }, products: { type: 'string', default: '100000' }, moves: { type: 'string', default: '200' } } });
const [count, moves] = [Number(options.products), Number(options.moves)];
if (!(count > 0) || !(moves > 0)) {
  console.error('--products and --moves need numbers above 0');
  process.exit(2);
}
const small = process.env.LOOKALIKE_CATALOG ?? join(ROOT, 'catalog');
const large = join(ROOT, `target/lookalike/grown-${count}`);
grow();
// The server and the harness read it when they are loaded.
process.env.LOOKALIKE_CATALOG = large;
const { launch, newContext, parts, products, settled } = await import('../../tests/e2e/harness.mjs');
const { fileOf, hosted, missing, serve } = await import('../../tests/e2e/server.mjs');
const absent = missing();
if (absent) {
  console.error(absent);
  process.exit(2);
}

/** Once for each index that it is grown from. */
function grow() {
  const from = join(small, 'manifest.json');
  const stamp = join(large, 'grown-from.json');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === readFileSync(from, 'utf8')) return;
  console.log(`growing an index of ${count} products`);
  execFileSync(join(ROOT, 'target/release/lookalike'), ['eval', 'grow', '--index', small, '--products', String(count), '-o', large], { stdio: 'inherit' });
  writeFileSync(stamp, readFileSync(from));
}

/** @param {number[]} times @param {number} share */
const percentile = (times, share) => times.toSorted((a, b) => a - b)[Math.min(times.length - 1, Math.floor(share * times.length))];

/** Runs in the page. @param {{moves: number, groups: {column: string, value: string}[]}} given */
async function inModule({ moves, groups: [from, to] }) {
  const fetched = async (/** @type {string} */ url) => new Uint8Array(await (await fetch(url)).arrayBuffer());
  // @ts-ignore: a path of the server
  const { default: init, LookalikeEngine } = await import('/pkg/lookalike.js');
  const { memory } = await init({ module_or_path: '/pkg/lookalike_bg.wasm' });
  const engine = new LookalikeEngine(await fetched('/catalog/manifest.json'));
  /** @type {Record<string, number[]>} */
  const times = {};
  const timed = (/** @type {string} */ name, /** @type {() => any} */ work) => {
    const start = performance.now();
    const result = work();
    (times[name] ??= []).push(performance.now() - start);
    return result;
  };
  for (const role of ['index', 'products', 'model']) {
    const { path, sha256 } = engine.files().find((/** @type {any} */ each) => each.role === role);
    const bytes = await fetched(`/catalog/${path}`);
    // The page's worker has the browser compute the hash.
    timed(`load ${role}`, () => engine.provide(role, bytes, sha256));
  }
  const afterLoad = memory.buffer.byteLength;
  const side = 299;
  const rgba = Uint8Array.from({ length: side * side * 4 }, (_, i) => (i % 4 === 3 ? 255 : 255 - ((i * i) >> 9) % 190));
  engine.setPhoto(rgba, side, side);
  engine.setMask(Uint8Array.from({ length: side * side }, (_, i) => (i % side < side / 3 ? 255 : 0)), side, side);
  engine.search({ photo: 'whole' });
  engine.search({ photo: 'masked' });
  const ids = engine.ids(0, 400);
  const categories = [...new Set(ids.map((/** @type {string} */ id) => engine.product(id).category))].filter(Boolean).slice(0, 3);
  for (let move = 0; move < moves; move++) {
    const t = move / moves;
    const productId = ids[(move * 37) % ids.length];
    timed('walk', () => engine.search({ photo: 'masked', walk: 1.6 * t }));
    timed('toward', () => engine.search({ photo: 'masked', toward: [{ from, to, strength: 0.1 + 0.8 * t }] }));
    timed('like', () => engine.search({ productId, like: ids.slice(0, 1 + (move % 5)), unlike: ids.slice(7, 8 + (move % 3)) }));
    timed('filtered walk', () => engine.search({ photo: 'masked', walk: 1.6 * t, filter: { category: categories } }));
    timed('filtered toward', () => engine.search({ productId, toward: [{ from, to, strength: 0.1 + 0.8 * t }], filter: { category: categories } }));
    timed('min score', () => engine.search({ photo: 'masked', minScore: 0.9 * t }));
    timed('every variant', () => engine.search({ productId, variants: true }));
    // A filter that was not asked for before: what passes is found anew.
    timed('new filter', () => engine.search({ productId, filter: { category: categories, attributes: { kind: ['chair', `no ${move}`] } } }));
  }
  return { times, afterLoad, memory: memory.buffer.byteLength };
}

/** Runs in the page: a slider is moved, the frame that shows what came of it is waited for. @param {{moves: number, name: string}} given */
async function onPage({ moves, name }) {
  const host = /** @type {any} */ (document.querySelector('look-alike'));
  const slider = /** @type {HTMLInputElement} */ ([...host.shadowRoot.querySelectorAll('input[type=range]')].find((each) => each.getAttribute('aria-label') === name));
  const [least, most, step] = [slider.min, slider.max, slider.step].map(Number);
  const places = Math.round((most - least) / step) + 1;
  /** @type {number[]} */
  const results = [];
  for (let move = 0; move < moves; move++) {
    // The element keeps answers that it has: a query of its own for every move.
    host.query = { ...host.query, minScore: -1 + move * 1e-6 };
    await new Promise((resolve) => host.addEventListener('results', resolve, { once: true }));
    await new Promise((resolve) => setTimeout(resolve, 30));
    const value = least + ((move * 7 + 3) % places) * step;
    if (Number(slider.value) === value) continue;
    const shown = new Promise((resolve) => host.addEventListener('results', () => queueMicrotask(() => resolve(performance.now())), { once: true }));
    const start = performance.now();
    slider.value = String(value);
    slider.dispatchEvent(new Event('input', { bubbles: true }));
    results.push(/** @type {number} */ (await shown) - start);
  }
  return results;
}

const server = await serve({ pages: { '/blank.html': '<!doctype html><title>bench</title>' } });
const browser = await launch();
try {
  const context = await newContext(browser, { viewport: { width: 1440, height: 900 } });
  const page = await context.newPage();
  await page.goto(`${server.origin}/blank.html`);
  const group = (/** @type {string} */ value) => ({ column: 'kind', value });
  const inside = await page.evaluate(inModule, { moves, groups: [group('chair'), group('sofa')] });
  await page.close();

  const shop = await context.newPage();
  const chair = products().find(({ title }) => /chair/i.test(title)) ?? products()[7];
  const toward = JSON.stringify(['kind', 'chair', 'kind', 'sofa', 0.5]);
  const opened = performance.now();
  await shop.goto(`${server.origin}/#product=${encodeURIComponent(chair.id)}&toward=${encodeURIComponent(toward)}`);
  await settled(shop);
  const ready = performance.now() - opened;
  await parts(shop).host.getByRole('slider', { name: 'Strength of sofa' }).waitFor();
  const page95 = await shop.evaluate(onPage, { moves: Math.min(moves, 100), name: 'Strength of sofa' });
  const heap = await shop.evaluate(() => /** @type {any} */ (performance).memory?.usedJSHeapSize ?? 0);

  console.log(`Chromium ${browser.version()}, ${cpus()[0].model}, ${cpus().length} cores, ${count} products, ${moves} moves`);
  console.log(`${'ms'.padEnd(18)} ${'p50'.padStart(8)} ${'p95'.padStart(8)} ${'most'.padStart(8)}`);
  const bars = ['walk', 'toward', 'like', 'filtered walk', 'filtered toward', 'min score', 'every variant'];
  const figures = [];
  for (const [name, list] of [...Object.entries(inside.times), ['slider to results', page95]]) {
    const times = /** @type {number[]} */ (list);
    const [half, most] = [percentile(times, 0.5), percentile(times, 0.95)];
    console.log(`${String(name).padEnd(18)} ${half.toFixed(2).padStart(8)} ${most.toFixed(2).padStart(8)} ${Math.max(...times).toFixed(2).padStart(8)}`);
    const key = String(name).replaceAll(' ', '_');
    const bar = bars.includes(String(name)) || name === 'slider to results' ? 16 : null;
    figures.push({ name: `slider.${key}.p50`, value: half, unit: 'ms', bar: null, pass: true });
    figures.push({ name: `slider.${key}.p95`, value: most, unit: 'ms', bar, pass: bar === null || most <= bar });
  }
  const bytes = (/** @type {string} */ path) => statSync(/** @type {string} */ (fileOf(path))).size / 1e6;
  for (const [name, value, unit] of /** @type {[string, number, string][]} */ ([
    ['slider.index', bytes(hosted('index')), 'MB'],
    ['slider.products', bytes(hosted('products')), 'MB'],
    ['slider.memory.loaded', inside.afterLoad / 2 ** 20, 'MiB'],
    ['slider.memory.peak', inside.memory / 2 ** 20, 'MiB'],
    ['slider.page.heap', heap / 2 ** 20, 'MiB'],
    ['slider.page.ready', ready, 'ms'],
  ])) figures.push({ name, value, unit, bar: null, pass: true });
  for (const { name, value, unit, bar, pass } of figures) {
    console.log(`${bar === null ? '    ' : pass ? 'ok  ' : 'MISS'} ${name.padEnd(34)} ${value.toFixed(2)} ${unit}${bar === null ? '' : ` (bar ${bar})`}`);
  }
  if (options.json) writeFileSync(options.json, `${JSON.stringify(figures, null, 2)}\n`);
  process.exitCode = figures.every(({ pass }) => pass) ? 0 : 1;
} finally {
  await browser.close();
  await server.close();
}
