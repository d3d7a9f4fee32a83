/** Products that show the same thing stand together as one result, and each of them can be reached. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';
import { STRICT_CSP, missing, serve } from './server.mjs';
import { hand, idsOf, jpeg, launch, newContext, once, parts, problemsOf, products, settled, thumbOf } from './harness.mjs';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** The products of the largest group of variants, the one that stands for the others first. */
function group() {
  /** @type {(ReturnType<typeof products>[number] & {variantOf?: string})[]} */
  const all = products();
  /** @type {Map<string, number>} */
  const sizes = new Map();
  for (const { variantOf } of all) if (variantOf) sizes.set(variantOf, (sizes.get(variantOf) ?? 0) + 1);
  const [leader] = [...sizes].sort((a, b) => b[1] - a[1])[0] ?? [];
  return all.filter(({ id, variantOf }) => leader !== undefined && (id === leader || variantOf === leader));
}

const none = missing() ?? (group().length === 0 ? 'the catalogue has no variants' : false);

describe('variants', { skip: none, timeout: 120_000 }, () => {
  /** @type {Awaited<ReturnType<typeof serve>>} */
  let server;
  /** @type {import('playwright-core').Browser} */
  let browser;
  /** @type {import('playwright-core').BrowserContext} */
  let context;

  before(async () => {
    server = await serve({ csp: STRICT_CSP });
    browser = await launch();
    context = await newContext(browser);
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });

  test('one result for all, a count on it, and the others by keyboard in its details', async () => {
    const all = group();
    const page = await context.newPage();
    const problems = problemsOf(page);
    await page.goto(server.origin);
    const ui = parts(page);
    await hand(page, 'drop', jpeg(thumbOf(all[all.length - 1])));
    await settled(page);

    const found = await idsOf(ui.left);
    const shown = all.filter(({ id }) => found.includes(id));
    assert.equal(shown.length, 1, 'one stands for all');
    assert.equal(found.length, 20, 'and takes one place');
    const others = all.filter(({ id }) => id !== shown[0].id);
    const name = others.length === 1 ? `1 more variant of ${shown[0].title}` : `${others.length} more variants of ${shown[0].title}`;
    const count = ui.left.locator(`.card[data-id="${shown[0].id}"]`).getByRole('button', { name, exact: true });
    assert.equal(await count.textContent(), `+${others.length}`);
    const box = await count.boundingBox();
    assert.ok(box && box.width >= 24 && box.height >= 24, 'large enough to hit');
    const alone = products().find(({ id, ...rest }) => found.includes(id) && !('variantOf' in rest) && !all.some((each) => each.id === id)
      && !products().some((each) => 'variantOf' in each && each.variantOf === id));
    if (alone) assert.equal(await ui.left.locator(`.card[data-id="${alone.id}"] .variants`).isVisible(), false);

    await count.focus();
    await page.keyboard.press('Enter');
    const details = ui.host.getByRole('dialog');
    const choices = details.getByRole('list').getByRole('button');
    await choices.first().waitFor();
    assert.deepEqual(await choices.locator('.variant-name').allTextContents(), others.map(({ title }) => title));
    assert.ok(await choices.locator('img').evaluateAll((images) => images.every((image) => /** @type {HTMLImageElement} */ (image).src.includes('thumbs/'))));

    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => /** @type {any} */ (globalThis).axe.run(document, { resultTypes: ['violations'] }));
    assert.deepEqual(violations.map((/** @type {any} */ each) => `${each.id}: ${each.nodes[0]?.html}`), []);

    const selected = await once(page, 'select');
    await choices.first().focus();
    await page.keyboard.press('Enter');
    assert.equal((await selected()).product.id, others[0].id);
    await details.getByRole('heading', { name: others[0].title, exact: true }).first().waitFor();
    assert.equal(await ui.host.locator('dialog[open]').count(), 1, 'one dialog at a time');
    await choices.first().waitFor();
    assert.equal(await choices.count(), others.length, 'and the way back is among its variants');
    assert.ok((await choices.locator('.variant-name').allTextContents()).includes(shown[0].title));
    await page.keyboard.press('Escape');
    assert.deepEqual(problems, []);
    await page.close();
  });
});
