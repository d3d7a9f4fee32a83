/**
 * Dots and taps in Chromium, catalogue and network being there: from a photo's drop to the first dot and to the last
 * window, from a tap to the outline and to the results, and the longest task of the page's own thread meanwhile.
 *
 *   node benches/web/things.mjs [--json FILE] [--photos N]
 *
 * needs what `cargo xtask demo --no-serve` leaves. The photos are drawn of six products on a wall, other ones each time.
 * Prints minimum, median and most; writes `[{name, value, unit, bar, pass}]`. Exits with 1 if a bar is missed.
 */
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { draw, hand, jpeg, launch, newContext, parts, products, settled, thumbOf } from '../../tests/e2e/harness.mjs';
import { missing, serve } from '../../tests/e2e/server.mjs';

const { values: options } = parseArgs({ options: { json: { type: 'string' }, photos: { type: 'string', default: '12' } } });
const photos = Number(options.photos);
if (!(photos > 0)) {
  console.error('--photos needs a number above 0');
  process.exit(2);
}
const absent = missing();
if (absent) {
  console.error(absent);
  process.exit(2);
}

/** Runs in the page: notes when what happens, from now on. */
function watch() {
  const host = /** @type {any} */ (document.querySelector('look-alike'));
  /** @type {any} */
  const seen = { begun: performance.now(), first: null, all: null, dots: 0, whole: null, results: null, outline: null, longest: 0, later: 0 };
  /** @type {any} */ (globalThis).seen?.end();
  const stage = host.shadowRoot.querySelector('.stage');
  const canvas = stage.querySelector('canvas[role=application]');
  const before = canvas.dataset.painted;
  // Those of the photo before are there, and more of them come, until it goes.
  let isNew = false;
  const changed = () => { isNew = true; };
  host.addEventListener('photochange', changed);
  const dots = new MutationObserver(() => {
    seen.dots = isNew ? stage.querySelectorAll('.dot').length : 0;
    if (seen.dots > 0) seen.first ??= performance.now();
    if (seen.dots > 0 && stage.querySelector('[aria-live]').textContent) seen.all ??= performance.now();
    if (canvas.dataset.painted !== before && Number(canvas.dataset.painted) > 0) seen.outline ??= performance.now();
  });
  dots.observe(stage, { subtree: true, childList: true, characterData: true, attributes: true, attributeFilter: ['data-painted'] });
  const tasks = new PerformanceObserver((list) => {
    for (const task of list.getEntries()) {
      if (task.startTime >= seen.begun) seen.longest = Math.max(seen.longest, task.duration);
      if (seen.first !== null && task.startTime >= seen.first) seen.later = Math.max(seen.later, task.duration);
    }
  });
  tasks.observe({ entryTypes: ['longtask'] });
  const results = () => {
    if (host.results.masked) seen.results ??= performance.now();
    else seen.whole ??= performance.now();
  };
  host.addEventListener('results', results);
  seen.end = () => {
    dots.disconnect();
    tasks.disconnect();
    host.removeEventListener('results', results);
    host.removeEventListener('photochange', changed);
  };
  /** @type {any} */ (globalThis).seen = seen;
}

const server = await serve();
const browser = await launch();
try {
  const context = await newContext(browser, { viewport: { width: 1280, height: 900 } });
  const page = await context.newPage();
  await page.goto(server.origin);
  const ui = parts(page);
  const list = products();
  /** @type {Record<string, number[]>} */
  const times = {};
  const note = (/** @type {string} */ name, /** @type {number} */ value) => (times[name] ??= []).push(value);
  // The first is not timed: it waits for the downloads.
  for (let photo = 0; photo <= photos; photo++) {
    const images = [0, 1, 2, 3, 4, 5].map((i) => thumbOf(list[(photo * 61 + i * 131) % list.length]));
    const scene = await draw(context, { width: 1024, height: 768, images }, `
      context.fillStyle = '#d8d4ca'; context.fillRect(0, 0, width, height);
      context.globalCompositeOperation = 'multiply';
      images.forEach((image, i) => context.drawImage(image, 30 + i % 3 * 330, 60 + Math.floor(i / 3) * 340, 300, 300));`);
    if (photo > 0) await page.evaluate(watch);
    await hand(page, 'drop', jpeg(scene));
    await ui.canvas.waitFor();
    await settled(page);
    if (photo === 0) continue;
    await page.waitForFunction(() => /** @type {any} */ (globalThis).seen.all !== null, null, { timeout: 60_000 }).catch(() => {});
    const looked = await page.evaluate(() => ({ .../** @type {any} */ (globalThis).seen, end: null }));
    // Of a photo in which nothing reaches the scores there is nothing to time.
    if (looked.first === null || looked.all === null) continue;
    if (looked.whole !== null) note('photo_to_results', looked.whole - looked.begun);
    note('first_dot', looked.first - looked.begun);
    note('all', looked.all - looked.begun);
    note('dots', looked.dots);
    note('longest_task_of_a_photo', looked.longest);
    note('longest_task_while_dots_come', looked.later);
    const dot = await ui.host.locator('.dot').first().boundingBox();
    if (!dot) continue;
    // Beside the dot: what is tapped has to be found.
    await page.mouse.move(dot.x + dot.width / 2 + 30, dot.y + dot.height / 2);
    await page.evaluate(watch);
    await page.mouse.down();
    await page.mouse.up();
    await page.waitForFunction(() => /** @type {any} */ (globalThis).seen.results !== null, null, { timeout: 10_000 }).catch(() => {});
    const tapped = await page.evaluate(() => ({ .../** @type {any} */ (globalThis).seen, end: null }));
    if (tapped.outline !== null && tapped.results !== null) {
      note('tap_to_outline', tapped.outline - tapped.begun);
      note('tap_to_results', tapped.results - tapped.begun);
      note('longest_task_of_a_tap', tapped.longest);
    }
  }
  const bars = { first_dot: 500, all: 2500, longest_task_while_dots_come: 50, tap_to_outline: 250, longest_task_of_a_tap: 50 };
  console.log(`Chromium ${browser.version()}, ${cpus()[0].model}, ${cpus().length} cores, ${photos} photos`);
  const figures = [];
  for (const [name, all] of Object.entries(times)) {
    const sorted = all.toSorted((a, b) => a - b);
    const [least, median, most] = [sorted[0], sorted[Math.floor(sorted.length / 2)], sorted[sorted.length - 1]];
    const bar = /** @type {Record<string, number>} */ (bars)[name] ?? null;
    // Tasks shorter than 50 ms are not reported, and count as 0.
    const pass = bar === null || median <= bar;
    console.log(`${bar === null ? '    ' : pass ? 'ok  ' : 'MISS'} ${name.padEnd(24)} ${[least, median, most].map((value) => value.toFixed(0).padStart(7)).join('')}  of ${sorted.length}${bar === null ? '' : ` (bar ${bar} for the median)`}`);
    figures.push({ name: `things.${name}`, value: median, unit: name === 'dots' ? '' : 'ms', bar, pass });
  }
  if (options.json) writeFileSync(options.json, `${JSON.stringify(figures, null, 2)}\n`);
  process.exitCode = figures.every(({ pass }) => pass) ? 0 : 1;
} finally {
  await browser.close();
  await server.close();
}
