/** Scores in words: what the manifest says that they mean, and what is said where nothing is much like the photo. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { choose, jpeg, launch, newContext, parts, problemsOf, products, settled, thumbOf } from './harness.mjs';
import { fileOf, missing, serve } from './server.mjs';
import { isNothingAlike, likenessOf } from '../../www/likeness.js';

const SCORES = { same: 0.9, close: 0.6, similar: 0.2 };

test('levels begin at their scores', () => {
  const seen = [1, 0.9, 0.89, 0.6, 0.59, 0.2, 0.19, -1].map((score) => likenessOf(score, SCORES));
  assert.deepEqual(seen, ['same', 'same', 'close', 'close', 'similar', 'similar', null, null]);
});

test('nothing is alike only where something was found, and it is known what scores mean', () => {
  const hits = (/** @type {number[]} */ ...scores) => scores.map((score, row) => ({ row, id: String(row), score, product: { id: String(row), title: '' } }));
  assert.equal(isNothingAlike(hits(0.19, 0.1), SCORES), true);
  assert.equal(isNothingAlike(hits(0.2, 0.1), SCORES), false);
  assert.equal(isNothingAlike([], SCORES), false);
  assert.equal(isNothingAlike(hits(-0.5), undefined), false);
});

describe('scores in words', { skip: missing() ?? false }, () => {
  /** @type {Awaited<ReturnType<typeof serve>>} */
  let server;
  /** @type {import('playwright-core').Browser} */
  let browser;
  before(async () => {
    server = await serve();
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });

  /** The page of an index whose manifest says this of scores. @param {typeof SCORES|undefined} scores */
  async function open(scores) {
    const manifest = JSON.parse(readFileSync(/** @type {string} */ (fileOf('/catalog/manifest.json')), 'utf8'));
    server.fail({ path: /\/catalog\/manifest\.json$/, body: JSON.stringify({ ...manifest, scores }) });
    const page = await (await newContext(browser)).newPage();
    const problems = problemsOf(page);
    await page.goto(server.origin);
    await page.evaluate(() => { document.querySelector('look-alike')?.toggleAttribute('scores', true); });
    return { page, problems, ui: parts(page) };
  }

  test('every card says what its score means', async () => {
    const { page, problems, ui } = await open(SCORES);
    await choose(page, jpeg(thumbOf(products()[42])));
    await settled(page);
    const cards = await ui.left.locator('.card').evaluateAll((all) => all.map((card) => ({
      score: Number(card.querySelector('.score')?.textContent), word: card.querySelector('.likeness')?.textContent ?? '',
    })));
    assert.equal(cards.length, 20);
    assert.equal(cards[0].word, 'The same');
    for (const { score, word } of cards) {
      // What is shown is rounded.
      if (Object.values(SCORES).some((level) => Math.abs(score - level) < 0.006)) continue;
      assert.equal(word, score > 0.9 ? 'The same' : score > 0.6 ? 'Very close' : score > 0.2 ? 'Similar' : '');
    }
    assert.ok(await ui.host.locator('.nothing').isHidden());
    // A product's own neighbours are no photos, from which it is learnt what scores mean.
    await ui.left.locator('.card').nth(1).hover();
    await ui.left.locator('.card').nth(1).getByRole('button', { name: /^Find similar/ }).click();
    await settled(page);
    assert.deepEqual(await ui.left.locator('.likeness:not(:empty)').count(), 0);
    assert.deepEqual(problems, []);
  });

  test('where nothing is much like the photo it says so, with ways on', async () => {
    const { page, problems, ui } = await open({ same: 1, close: 1, similar: 0.9999 });
    await choose(page, jpeg(thumbOf(products()[42])));
    await settled(page);
    const note = ui.host.locator('.nothing');
    const way = (/** @type {string} */ name) => note.getByRole('button', { name });
    // What is shown was made smaller and packed anew, so that not even the product itself scores as much.
    assert.ok(await note.isVisible());
    assert.match((await note.textContent()) ?? '', /Nothing much like it here/);
    assert.match((await ui.status.textContent()) ?? '', /Nothing much like it here/);
    assert.equal(await ui.left.locator('.card').count(), 20, 'the nearest are shown all the same');
    assert.ok(await way('Look for the whole photo').isHidden(), 'it is what was looked for');
    assert.ok(await way('Remove all filters').isHidden(), 'there is none');
    // On a phone, the button for filters stands beside it or below it, not on it.
    const wide = page.viewportSize();
    await page.setViewportSize({ width: 390, height: 844 });
    const [said, button] = [await note.boundingBox(), await ui.host.getByRole('button', { name: 'Refine' }).boundingBox()];
    assert.ok(said && button && (button.y >= said.y + said.height || button.x >= said.x + said.width), JSON.stringify([said, button]));
    if (wide) await page.setViewportSize(wide);

    await ui.canvas.focus();
    await page.keyboard.press('Space');
    for (let i = 0; i < 6; i++) await page.keyboard.press('Shift+ArrowRight');
    await page.keyboard.press('Space');
    await settled(page);
    await way('Look for the whole photo').click();
    await settled(page);
    assert.equal(await ui.canvas.getAttribute('data-painted'), '0');
    await way('Browse the products').click();
    await ui.host.locator('.shelf .card').first().waitFor();
    assert.ok(await note.isHidden());
    assert.deepEqual(problems, []);
  });

  test('without what scores mean there are no words', async () => {
    const { page, problems, ui } = await open(undefined);
    await choose(page, jpeg(thumbOf(products()[42])));
    await settled(page);
    assert.equal(await ui.left.locator('.card').count(), 20);
    assert.equal(await ui.left.locator('.likeness:not(:empty)').count(), 0);
    assert.ok(await ui.host.locator('.nothing').isHidden());
    assert.deepEqual(problems, []);
  });
});
