/** axe-core over every state of the page, in light and dark, wide and narrow. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';
import { missing, serve } from './server.mjs';
import { hand, jpeg, launch, newContext, parts, products, settled, unfoldTools, thumbOf } from './harness.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

describe('accessibility', { skip: missing() ?? false, timeout: 240_000 }, () => {
  /** @type {Awaited<ReturnType<typeof serve>>} */
  let server;
  /** @type {import('playwright-core').Browser} */
  let browser;
  /** All of them are listed before the test fails. @type {string[]} */
  let found = [];

  before(async () => {
    server = await serve();
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });

  /** @param {import('playwright-core').Page} page @param {string} state */
  async function check(page, state) {
    // Fades and slides have colours of their own.
    await page.waitForTimeout(450);
    await page.mouse.move(0, 0);
    const violations = await page.evaluate(async () => {
      const { violations: all } = await Reflect.get(globalThis, 'axe').run(document, { resultTypes: ['violations'] });
      return all.map((/** @type {any} */ each) => `${each.id}: ${each.nodes.map((/** @type {any} */ node) => `${node.target.join(' ')} (${node.any[0]?.message ?? node.all[0]?.message ?? node.none[0]?.message ?? ''})`).slice(0, 4).join(' | ')}`);
    });
    found.push(...violations.map((/** @type {string} */ each) => `${state}: ${each}`));
  }

  // The last is 1440 x 900 at a zoom of 200 %, right to left.
  for (const [colorScheme, width, height, dir] of /** @type {const} */ ([['light', 1280, 900, 'ltr'], ['dark', 390, 844, 'ltr'], ['light', 720, 450, 'rtl']])) {
    test(`no violations in any state, ${colorScheme}, ${width} x ${height}, ${dir}`, async () => {
      const context = await newContext(browser, { colorScheme, viewport: { width, height }, bypassCSP: true, reducedMotion: 'reduce' });
      const page = await context.newPage();
      await page.addInitScript((direction) => addEventListener('DOMContentLoaded', () => { document.documentElement.dir = direction; }), dir);
      await page.addInitScript({ content: AXE });
      server.fail({ path: /\/model-/, delay: 2500 });
      await page.goto(server.origin);
      const ui = parts(page);
      await ui.host.locator('.shelf .card').first().waitFor();
      await check(page, 'empty, loading');
      server.heal();
      await page.locator('.samples button').first().waitFor();
      await check(page, 'empty, with samples');

      await hand(page, 'drop', jpeg(Buffer.from('no picture')));
      await ui.message.waitFor();
      await check(page, 'an error');

      await hand(page, 'drop', jpeg(thumbOf(products()[7])));
      await settled(page);
      await check(page, 'a photo and its results');

      await ui.canvas.focus();
      await page.keyboard.press('r');
      await page.keyboard.press('Enter');
      for (let i = 0; i < 3; i++) await page.keyboard.press('Shift+ArrowRight');
      await page.keyboard.press('Shift+ArrowDown');
      await page.keyboard.press('Enter');
      await ui.right.locator('.card:not(.ghost)').first().waitFor();
      await settled(page);
      await check(page, 'one list of two');
      await ui.host.getByRole('tab', { name: 'Whole photo' }).click();
      await check(page, 'the other list');
      await unfoldTools(page);
      await check(page, 'more tools');
      const compared = ui.host.getByRole('switch', { name: 'Compare' });
      if (await compared.isVisible()) {
        await compared.click();
        await settled(page);
        await check(page, 'two lists');
      }
      const refining = ui.host.getByRole('button', { name: 'Refine' });
      if (await refining.isVisible()) await refining.click();

      const filters = ui.host.locator('.filters summary');
      if (await filters.isVisible()) {
        await filters.click();
        await check(page, 'filters');
        await filters.click();
      }
      const chip = ui.host.locator('.chip').first();
      if (await chip.isVisible()) {
        await chip.click();
        await settled(page);
        await check(page, 'a direction');
      }

      await ui.canvas.focus();
      await page.keyboard.press('?');
      await check(page, 'the help');
      await page.keyboard.press('Escape');
      await ui.host.locator('.lists .list:not([hidden]) .tile').first().click();
      const why = ui.host.getByRole('button', { name: 'Why did this match?' });
      if (await why.isVisible()) await why.click();
      await check(page, 'the details');
      await ui.host.getByRole('button', { name: 'Find similar products' }).last().click();
      await settled(page);
      await check(page, 'similar to a product');
      await context.setOffline(true);
      await check(page, 'offline');
      await context.close();
      const all = found;
      found = [];
      assert.deepEqual(all, []);
    });
  }
});
