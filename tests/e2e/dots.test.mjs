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
  /** @type {Buffer} the second of them alone */
  let other;
  /** @type {Buffer} many */
  let many;

  before(async () => {
    server = await serve();
    browser = await launch();
    context = await newContext(browser, { viewport: { width: 1280, height: 900 } });
    const size = { width: 640, height: 480 };
    const paper = "context.fillStyle = '#d8d4ca'; context.fillRect(0, 0, width, height);";
    other = await draw(context, { ...size, images: [thumbOf(products()[300])] }, `${paper}
      context.globalCompositeOperation = 'multiply';
      context.drawImage(images[0], 360, 120, 240, 240);`);
    many = await draw(context, { ...size, images: [7, 100, 200, 300, 400, 500].map((at) => thumbOf(products()[at])) }, `${paper}
      context.globalCompositeOperation = 'multiply';
      images.forEach((image, i) => context.drawImage(image, 20 + i % 3 * 205, 40 + Math.floor(i / 3) * 210, 190, 190));`);
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

  test('a new photo has its own dots, however far the search in the one before was', async () => {
    const { page, problems, dots, ui } = await open();
    await hand(page, 'drop', jpeg(many));
    await dots.first().waitFor();
    await hand(page, 'drop', jpeg(other, 'other.jpg'));
    await settled(page);
    await all(page);
    const photo = await ui.canvas.boundingBox();
    assert.ok(photo);
    const places = await dots.evaluateAll((all) => all.map((dot) => parseFloat(/** @type {HTMLElement} */ (dot).style.left)));
    assert.ok(places.length > 0 && places.every((left) => left > photo.width / 2), places.join());
    assert.deepEqual(problems, []);
    await page.context().close();
  });

  test('a tap goes before what still waits, and a tap on a dot selects its thing', async () => {
    const { page, dots, painted } = await open(SCORES, { width: 390, height: 844 });
    // By the page itself, as soon as the first dot is there: a click from outside may come when all is over.
    await page.locator('look-alike').evaluate((host) => {
      const root = /** @type {ShadowRoot} */ (host.shadowRoot);
      const tap = () => {
        const { left, top, width, height } = /** @type {Element} */ (root.querySelector('.dot')).getBoundingClientRect();
        const canvas = root.querySelector('.stage canvas[role=application]');
        for (const type of ['pointerdown', 'pointerup']) {
          canvas?.dispatchEvent(new PointerEvent(type, { clientX: left + width / 2, clientY: top + height / 2, pointerId: 7, bubbles: true }));
        }
      };
      new MutationObserver((_, observer) => {
        if (!root.querySelector('.dot')) return;
        observer.disconnect();
        // It is put in its place with the next frame.
        requestAnimationFrame(() => requestAnimationFrame(tap));
      }).observe(root, { childList: true, subtree: true });
    });
    await hand(page, 'drop', jpeg(many));
    const found = await page.waitForFunction(() => {
      const root = document.querySelector('look-alike')?.shadowRoot;
      const canvas = /** @type {HTMLElement|null|undefined} */ (root?.querySelector('.stage canvas[role=application]'));
      return Number(canvas?.dataset.painted) > 0.5 && { dots: root?.querySelectorAll('.dot').length ?? 0, said: root?.querySelector('.stage [aria-live]')?.textContent };
    });
    const then = await found.jsonValue();
    assert.ok(then);
    assert.equal(then.said, '', 'not all windows had been looked at');
    assert.equal(await dots.first().isVisible(), false, 'something is selected');
    await settled(page);
    await all(page);
    assert.ok(await dots.count() > then.dots, 'it went on');
    assert.ok(await painted() < 40);
    await page.context().close();
  });

  test('a stroke passes through a dot; zoomed in, those beyond the edge are away; the theme is dark and the page runs to the left', async () => {
    const { page, problems, ui, dots, painted } = await open();
    await page.emulateMedia({ colorScheme: 'dark' });
    await page.evaluate(() => { document.documentElement.dir = 'rtl'; });
    await hand(page, 'drop', jpeg(scene));
    await settled(page);
    await all(page);
    await page.evaluate(AXE);
    const found = await page.evaluate(() => /** @type {any} */ (window).axe.run('look-alike'));
    assert.deepEqual(found.violations.map((/** @type {any} */ violation) => violation.id), []);
    const count = await dots.count();
    const box = await ui.canvas.boundingBox();
    assert.ok(box);
    const shown = () => dots.evaluateAll((all) => all.filter((dot) => !(/** @type {HTMLElement} */ (dot).hidden)).length);
    assert.equal(await shown(), count);
    await page.mouse.move(box.x + 30, box.y + 30);
    await page.keyboard.down('Control');
    for (let i = 0; i < 8; i++) await page.mouse.wheel(0, -300);
    await page.keyboard.up('Control');
    await page.waitForFunction(() => [...document.querySelector('look-alike')?.shadowRoot?.querySelectorAll('.dot') ?? []].some((dot) => /** @type {HTMLElement} */ (dot).hidden));
    assert.ok(await shown() < count);
    await page.mouse.move(box.x + 30, box.y + 30);
    await page.keyboard.down('Control');
    for (let i = 0; i < 8; i++) await page.mouse.wheel(0, 300);
    await page.keyboard.up('Control');
    await page.waitForFunction(() => [...document.querySelector('look-alike')?.shadowRoot?.querySelectorAll('.dot') ?? []].every((dot) => !(/** @type {HTMLElement} */ (dot).hidden)));
    const at = await dots.first().boundingBox();
    assert.ok(at);
    await page.mouse.move(at.x + at.width / 2, at.y + at.height / 2);
    await page.mouse.down();
    await page.mouse.move(at.x + at.width / 2 + 50, at.y + at.height / 2 + 10, { steps: 5 });
    await page.mouse.up();
    await page.waitForFunction(() => Number(/** @type {HTMLElement} */ (document.querySelector('look-alike')?.shadowRoot?.querySelector('.stage canvas[role=application]')).dataset.painted) > 0.2);
    assert.ok(await painted() < 6, 'a stroke, and not a thing');
    assert.deepEqual(problems, []);
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
