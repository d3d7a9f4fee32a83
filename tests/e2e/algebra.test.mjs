/** The controls that change a query without a new photo, and links to such queries. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { missing, serve } from './server.mjs';
import { draw, hand, idsOf, jpeg, launch, newContext, parts, products, settled, thumbOf } from './harness.mjs';

describe('refining', { skip: missing() ?? false, timeout: 180_000 }, () => {
  /** @type {Awaited<ReturnType<typeof serve>>} */
  let server;
  /** @type {import('playwright-core').Browser} */
  let browser;
  /** @type {import('playwright-core').BrowserContext} */
  let context;
  const start = () => products()[7];

  before(async () => {
    server = await serve();
    browser = await launch();
    context = await newContext(browser);
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });

  /** @param {string} [hash] */
  async function open(hash = '') {
    const page = await context.newPage();
    await page.goto(`${server.origin}/${hash}`);
    return { page, ui: parts(page) };
  }

  /** The list after something changed it. @param {import('playwright-core').Page} page @param {string[]} old */
  async function next(page, old) {
    await page.waitForFunction((before) => {
      const cards = [...document.querySelector('look-alike')?.shadowRoot?.querySelectorAll('.lists .list:first-child .card:not(.ghost)') ?? []];
      return cards.map((card) => /** @type {HTMLElement} */ (card).dataset.id).join() !== before;
    }, old.join());
    await settled(page);
    return idsOf(parts(page).left);
  }

  const share = (/** @type {string[]} */ ids, /** @type {string} */ category) =>
    ids.filter((id) => products().find((each) => each.id === id)?.category === category).length;
  const kindOf = (/** @type {string} */ id) => products().find((each) => each.id === id)?.attributes?.kind;
  const ofKind = (/** @type {string[]} */ ids, /** @type {string} */ kind) => ids.filter((id) => kindOf(id) === kind).length;
  const first = (/** @type {string} */ kind) => /** @type {{id: string}} */ (products().find((each) => each.attributes?.kind === kind));

  test('a direction brings more of a kind, a stronger one more; undo takes it back; the link keeps it', async () => {
    const { page, ui } = await open(`#product=${encodeURIComponent(first('chair').id)}`);
    await settled(page);
    const plain = await idsOf(ui.left);
    const chips = await ui.host.locator('.chip').allTextContents();
    assert.ok(chips.length > 2 && !chips.includes('chair'), `${chips}`);
    const chip = ui.host.getByRole('button', { name: 'table', exact: true });
    await chip.click();
    assert.equal(await chip.getAttribute('aria-pressed'), 'true');
    const some = await next(page, plain);
    const slider = ui.host.getByRole('slider', { name: 'Strength of table' });
    assert.equal(await slider.inputValue(), '0.5');
    await slider.fill('0.9');
    const strong = await next(page, some);
    assert.ok(ofKind(strong, 'table') > ofKind(plain, 'table') + 5, `${ofKind(strong, 'table')} of 20`);
    assert.ok(ofKind(some, 'table') >= ofKind(plain, 'table') && ofKind(some, 'table') <= ofKind(strong, 'table'));
    assert.match(page.url(), /toward=.*chair.*table.*0\.9/);

    const again = await open(page.url().slice(page.url().indexOf('#')));
    await settled(again.page);
    assert.deepEqual(await idsOf(again.ui.left), strong);
    assert.equal(await again.ui.host.getByRole('slider', { name: 'Strength of table' }).inputValue(), '0.9');
    await again.page.close();

    // Pressed again, a chip lets go.
    await chip.click();
    assert.deepEqual(await next(page, strong), plain);
    await ui.tool('Undo last change').click();
    assert.deepEqual(await next(page, plain), strong);
    while (await ui.tool('Undo last change').isVisible()) await ui.tool('Undo last change').click();
    await settled(page);
    assert.deepEqual(await idsOf(ui.left), plain);
    assert.doesNotMatch(page.url(), /toward/);
    await page.close();
  });

  test('a link from an older catalogue: what fits is shown, what does not is named', async () => {
    const toward = JSON.stringify(['kind', 'unicorn', 'kind', 'table', 0.5]);
    const gone = JSON.stringify(['kind', 'chair', 'planet', 'mars', 0.5]);
    const { page, ui } = await open(`#product=${encodeURIComponent(first('chair').id)}&like=sold-out&unlike=gone-too`
      + `&toward=${encodeURIComponent(toward)}&toward=${encodeURIComponent(gone)}&in.category=Nowhere&has.size=XXL`);
    await settled(page);
    assert.equal((await idsOf(ui.left)).length, 20);
    const note = await ui.host.locator('.refine-note').textContent() ?? '';
    for (const word of ['sold-out', 'gone-too', 'mars', 'Nowhere', 'size']) assert.ok(note.includes(word), `${word} in ${note}`);
    assert.ok(!note.includes('table'), 'a direction whose start is gone comes from the mean of all');
    assert.equal(await ui.host.getByRole('button', { name: 'table', exact: true }).getAttribute('aria-pressed'), 'true');
    await page.close();

    const lost = await open('#product=sold-out&in.category=Nowhere');
    await lost.ui.message.waitFor();
    assert.match(await lost.ui.message.textContent() ?? '', /does not fit the catalogue.*sold-out/s);
    await lost.ui.drop.waitFor();
    assert.equal(await lost.ui.host.locator('.app').getAttribute('data-state'), 'empty');
    await lost.page.close();

    // What was never a query: nothing breaks, and nothing is said.
    const noise = await open('#toward=%7B&walk=NaN&min=9&price=-&k=0&=&has.=x');
    await noise.ui.drop.waitFor();
    await noise.page.waitForTimeout(200);
    assert.ok(await noise.ui.message.isHidden());
    await noise.page.close();
  });

  test('only what is similar enough, and back', async () => {
    const { page, ui } = await open(`#product=${encodeURIComponent(first('chair').id)}`);
    await settled(page);
    const plain = await idsOf(ui.left);
    await ui.host.locator('.filters summary').click();
    const scores = async () => (await ui.left.locator('.score').allTextContents()).map(Number);
    const middle = (await scores())[9];
    const least = Math.floor(middle * 20) / 20;
    await ui.host.getByRole('slider', { name: 'Minimum similarity' }).fill(String(least));
    const fewer = await next(page, plain);
    assert.ok(fewer.length >= 10 && fewer.length < 20);
    assert.deepEqual(fewer, plain.slice(0, fewer.length));
    assert.ok((await scores()).every((score) => score >= least - 0.005));
    assert.match(page.url(), /min=/);
    await ui.tool('Undo last change').click();
    assert.deepEqual(await next(page, fewer), plain);
    await page.close();
  });

  test('what is not liked goes, what is liked stays marked', async () => {
    const { page, ui } = await open(`#product=${encodeURIComponent(start().id)}`);
    await settled(page);
    const plain = await idsOf(ui.left);
    const [second] = plain.slice(1);
    const card = ui.left.locator(`.card[data-id="${second}"]`);
    await card.hover();
    await card.locator('.unlike').click();
    const fewer = await next(page, plain);
    assert.ok(!fewer.includes(second));
    const liked = ui.left.locator('.card').first();
    const id = await liked.getAttribute('data-id');
    await liked.hover();
    await liked.locator('.like').click();
    await page.waitForFunction((wanted) => document.querySelector('look-alike')?.shadowRoot?.querySelector(`.card[data-id="${wanted}"] .like`)?.getAttribute('aria-pressed') === 'true', id);
    assert.match(page.url(), /unlike=.*|like=/);
    await ui.host.getByText('Liked: 1 · Not liked: 1').waitFor();
    await ui.tool('Start over').last().click();
    await settled(page);
    assert.deepEqual(await idsOf(ui.left), plain);
    await page.close();
  });

  test('a link to likes alone shows what is like them', async () => {
    const { page, ui } = await open(`#like=${encodeURIComponent(start().id)}`);
    await settled(page);
    assert.equal((await idsOf(ui.left)).length, 20);
    await page.close();
  });

  test('filters are exact and counted; where nothing passes, that is said', async () => {
    const { page, ui } = await open(`#product=${encodeURIComponent(start().id)}`);
    await settled(page);
    const plain = await idsOf(ui.left);
    await ui.host.locator('.filters summary').click();
    const row = ui.host.locator('.facet').first().locator('label').last();
    const category = await row.locator('span').first().textContent() ?? '';
    const count = Number(await row.locator('.facet-count').textContent());
    assert.equal(count, products().filter((each) => each.category === category).length);
    await row.locator('input').check();
    const only = await next(page, plain);
    assert.equal(share(only, category), only.length);
    const others = products().filter((each) => each.category === category && each.id !== start().id).length;
    assert.equal(only.length, Math.min(20, others), 'exactly as many as there are, not what is left of twenty');

    await ui.host.getByRole('slider', { name: 'Minimum similarity' }).fill('0.9');
    await ui.host.getByRole('heading', { name: 'Nothing passes these filters' }).waitFor();
    await ui.host.locator('.none').getByRole('button', { name: 'Remove all filters' }).click();
    await settled(page);
    assert.deepEqual(await idsOf(ui.left), plain);
    await page.close();
  });

  test('the walk goes from the whole photo to the masked one and beyond, without the network', async () => {
    const { page, ui } = await open();
    const photo = await draw(context, { width: 640, height: 480, images: [thumbOf(start()), thumbOf(products()[150])] }, `
      context.fillStyle = '#fff'; context.fillRect(0, 0, width, height);
      context.drawImage(images[0], 10, 80, 330, 330); context.drawImage(images[1], 400, 120, 230, 230);`);
    await hand(page, 'drop', jpeg(photo));
    await settled(page);
    await ui.canvas.focus();
    for (const key of ['x', 'r', 'Enter', 'Shift+ArrowLeft', 'Shift+ArrowLeft', 'Shift+ArrowLeft', 'Shift+ArrowLeft', 'Shift+ArrowUp', 'Shift+ArrowUp', 'Shift+ArrowUp', 'Enter']) await page.keyboard.press(key);
    await ui.right.locator('.card:not(.ghost)').first().waitFor();
    await settled(page);
    const whole = await idsOf(ui.left);
    const masked = await idsOf(ui.right);
    const slider = ui.host.getByRole('slider', { name: 'How much the mask counts' });
    const at = async (/** @type {string} */ t) => {
      await slider.fill(t);
      await page.waitForTimeout(80);
      await settled(page);
      const answer = await page.evaluate(() => /** @type {any} */ (document.querySelector('look-alike')).results.masked);
      // At 1 it is the answer that the mask itself gave.
      if (t !== '1') assert.ok(answer.ms.embed < 50, `the network ran for ${answer.ms.embed} ms at ${t}`);
      return idsOf(ui.right);
    };
    assert.deepEqual(await at('0'), whole);
    assert.deepEqual(await at('1'), masked);
    await at('0.5');
    assert.equal(await ui.right.locator('h3').textContent(), '50 % of the way to the mask');
    await at('1.5');
    assert.equal(await ui.right.locator('h3').textContent(), '50 % beyond the mask');
    assert.ok(!page.url().includes('photo'));
    while (await ui.tool('Undo last change').isVisible()) await ui.tool('Undo last change').click();
    await settled(page);
    assert.deepEqual(await idsOf(ui.right), masked);
    assert.equal(await slider.inputValue(), '1');
    await page.close();
  });

  test('why did this match: a heat map over the photo', async () => {
    const { page, ui } = await open();
    await hand(page, 'drop', jpeg(thumbOf(start())));
    await settled(page);
    await ui.left.locator('.tile').first().click();
    const why = ui.host.getByRole('button', { name: 'Why did this match?' });
    if (await why.isVisible()) {
      const pixels = () => ui.host.locator('dialog canvas').evaluate((canvas) => /** @type {HTMLCanvasElement} */ (canvas).toDataURL().length);
      const before = await pixels();
      await why.click();
      await page.waitForFunction((old) => (/** @type {HTMLCanvasElement} */ (document.querySelector('look-alike')?.shadowRoot?.querySelector('dialog canvas'))).toDataURL().length !== old, before);
      await why.click();
      await page.waitForFunction((old) => (/** @type {HTMLCanvasElement} */ (document.querySelector('look-alike')?.shadowRoot?.querySelector('dialog canvas'))).toDataURL().length === old, before);
    }
    await page.keyboard.press('Escape');
    await page.close();
  });
});
