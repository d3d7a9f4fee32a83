/** What is in sight where: a phone, a tablet, a wide screen, and zoomed to 200 %; one list at a time; more results. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { fileOf, missing, serve } from './server.mjs';
import { compare, draw, hand, idsOf, jpeg, launch, newContext, parts, problemsOf, products, settled, unfoldTools, thumbOf } from './harness.mjs';

describe('layout', { skip: missing() ?? false, timeout: 240_000 }, () => {
  /** @type {Awaited<ReturnType<typeof serve>>} */
  let server;
  /** @type {import('playwright-core').Browser} */
  let browser;
  /** @type {Buffer} */
  let photo;

  before(async () => {
    server = await serve();
    browser = await launch();
    const context = await newContext(browser);
    photo = await draw(context, { width: 640, height: 480, images: [thumbOf(products()[7]), thumbOf(products()[150])] }, `
      context.fillStyle = '#fff'; context.fillRect(0, 0, width, height);
      context.drawImage(images[0], 10, 80, 330, 330); context.drawImage(images[1], 400, 120, 230, 230);`);
    await context.close();
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });

  /**
   * @param {number} width @param {number} height
   * @param {Buffer} [picture]
   */
  async function open(width, height, picture = photo) {
    const phone = width < 500;
    const context = await newContext(browser, { viewport: { width, height }, hasTouch: phone, isMobile: phone, reducedMotion: 'reduce' });
    const page = await context.newPage();
    const problems = problemsOf(page);
    await page.goto(server.origin);
    await hand(page, 'drop', jpeg(picture));
    await settled(page);
    return { context, page, problems, ui: parts(page) };
  }

  /** How many results can be seen whole, nothing else lying over them. @param {import('playwright-core').Page} page */
  const seen = (page) => page.locator('look-alike').evaluate((host) => [...host.shadowRoot?.querySelectorAll('.lists .card:not(.ghost)') ?? []].filter((card) => {
    const { top, bottom, left, width } = card.getBoundingClientRect();
    const middle = host.shadowRoot?.elementFromPoint(left + width / 2, (top + bottom) / 2);
    return width > 0 && top >= 0 && bottom <= innerHeight && middle && card.contains(middle);
  }).length);

  /** Starts a stroke, and ends it where that is wanted. @param {import('playwright-core').Page} page @param {boolean} lift */
  async function paint(page, lift) {
    const box = await parts(page).canvas.boundingBox();
    assert.ok(box);
    await page.mouse.move(box.x + box.width * 0.46, box.y + box.height * 0.4);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.54, box.y + box.height * 0.6, { steps: 5 });
    if (lift) await page.mouse.up();
  }

  for (const [name, width, height] of /** @type {const} */ ([['landscape', 640, 480], ['portrait', 480, 640], ['a strip', 200, 1400]])) {
    test(`on a phone, three results or more are in sight at every moment (${name})`, async () => {
      const maker = await newContext(browser);
      const picture = await draw(maker, { width, height, images: [thumbOf(products()[7])] }, "context.fillStyle = '#fff'; context.fillRect(0, 0, width, height); context.drawImage(images[0], 0, 0, width, width);");
      await maker.close();
      const { context, page, ui, problems } = await open(390, 844, picture);
      assert.ok((await seen(page)) >= 3, `${await seen(page)} with a photo`);
      await paint(page, false);
      assert.ok((await seen(page)) >= 3, `${await seen(page)} while painting`);
      await page.mouse.up();
      await ui.right.locator('.card:not(.ghost)').first().waitFor();
      await settled(page);
      assert.ok((await seen(page)) >= 3, `${await seen(page)} painted`);
      await unfoldTools(page);
      assert.ok(await ui.tool('Invert').isVisible());
      assert.ok((await seen(page)) >= 3, `${await seen(page)} with more tools`);
      assert.equal(await page.evaluate(() => [scrollY, document.documentElement.scrollWidth].join()), '0,390');
      assert.deepEqual(problems, []);
      await context.close();
    });
  }

  test('on a phone, the sheet is pulled up over the photo by its handle and down again; focus in the photo brings it back', async () => {
    const { context, page, ui } = await open(390, 844);
    const handle = ui.host.getByRole('button', { name: 'All results' });
    const top = () => ui.host.locator('.results-pane').evaluate((sheet) => Math.round(sheet.getBoundingClientRect().top));
    const start = await top();
    assert.ok(start > 300);
    await handle.click();
    assert.ok((await top()) < 2);
    assert.ok((await seen(page)) >= 6);
    await handle.click();
    assert.ok((await top()) > 200);
    await page.evaluate(() => scrollTo(0, 900));
    await ui.canvas.focus();
    assert.ok((await top()) > 200, 'the photo is not covered while it has the focus');
    await ui.host.getByRole('button', { name: 'Refine' }).click();
    assert.ok(await ui.host.locator('.chip').first().isVisible());
    await context.close();
  });

  for (const [width, height] of /** @type {const} */ ([[820, 1180], [1440, 900]])) {
    test(`at ${width} x ${height}, the photo stays in sight while the results scroll`, async () => {
      const { context, page, ui } = await open(width, height);
      for (const y of [0, 400, 1000]) {
        await page.evaluate((to) => scrollTo(0, to), y);
        const box = await ui.canvas.boundingBox();
        assert.ok(box && box.y >= 0 && box.y + box.height <= height, `${JSON.stringify(box)} at ${y}`);
        assert.ok((await seen(page)) >= 3);
      }
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
      await context.close();
    });
  }

  test('zoomed to 200 %, a result is in sight', async () => {
    const { context, page, ui } = await open(720, 450);
    assert.ok((await seen(page)) >= 1);
    await paint(page, true);
    await ui.right.locator('.card:not(.ghost)').first().waitFor();
    await settled(page);
    assert.ok((await seen(page)) >= 1);
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
    await context.close();
  });

  for (const [width, height, least] of [[390, 844, 3], [720, 450, 1]]) {
    test(`with the note that nothing is much like it, results are in sight (${width} x ${height})`, async () => {
      const manifest = JSON.parse(readFileSync(/** @type {string} */ (fileOf('/catalog/manifest.json')), 'utf8'));
      const scores = { same: 1, close: 1, similar: 0.9999 };
      server.fail({ path: /\/catalog\/manifest\.json$/, body: JSON.stringify({ ...manifest, scores }) });
      const { context, page, ui } = await open(width, height);
      server.heal();
      await ui.host.locator('.nothing').waitFor();
      assert.ok((await seen(page)) >= least, String(await seen(page)));
      await paint(page, true);
      await ui.right.locator('.card:not(.ghost)').first().waitFor();
      await settled(page);
      assert.ok((await seen(page)) >= least, String(await seen(page)));
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
      await context.close();
    });
  }

  test('one list at a time: tabs by pointer and keyboard; a new selection shows its own; comparing shows both', async () => {
    const { context, page, ui } = await open(1280, 900);
    assert.equal(await ui.host.getByRole('tab').count(), 0);
    await paint(page, true);
    await ui.right.locator('.card:not(.ghost)').first().waitFor();
    await settled(page);
    const own = ui.host.getByRole('tab', { name: 'Without the paint' });
    const whole = ui.host.getByRole('tab', { name: 'Whole photo' });
    const shown = async () => [await own.getAttribute('aria-selected'), await ui.right.isVisible(), await ui.left.isVisible()];
    assert.deepEqual(await shown(), ['true', true, false]);
    await whole.click();
    assert.deepEqual(await shown(), ['false', false, true]);
    await page.keyboard.press('ArrowLeft');
    assert.deepEqual(await shown(), ['true', true, false]);
    assert.ok(await own.evaluate((tab) => tab === /** @type {ShadowRoot} */ (tab.getRootNode()).activeElement));
    await page.keyboard.press('End');
    assert.deepEqual(await shown(), ['false', false, true]);
    assert.equal(await ui.host.getByRole('tabpanel').count(), 1);
    await compare(page, true);
    assert.ok(await ui.left.isVisible() && await ui.right.isVisible());
    assert.equal(await ui.host.getByRole('tab').count(), 0);
    await compare(page, false);
    await ui.tool('Undo').click();
    await settled(page);
    await page.waitForFunction(() => /** @type {any} */ (document.querySelector('look-alike')).results.masked === null);
    assert.ok(await ui.left.isVisible() && !(await ui.right.isVisible()));
    await ui.tool('Redo').click();
    await ui.right.locator('.card:not(.ghost)').first().waitFor();
    await settled(page);
    assert.deepEqual(await shown(), ['true', true, false]);
    await context.close();
  });

  for (const width of [820, 1440]) {
    test(`at ${width} pixels all tools are there, and none to unfold them`, async () => {
      const { context, ui } = await open(width, 900);
      assert.ok(await ui.tool('Eraser').isVisible() && await ui.tool('More tools').isVisible());
      assert.equal(await ui.tool('Paint, erase and other tools').isVisible(), false);
      await context.close();
    });
  }

  test('more results on request, said to a screen reader; scores as numbers only where they are asked for', async () => {
    const { context, page, ui } = await open(1280, 900);
    const first = await idsOf(ui.left);
    const more = ui.host.getByRole('button', { name: 'More results' });
    await more.focus();
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => /** @type {any} */ (document.querySelector('look-alike')).results.whole.hits.length === 40);
    await settled(page);
    const all = await idsOf(ui.left);
    assert.equal(all.length, 40);
    assert.deepEqual(all.slice(0, 20), first);
    assert.equal(await ui.status.textContent(), '40 products now');
    assert.ok(await more.evaluate((button) => button === /** @type {ShadowRoot} */ (button.getRootNode()).activeElement), 'the focus stays');
    const score = ui.left.locator('.score').first();
    assert.ok(!(await score.isVisible()));
    await ui.left.locator('button.tile').first().click();
    assert.equal(await ui.host.locator('.score-chip').count(), 0);
    await page.keyboard.press('Escape');
    await page.evaluate(() => { /** @type {any} */ (document.querySelector('look-alike')).scores = true; });
    assert.ok(await score.isVisible());
    await context.close();
  });
});
