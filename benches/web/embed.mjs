/**
 * A photo's embedding in the browser, for each of several served catalogues, in turn (A B A B …): how networks
 * compare, the projection included.
 *
 *   node benches/web/embed.mjs [--reps N] [FOLDER…]
 *
 * Folders are written by `lookalike index` and lie below the repository; `catalog` if none is named.
 */
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { launch } from '../../tests/e2e/harness.mjs';
import { ROOT, missing, serve } from '../../tests/e2e/server.mjs';

const { values: options, positionals } = parseArgs({ options: { reps: { type: 'string', default: '15' } }, allowPositionals: true });
const reps = Number(options.reps);
const absent = missing();
if (absent || !(reps > 0)) {
  console.error(absent ?? '--reps needs a number above 0');
  process.exit(2);
}
const folders = (positionals.length > 0 ? positionals : ['catalog']).map((folder) => relative(ROOT, resolve(folder)));

/** Runs in the page. @param {{reps: number, folders: string[]}} given */
async function measure({ reps, folders }) {
  // @ts-ignore: a path of the server
  const { default: init, LookalikeEngine } = await import('/pkg/lookalike.js');
  await init({ module_or_path: '/pkg/lookalike_bg.wasm' });
  const fetched = async (/** @type {string} */ url) => new Uint8Array(await (await fetch(url)).arrayBuffer());
  const networks = [];
  for (const folder of folders) {
    const bytes = await fetched(`/${folder}/manifest.json`);
    const manifest = JSON.parse(new TextDecoder().decode(bytes));
    const engine = new LookalikeEngine(bytes);
    for (const { role, path } of manifest.files) if (role !== 'products') engine.provide(role, await fetched(`/${folder}/${path}`));
    const side = manifest.model.input_size;
    // Neither flat nor noise: a gradient with edges.
    const rgba = new Uint8Array(4 * side * side);
    for (let i = 0; i < side * side; i++) {
      const [x, y] = [i % side, Math.floor(i / side)];
      rgba.set([(x * 255) / side, (y * 255) / side, ((x >> 4) + (y >> 4)) % 2 ? 220 : 40, 255], 4 * i);
    }
    const embed = () => {
      engine.setPhoto(rgba, side, side);
      return engine.embed(false);
    };
    await embed();
    networks.push({ folder, name: manifest.model.name, side, embed, times: /** @type {number[]} */ ([]) });
  }
  for (let i = 0; i < reps; i++) {
    for (const network of networks) {
      const start = performance.now();
      await network.embed();
      network.times.push(performance.now() - start);
    }
  }
  return networks.map(({ folder, name, side, times }) => ({ folder, name, side, times }));
}

const server = await serve({ pages: { '/blank.html': '<!doctype html><title>bench</title>' } });
const browser = await launch();
try {
  const page = await browser.newPage();
  await page.goto(`${server.origin}/blank.html`);
  console.log(`Chromium ${browser.version()}, ${cpus()[0].model}, ${cpus().length} cores, ${reps} repetitions in turn`);
  for (const { folder, name, side, times } of await page.evaluate(measure, { reps, folders })) {
    const { files } = JSON.parse(readFileSync(join(ROOT, folder, 'manifest.json'), 'utf8'));
    const model = readFileSync(join(ROOT, folder, files.find((/** @type {any} */ file) => file.role === 'model').path));
    const sorted = times.toSorted((/** @type {number} */ a, /** @type {number} */ b) => a - b);
    console.log(`${name.padEnd(20)} ${side}x${side}  ${(model.length / 1e6).toFixed(2)} MB, ${(gzipSync(model, { level: 9 }).length / 1e6).toFixed(2)} MB gzip`
      + `  ms min ${sorted[0].toFixed(1)}, median ${sorted[sorted.length >> 1].toFixed(1)}`);
  }
} finally {
  await browser.close();
  await server.close();
}
