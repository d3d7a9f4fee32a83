/**
 * A network's way from the host into memory, checked: as it is and as gzip, in turn, on a line that is not the limit and on
 * a phone's (20 Mbit/s, 40 ms, as Chromium emulates it for what a page fetches).
 *
 *   node benches/web/arrive.mjs [--json FILE] [--reps N]
 *
 * needs what `cargo xtask demo --no-serve` leaves. Prints minimum and median of the whole, and of what is left to do once the
 * last byte is here. Writes `[{name, value, unit, bar, pass}]`; values are minima.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { launch, newContext } from '../../tests/e2e/harness.mjs';
import { missing, serve } from '../../tests/e2e/server.mjs';

const { values: options } = parseArgs({ options: { json: { type: 'string' }, reps: { type: 'string', default: '15' } } });
const reps = Number(options.reps);
const absent = missing();
if (absent || !(reps > 0)) {
  console.error(absent ?? '--reps needs a number above 0');
  process.exit(2);
}

/** Repetitions on the phone's line, where a second is no noise. */
const ON_A_PHONE = 3;

/** Runs in the page. @param {number} count */
async function arrivals(count) {
  // @ts-ignore: a path of the server
  const { obtain } = await import('/www/hosted.js');
  const base = new URL('/catalog/manifest.json', location.href).href;
  /** @type {import('../../www/types.js').Manifest} */
  const { files } = await (await fetch(base)).json();
  const model = files.find(({ role }) => role === 'model');
  if (!model?.packed) throw new Error('the catalogue has no packed network');
  const ways = { plain: { ...model, packed: undefined }, packed: model };
  /** @type {Record<string, {whole: number, left: number}[]>} */
  const times = { plain: [], packed: [] };
  const into = new Uint8Array(model.bytes);
  for (let i = 0; i <= count; i++) {
    for (const [name, unit] of Object.entries(ways)) {
      performance.clearResourceTimings();
      const start = performance.now();
      await obtain(unit, base, into, { reload: true });
      const end = performance.now();
      // The entry comes a little later than what it tells of.
      while (performance.getEntriesByType('resource').length === 0) await new Promise((done) => setTimeout(done, 1));
      const { responseEnd } = /** @type {PerformanceResourceTiming} */ (performance.getEntriesByType('resource')[0]);
      if (i > 0) times[name].push({ whole: end - start, left: end - responseEnd });
    }
  }
  return times;
}

const server = await serve({ pages: { '/blank.html': '<!doctype html><title>bench</title>' } });
const browser = await launch();
try {
  const page = await (await newContext(browser)).newPage();
  await page.goto(`${server.origin}/blank.html`);
  /** @type {{name: string, value: number, unit: string, bar: null, pass: true}[]} */
  const figures = [];
  const report = (/** @type {Awaited<ReturnType<typeof arrivals>>} */ times, /** @type {string} */ line) => {
    for (const [way, all] of Object.entries(times)) {
      for (const part of /** @type {const} */ (['whole', 'left'])) {
        const sorted = all.map((each) => each[part]).sort((a, b) => a - b);
        const what = part === 'whole' ? 'from asking to checked' : 'from the last byte to checked';
        console.log(`${way}${line && `, ${line}`}, ${what}: ${sorted[0].toFixed(1)} / ${sorted[sorted.length >> 1].toFixed(1)} ms`);
        figures.push({ name: ['arrive', way, line, part].filter(Boolean).join('.'), value: sorted[0], unit: 'ms', bar: null, pass: true });
      }
    }
  };
  report(await page.evaluate(arrivals, reps), '');
  const session = await page.context().newCDPSession(page);
  await session.send('Network.enable');
  await session.send('Network.emulateNetworkConditions', { offline: false, latency: 40, downloadThroughput: 20e6 / 8, uploadThroughput: 5e6 / 8 });
  report(await page.evaluate(arrivals, ON_A_PHONE), 'phone');
  if (options.json) writeFileSync(options.json, JSON.stringify(figures, null, 2));
} finally {
  await browser.close();
  await server.close();
}
