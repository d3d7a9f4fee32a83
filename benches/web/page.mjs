/**
 * The page as a shopper feels it: from a drop to results, from pen-up to new results, and how long the main thread
 * is ever held.
 *
 *   node benches/web/page.mjs [--json FILE] [--reps N] [--tasks]
 *
 * needs what `cargo xtask demo --no-serve` leaves. Prints minimum and median; `--tasks` lists each long task with its
 * phase. Writes `[{name, value, unit, bar, pass}]`; values are medians. Exits with 1 if a bar is missed.
 */
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { draw, facade, launch, newContext, parts, products, settled, thumbOf, unfoldTools } from '../../tests/e2e/harness.mjs';
import { missing, serve } from '../../tests/e2e/server.mjs';

const { values: options } = parseArgs({
  options: { json: { type: 'string' }, reps: { type: 'string', default: '7' }, tasks: { type: 'boolean', default: false } },
});
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

/** Runs in the page before anything else: notes long tasks, and times from an event to the frame that shows its results. */
function watch() {
  /** @type {{start: number, duration: number}[]} */
  const tasks = [];
  new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) tasks.push({ start: startTime, duration });
  }).observe({ type: 'longtask', buffered: true });
  /** @type {{name: string, start: number}[]} */
  const phases = [{ name: 'load', start: 0 }];
  const element = () => /** @type {HTMLElement} */ (document.querySelector('look-alike'));
  const shown = () => new Promise((resolve) => {
    requestAnimationFrame(() => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => resolve(performance.now());
      port2.postMessage(null);
    });
  });
  /** When the next list of this kind is on the screen. @param {"whole"|"masked"} list */
  const results = (list) => new Promise((resolve) => {
    const listen = (/** @type {Event} */ event) => {
      if (!(/** @type {CustomEvent} */ (event).detail[list])) return;
      element().removeEventListener('results', listen);
      void shown().then(resolve);
    };
    element().addEventListener('results', listen);
  });
  Object.assign(globalThis, {
    bench: {
      tasks,
      phases,
      enter: (/** @type {string} */ name) => phases.push({ name, start: performance.now() }),
      /** From the drop of the file in an input to its results. @param {HTMLInputElement} input */
      drop: async (input) => {
        const data = new DataTransfer();
        data.items.add(/** @type {FileList} */ (input.files)[0]);
        const done = results('whole');
        const start = performance.now();
        element().dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }));
        return (await done) - start;
      },
      /** From the next pen-up to its results. */
      penUp: () => new Promise((resolve) => {
        addEventListener('pointerup', (event) => {
          void results('masked').then((end) => resolve(end - event.timeStamp));
        }, { capture: true, once: true });
      }),
    },
  });
}

/** Runs in a blank page: what one embedding of a masked photo takes. @param {{reps: number, photo: string}} given */
async function embedTimes({ reps: count, photo }) {
  const fetched = async (/** @type {string} */ url) => new Uint8Array(await (await fetch(url)).arrayBuffer());
  // @ts-ignore: a path of the server
  const { default: init, LookalikeEngine } = await import('/pkg/lookalike.js');
  await init({ module_or_path: '/pkg/lookalike_bg.wasm' });
  const engine = new LookalikeEngine(await fetched('/catalog/manifest.json'));
  for (const { role, path } of engine.files()) engine.provide(role, await fetched(`/catalog/${path}`));
  const bitmap = await createImageBitmap(new Blob([Uint8Array.from(atob(photo), (c) => c.charCodeAt(0))]), { resizeWidth: 1024, resizeHeight: 768 });
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (new OffscreenCanvas(1024, 768).getContext('2d'));
  context.drawImage(bitmap, 0, 0);
  engine.setPhoto(new Uint8Array(context.getImageData(0, 0, 1024, 768).data.buffer), 1024, 768);
  engine.embed(false);
  const mask = new Uint8Array(1024 * 768).fill(255, 0, 1024 * 200);
  const times = [];
  for (let i = 0; i <= count; i++) {
    engine.setMask(mask, 1024, 768);
    const start = performance.now();
    engine.embed(true);
    times.push(performance.now() - start);
  }
  return times.slice(1);
}

const server = await serve({
  pages: {
    '/blank.html': '<!doctype html><title>bench</title>',
    // Nothing is downloaded before the photo is there: the longest way.
    '/lazy.html': '<!doctype html><meta charset="utf-8"><title>bench</title><script type="module" src="/www/element.js"></script><look-alike manifest="/catalog/manifest.json"></look-alike>',
  },
});
const browser = await launch();
try {
  const drawing = await newContext(browser);
  const [a, b] = [products()[7], products()[150 % products().length]];
  const photo = await draw(drawing, { width: 4000, height: 3000, quality: 0.9, images: [thumbOf(a), thumbOf(b)] }, `
    context.fillStyle = '#e9e2d6'; context.fillRect(0, 0, width, height);
    context.drawImage(images[0], 200, 300, 2200, 2200); context.drawImage(images[1], 2600, 900, 1200, 1200);`);
  const file = { name: 'photo.jpg', mimeType: 'image/jpeg', buffer: photo };

  /** @type {Record<string, number[]>} */
  const times = { 'drop, cold': [], 'drop, second visit': [], 'drop, warm': [], 'pen-up': [], embed: [] };
  /** @type {{phase: string, duration: number}[]} */
  const tasks = [];

  /** @param {import('playwright-core').BrowserContext} context @param {string} path */
  async function open(context, path) {
    const page = await context.newPage();
    await page.addInitScript(watch);
    await page.goto(server.origin + path);
    await page.evaluate(() => {
      const input = document.createElement('input');
      input.type = 'file';
      input.id = 'file';
      input.hidden = true;
      document.body.append(input);
    });
    await page.setInputFiles('#file', file);
    return page;
  }
  const drop = (/** @type {import('playwright-core').Page} */ page) => page.locator('#file').evaluate((input) => Reflect.get(globalThis, 'bench').drop(input));
  const enter = (/** @type {import('playwright-core').Page} */ page, /** @type {string} */ phase) => page.evaluate((name) => Reflect.get(globalThis, 'bench').enter(name), phase);
  /** @param {import('playwright-core').Page} page */
  async function collect(page) {
    // The observer hears of a task after it has ended.
    await page.waitForTimeout(300);
    const { tasks: seen, phases } = await page.evaluate(() => {
      const { tasks: list, phases: marks } = Reflect.get(globalThis, 'bench');
      return { tasks: list, phases: marks };
    });
    for (const { start, duration } of seen) {
      const phase = phases.findLast((/** @type {{start: number}} */ each) => each.start <= start)?.name ?? 'load';
      tasks.push({ phase, duration });
    }
  }

  for (let i = 0; i < reps; i++) {
    const context = await newContext(browser, { viewport: { width: 1280, height: 900 } });
    const cold = await open(context, '/lazy.html');
    await enter(cold, 'load and search');
    times['drop, cold'].push(await drop(cold));
    await settled(cold);
    await collect(cold);
    await cold.close();
    const second = await open(context, '/lazy.html');
    times['drop, second visit'].push(await drop(second));
    await second.close();
    await context.close();
  }

  const context = await newContext(browser, { viewport: { width: 1280, height: 900 } });
  const page = await open(context, '/');
  const ui = parts(page);
  await page.locator('.samples button').first().waitFor();
  await page.waitForFunction(() => document.querySelector('look-alike')?.shadowRoot?.querySelector('.progress')?.hasAttribute('hidden'));
  await enter(page, 'search');
  await drop(page);
  await settled(page);
  for (let i = 0; i < reps; i++) {
    times['drop, warm'].push(await drop(page));
    await settled(page);
  }
  await enter(page, 'paint');
  const box = await ui.canvas.boundingBox();
  if (!box) throw new Error('there is no photo to paint on');
  const at = (/** @type {number} */ x, /** @type {number} */ y) => /** @type {const} */ ([box.x + x * box.width, box.y + y * box.height]);
  for (let i = 0; i < reps; i++) {
    const done = page.evaluate(() => Reflect.get(globalThis, 'bench').penUp());
    await page.mouse.move(...at(0.65, 0.3 + i * 0.03));
    await page.mouse.down();
    for (let step = 1; step <= 12; step++) await page.mouse.move(...at(0.65 + step * 0.025, 0.3 + i * 0.03 + (step % 3) * 0.05));
    await page.mouse.up();
    times['pen-up'].push(await done);
    await settled(page);
  }
  // All else that is done to a mask.
  await unfoldTools(page);
  for (const tool of ['Invert', 'Invert', 'Zoom in', 'Zoom in', 'Undo', 'Redo', 'Fit', 'Lasso', 'Clear', 'Undo']) {
    await ui.tool(tool).click();
    await page.waitForTimeout(150);
  }
  await settled(page);
  await page.setViewportSize({ width: 900, height: 900 });
  await settled(page);
  await enter(page, 'search');
  const chip = ui.host.locator('.chip').first();
  if (await chip.isVisible()) {
    await chip.click();
    await settled(page);
  }
  await ui.host.locator('.lists .list:not([hidden]) .tile').first().click();
  await ui.host.getByRole('button', { name: 'Why did this match?' }).click();
  await page.waitForTimeout(300);
  await page.keyboard.press('Escape');
  await collect(page);

  const blank = await context.newPage();
  await blank.goto(`${server.origin}/blank.html`);
  times.embed = await blank.evaluate(embedTimes, { reps, photo: thumbOf(a).toString('base64') });

  console.log(`Chromium ${browser.version()}, ${cpus()[0].model}, ${cpus().length} cores, ${reps} repetitions, a photo of 12 megapixels`);
  console.log(`${'ms'.padEnd(20)} ${'min'.padStart(8)} ${'median'.padStart(8)}`);
  for (const [name, list] of Object.entries(times)) {
    console.log(`${name.padEnd(20)} ${least(list).toFixed(1).padStart(8)} ${median(list).toFixed(1).padStart(8)}`);
  }
  if (options.tasks) for (const { phase, duration } of tasks) console.log(`task of ${duration.toFixed(0)} ms during ${phase}`);
  /** @type {[string, number, string, number|null][]} */
  const rows = [
    ['page.drop.cold', median(times['drop, cold']), 'ms', null],
    ['page.drop.second_visit', median(times['drop, second visit']), 'ms', null],
    ['page.drop.warm', median(times['drop, warm']), 'ms', null],
    ['page.pen_up', median(times['pen-up']), 'ms', median(times.embed) + 100],
    ['page.long_tasks.count', tasks.length, 'tasks', 0],
    ['page.long_tasks.longest', Math.max(0, ...tasks.map(({ duration }) => duration)), 'ms', 50],
    ['page.facade.br', facade().bytes / 1024, 'KiB', 10],
  ];
  const figures = rows.map(([name, value, unit, bar]) => ({ name, value, unit, bar, pass: bar === null || value <= bar }));
  for (const { name, value, unit, bar, pass } of figures) {
    console.log(`${pass ? 'ok  ' : 'MISS'} ${name.padEnd(24)} ${value.toFixed(1)} ${unit}${bar === null ? '' : ` (bar ${bar.toFixed(1)})`}`);
  }
  if (options.json) writeFileSync(options.json, `${JSON.stringify(figures, null, 2)}\n`);
  process.exitCode = figures.every(({ pass }) => pass) ? 0 : 1;
} finally {
  await browser.close();
  await server.close();
}
