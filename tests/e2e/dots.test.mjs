/** Dots on the things in a photo that the catalogue has something like: found one by one, each selects its thing. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';
import { draw, hand, jpeg, launch, newContext, parts, problemsOf, products, settled, thumbOf } from './harness.mjs';
import { fileOf, missing, serve } from './server.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const SCORES = { same: 0.9, close: 0.6, similar: 0.2 };

describe('dots', { skip: missing() ?? false }, () => {
  /** @type {Awaited<ReturnType<typeof serve>>} */
  let server;
  /** @type {import('playwright-core').Browser} */
  let browser;
  /** @type {import('playwright-core').BrowserContext} */
  let context;
  /** @type {Buffer} two products on a pale wall */
  let scene;
  /** @type {Buffer} the wall alone */
  let wall;

  before(async () => {
    server = await serve();
    browser = await launch();
    context = await newContext(browser, { viewport: { width: 1280, height: 900 } });
    const size = { width: 640, height: 480 };
    const paper = "context.fillStyle = '#d8d4ca'; context.fillRect(0, 0, width, height);";
    wall = await draw(context, size, paper);
    scene = await draw(context, { ...size, images: [thumbOf(products()[7]), thumbOf(products()[300])] }, `${paper}
      context.globalCompositeOperation = 'multiply';
      context.drawImage(images[0], 40, 120, 240, 240);
      context.drawImage(images[1], 360, 120, 240, 240);`);
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });

  /** The page of an index whose manifest says this of scores. @param {typeof SCORES|null} scores */
  async function open(scores = SCORES, viewport = { width: 1280, height: 900 }) {
    const manifest = JSON.parse(readFileSync(/** @type {string} */ (fileOf('/catalog/manifest.json')), 'utf8'));
    server.fail({ path: /\/catalog\/manifest\.json$/, body: JSON.stringify({ ...manifest, scores: scores ?? undefined }) });
    const page = await (await newContext(browser, { viewport })).newPage();
    const problems = problemsOf(page);
    await page.goto(server.origin);
    const ui = parts(page);
    const dots = ui.host.locator('.dot');
    const painted = () => ui.canvas.evaluate((canvas) => Number(/** @type {HTMLElement} */ (canvas).dataset.painted));
    return { page, problems, ui, dots, painted };
  }
  const all = (/** @type {import('playwright-core').Page} */ page) => page.locator('look-alike').getByText('Things found in the photo').first().waitFor({ state: 'attached' });

  test('things are marked, named, and selected by their dots, which go away and come back', async () => {
    const { page, problems, ui, dots, painted } = await open();
    await hand(page, 'drop', jpeg(scene));
    await settled(page);
    await all(page);
    assert.ok(await dots.count() >= 2, `${await dots.count()} dots`);
    const photo = await ui.canvas.boundingBox();
    assert.ok(photo);
    const sides = new Set();
    for (const dot of await dots.all()) {
      const box = await dot.boundingBox();
      assert.ok(box && box.width >= 44 && box.height >= 44, 'a finger hits it');
      assert.match(await dot.getAttribute('aria-label') ?? '', /^Select this: it looks like ./);
      sides.add(box.x + box.width / 2 < photo.x + photo.width / 2 ? 'left' : 'right');
    }
    assert.deepEqual([...sides].sort(), ['left', 'right'], 'one on each product');
    await page.evaluate(AXE);
    const found = await page.evaluate(() => /** @type {any} */ (window).axe.run('look-alike'));
    assert.deepEqual(found.violations.map((/** @type {any} */ violation) => violation.id), []);

    await dots.first().focus();
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => Number(/** @type {HTMLElement} */ (document.querySelector('look-alike')?.shadowRoot?.querySelector('.stage canvas[role=application]')).dataset.painted) > 2);
    assert.ok(await painted() < 60);
    assert.equal(await dots.first().isVisible(), false, 'what is selected is not covered');
    assert.equal(await page.evaluate(() => document.querySelector('look-alike')?.shadowRoot?.activeElement?.getAttribute('role')), 'application');
    await settled(page);
    assert.ok(await ui.host.getByRole('radio', { name: 'Only this' }).isChecked());
    await ui.tool('Undo').click();
    await dots.first().waitFor();
    assert.deepEqual(problems, []);
    await page.context().close();
  });

  test('a new photo ends the search, and a wall has no dots', async () => {
    const { page, problems, dots } = await open();
    await hand(page, 'drop', jpeg(scene));
    await dots.first().waitFor();
    await hand(page, 'drop', jpeg(wall, 'wall.jpg'));
    await settled(page);
    await page.waitForTimeout(1_500);
    assert.equal(await dots.count(), 0);
    assert.deepEqual(problems, []);
    await page.context().close();
  });

  test('a tap goes before what still waits', async () => {
    const { page, ui, dots, painted } = await open(SCORES, { width: 390, height: 844 });
    await hand(page, 'drop', jpeg(scene));
    await ui.canvas.waitFor();
    const box = await ui.canvas.boundingBox();
    assert.ok(box);
    await page.mouse.click(box.x + box.width * 0.25, box.y + box.height / 2);
    await page.waitForFunction(() => Number(/** @type {HTMLElement} */ (document.querySelector('look-alike')?.shadowRoot?.querySelector('.stage canvas[role=application]')).dataset.painted) > 2);
    await settled(page);
    await all(page);
    assert.ok(await painted() > 2);
    assert.equal(await dots.first().isVisible(), false, 'something is selected');
    await page.context().close();
  });

  test('none where it is not known what scores mean, or where nothing reaches them', async () => {
    for (const scores of [null, { same: 1, close: 1, similar: 1 }]) {
      const { page, problems, dots } = await open(scores);
      await hand(page, 'drop', jpeg(scene));
      await settled(page);
      await page.waitForTimeout(2_500);
      assert.equal(await dots.count(), 0);
      assert.deepEqual(problems, []);
      await page.context().close();
    }
  });
});
