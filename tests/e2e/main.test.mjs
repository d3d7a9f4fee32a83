/** The main job: a photo in, the right products out, and nothing of the photo on the wire. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { STRICT_CSP, missing, serve } from './server.mjs';
import { choose, draw, hand, idsOf, jpeg, launch, newContext, parts, problemsOf, products, settled, sharedPhoto, thumbOf } from './harness.mjs';

describe('the main job', { skip: missing() ?? false }, () => {
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

  /** @param {string} [path] */
  async function open(path = '/') {
    const page = await context.newPage();
    const problems = problemsOf(page);
    await page.goto(server.origin + path);
    return { page, problems, ui: parts(page) };
  }

  /** Some products that are far from each other in the list. */
  const chosen = () => {
    const all = products();
    return [7, 150, 401].map((row) => all[row % all.length]);
  };

  test("a product's own picture, chosen as a photo, finds that product", async () => {
    const { page, problems, ui } = await open();
    for (const product of chosen()) {
      await choose(page, jpeg(thumbOf(product)), /Choose a photo|Change photo/);
      await settled(page);
      const ids = await idsOf(ui.left);
      assert.equal(ids.length, 20);
      assert.equal(ids[0], product.id);
    }
    const first = ui.left.locator('.card').first();
    const product = chosen()[2];
    assert.equal(await first.locator('.name').textContent(), product.title);
    assert.equal(await first.locator('.category').textContent(), product.category);
    assert.match(await first.locator('.score').textContent() ?? '', /^(0\.9\d|1\.00)$/);
    assert.ok(await first.locator('img').evaluate((image) => image instanceof HTMLImageElement && image.complete && image.naturalWidth > 0));
    assert.deepEqual(problems, []);
    await page.close();
  });

  test('a dropped photo is searched, and a pasted one after it', async () => {
    const { page, problems, ui } = await open();
    const [a, b] = chosen();
    await hand(page, 'drop', jpeg(thumbOf(a)));
    await settled(page);
    assert.equal((await idsOf(ui.left))[0], a.id);
    await hand(page, 'paste', jpeg(thumbOf(b)));
    await page.waitForFunction((id) => document.querySelector('look-alike')?.shadowRoot?.querySelector('.lists .card')?.getAttribute('data-id') === id, b.id);
    assert.deepEqual(problems, []);
    await page.close();
  });

  test('a photo of the product in a room, smaller and re-encoded, still finds it near the top', async () => {
    const [product] = chosen();
    const photo = await draw(context, { width: 1400, height: 1100, images: [thumbOf(product)] }, `
      context.fillStyle = '#fff'; context.fillRect(0, 0, width, height);
      context.drawImage(images[0], 300, 150, 800, 800);`);
    const { page, ui } = await open();
    await choose(page, jpeg(photo));
    await settled(page);
    assert.ok((await idsOf(ui.left)).includes(product.id));
    await page.close();
  });

  test('a real photo from a camera gives twenty products in falling order of score', async (t) => {
    const buffer = sharedPhoto('clothing/shoes/' + (await firstOf('clothing/shoes')));
    if (!buffer) return t.skip('no photos beside this checkout');
    const { page, problems, ui } = await open();
    await choose(page, jpeg(buffer));
    await settled(page);
    const scores = await ui.left.locator('.score').allTextContents();
    assert.equal(scores.length, 20);
    assert.deepEqual(scores, [...scores].sort((a, b) => Number(b) - Number(a)));
    assert.deepEqual(problems, []);
    await page.close();
  });

  test('similar products of a result need no photo, and a link leads back to them', async () => {
    const { page, ui } = await open();
    const [product] = chosen();
    await hand(page, 'drop', jpeg(thumbOf(product)));
    await settled(page);
    const card = ui.left.locator('.card').first();
    await card.hover();
    await card.getByRole('button', { name: `Find similar to ${product.title}` }).click();
    await ui.host.getByRole('heading', { name: `Similar to ${product.title}` }).waitFor();
    await settled(page);
    assert.ok(!(await ui.canvas.isVisible()), 'the photo makes room');
    const ids = await idsOf(ui.left);
    const url = page.url();
    assert.match(url, /#product=/);
    await page.close();

    const again = await open(url.slice(server.origin.length));
    await settled(again.page);
    assert.deepEqual(await idsOf(again.ui.left), ids);
    await again.page.close();
  });

  for (const [what, picture] of [['photo from life', 'img'], ['pair of products', 'canvas']]) {
    test(`a sample starts a search: a ${what}`, async () => {
      const { page, problems, ui } = await open();
      const samples = page.locator('.samples button');
      await samples.first().waitFor();
      assert.equal(await samples.count(), 4);
      await page.locator(`.samples button:has(${picture})`).first().click();
      await settled(page);
      assert.equal((await idsOf(ui.left)).length, 20);
      assert.ok(await ui.canvas.isVisible());
      assert.deepEqual(problems, []);
      await page.close();
    });
  }

  test('where no photos lie beside the page, all samples are pairs of products', async () => {
    const fresh = await newContext(browser);
    const page = await fresh.newPage();
    await page.route('**/samples/samples.json', (route) => route.fulfill({ status: 404, body: 'none' }));
    await page.goto(server.origin);
    await page.locator('.samples button').first().waitFor();
    assert.equal(await page.locator('.samples canvas').count(), 4);
    await fresh.close();
  });

  test('no request carries the photo or anything made of it', async () => {
    const fresh = await newContext(browser);
    const page = await fresh.newPage();
    /** @type {{url: string, method: string, body: string|null}[]} */
    const seen = [];
    fresh.on('request', (request) => seen.push({ url: request.url(), method: request.method(), body: request.postData() }));
    server.forget();
    await page.goto(server.origin);
    const ui = parts(page);
    const [product] = chosen();
    await hand(page, 'drop', jpeg(thumbOf(product)));
    await settled(page);
    const before = server.log().length;
    // All that a shopper does with a photo: mask, walk through results, remove it.
    const box = /** @type {{x: number, y: number, width: number, height: number}} */ (await ui.canvas.boundingBox());
    await page.mouse.move(box.x + box.width * 0.2, box.y + box.height * 0.2);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.6, box.y + box.height * 0.3, { steps: 5 });
    await page.mouse.up();
    await ui.right.locator('.card:not(.ghost)').first().waitFor();
    await settled(page);
    await ui.tool('Remove').click();
    await page.waitForTimeout(300);

    assert.ok(before > 0 && seen.length > 0);
    for (const { url, method, body } of seen) {
      assert.ok(url.startsWith(server.origin), `another host was asked: ${url}`);
      assert.equal(method, 'GET', url);
      assert.equal(body, null, url);
    }
    const files = /^\/($|index\.html$|www\/|pkg\/((relaxed|threads|relaxed-threads)\/)?lookalike[\w.]*$|catalog\/(manifest\.json|model-\w+\.onnx[\w.]*|index-\w+\.bin[\w.]*|products-\w+\.json[\w.]*|(model|index|products)-\w+\.packed|thumbs\/[\w./-]+)$|samples\/[\w.]+$)/;
    for (const { path, search, method, bytes } of server.log()) {
      assert.match(path, files);
      assert.equal(search, '', path);
      assert.equal(method, 'GET', path);
      assert.equal(bytes, 0, path);
    }
    // What was asked after the photo was there are pictures of results, nothing else.
    for (const { path } of server.log().slice(before)) assert.match(path, /^\/catalog\/thumbs\//);
    assert.ok(!page.url().includes('#') || !/photo|data:/.test(page.url()));
    await fresh.close();
  });

  test('light and dark, as the device says, until the shopper says otherwise', async () => {
    const { page } = await open();
    const brightness = () => page.evaluate(() => Number(getComputedStyle(document.body).backgroundColor.match(/\d+/)?.[0]));
    await page.emulateMedia({ colorScheme: 'dark' });
    assert.ok((await brightness()) < 60);
    await page.getByRole('button', { name: 'Switch between light and dark' }).click();
    assert.ok((await brightness()) > 200);
    await page.emulateMedia({ colorScheme: 'light' });
    assert.ok((await brightness()) > 200);
    await page.close();
  });

  test('where pictures of products cannot be had, an icon stands for them', async () => {
    server.fail({ path: /\/thumbs\//, status: 404 });
    const fresh = await newContext(browser);
    const page = await fresh.newPage();
    await page.goto(server.origin);
    const ui = parts(page);
    await hand(page, 'drop', jpeg(thumbOf(chosen()[0])));
    await settled(page);
    await ui.left.locator('.tile .icon').first().waitFor();
    assert.equal(await ui.left.locator('.card').first().locator('img').count(), 0);
    server.heal();
    await fresh.close();
  });

  test('the help opens at its beginning and gives the focus back', async () => {
    const fresh = await newContext(browser, { viewport: { width: 390, height: 600 } });
    const page = await fresh.newPage();
    await page.goto(server.origin);
    const ui = parts(page);
    await hand(page, 'drop', jpeg(thumbOf(chosen()[0])));
    await settled(page);
    await ui.canvas.focus();
    await page.keyboard.press('?');
    const help = ui.host.getByRole('dialog', { name: 'Keyboard and gestures' });
    assert.equal(await help.evaluate((dialog) => dialog.scrollTop), 0);
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.querySelector('look-alike')?.shadowRoot?.activeElement?.textContent), 'Close');
    await page.keyboard.press('Enter');
    assert.equal(await page.evaluate(() => document.querySelector('look-alike')?.shadowRoot?.activeElement?.tagName), 'CANVAS');
    await fresh.close();
  });

  test('the attribution of the pictures is on the page', async () => {
    const { page, ui } = await open();
    await ui.host.locator('.attribution').waitFor();
    const words = await ui.host.locator('.attribution').textContent() ?? '';
    assert.ok(words.length > 20);
    assert.doesNotMatch(words, /^#|\]\(/m, 'no marks of Markdown');
    await page.close();
  });
});

/** @param {string} folder @returns {Promise<string>} */
async function firstOf(folder) {
  const { readdir } = await import('node:fs/promises');
  const names = await readdir(new URL(`../../../shared/photos/${folder}`, import.meta.url)).catch(() => []);
  return names.filter((name) => /\.jpe?g$/.test(name)).sort()[0] ?? '';
}
