/** Bad input: every one ends in words on the page, and the page goes on working. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { deflateSync } from 'node:zlib';
import { missing, serve } from './server.mjs';
import { choose, draw, hand, idsOf, jpeg, launch, newContext, parts, products, settled, thumbOf } from './harness.mjs';

/** A PNG header that promises this size, and no pixels. @param {number} width @param {number} height */
function png(width, height) {
  const chunk = (/** @type {string} */ type, /** @type {Buffer} */ data) => {
    const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
    const out = Buffer.alloc(body.length + 8);
    out.writeUInt32BE(data.length, 0);
    body.copy(out, 4);
    out.writeUInt32BE(crc(body), body.length + 4);
    return out;
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  return Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), chunk('IHDR', header), chunk('IDAT', deflateSync(Buffer.alloc(64))), chunk('IEND', Buffer.alloc(0))]);
}

/** @param {Buffer} bytes */
function crc(bytes) {
  let sum = ~0;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
  }
  return ~sum >>> 0;
}

describe('bad input', { skip: missing() ?? false }, () => {
  /** @type {Awaited<ReturnType<typeof serve>>} */
  let server;
  /** @type {import('playwright-core').Browser} */
  let browser;
  /** @type {import('playwright-core').BrowserContext} */
  let context;
  /** @type {import('playwright-core').Page} */
  let page;
  /** @type {ReturnType<typeof parts>} */
  let ui;

  before(async () => {
    server = await serve();
    browser = await launch();
    context = await newContext(browser);
    page = await context.newPage();
    await page.goto(server.origin);
    ui = parts(page);
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });

  /** @param {RegExp} words */
  async function says(words) {
    await ui.message.filter({ hasText: words }).waitFor({ timeout: 15_000 });
    assert.equal(await ui.message.getAttribute('role'), 'alert');
  }

  const heic = Buffer.concat([Buffer.from([0, 0, 0, 24]), Buffer.from('ftypheic\0\0\0\0mif1heic', 'latin1'), Buffer.alloc(200)]);
  /** @type {[string, () => Buffer|Promise<Buffer>, RegExp][]} */
  const cases = [
    ['an empty file', () => Buffer.alloc(0), /not a picture.*empty/is],
    ['a text file named .jpg', () => Buffer.from('This is a shopping list: 2 chairs, 1 table.\n'.repeat(20)), /not a picture/i],
    ['a truncated JPEG', async () => (await photo('image/jpeg')).subarray(0, 2000), /incomplete/i],
    ['a truncated PNG', async () => (await photo('image/png')).subarray(0, 900), /incomplete/i],
    ['a truncated WebP', async () => (await photo('image/webp')).subarray(0, 800), /incomplete/i],
    ['a JPEG that is garbage after its header', async () => {
      const bytes = Buffer.from(await photo('image/jpeg'));
      bytes.fill(0xff, 180, bytes.length - 2);
      return bytes;
    }, /picture/i],
    ['a PNG of 0 x 0 pixels', () => png(0, 0), /picture/i],
    ['a PNG of 30000 x 30000 pixels', () => png(30_000, 30_000), /too large/i],
    ['a HEIC photo', () => heic, /HEIC.*JPEG/s],
    ['a PDF', () => Buffer.from('%PDF-1.7\n'.repeat(50)), /not a picture|not supported/i],
  ];

  /** @param {string} type */
  function photo(type) {
    return draw(context, { width: 300, height: 200, type }, `
      for (let i = 0; i < 60; i++) { context.fillStyle = 'hsl(' + i * 37 + ' 70% 50%)'; context.fillRect((i * 53) % width, (i * 31) % height, 60, 45); }`);
  }

  for (const [name, make, words] of cases) {
    test(name, async () => {
      await hand(page, 'drop', jpeg(await make(), 'photo.jpg'));
      await says(words);
    });
  }

  test('something that is no file at all', async () => {
    await hand(page, 'drop', { text: 'just words' });
    await says(/no picture in that/i);
  });

  test('the address of a picture that cannot be had', async () => {
    await hand(page, 'drop', { text: `${server.origin}/nothing.jpg` });
    await says(/could not be fetched/i);
  });

  test('after all of that a good photo is searched, and the message is gone', async () => {
    const [product] = products();
    await choose(page, jpeg(thumbOf(product)));
    await settled(page);
    assert.equal((await idsOf(ui.left))[0], product.id);
    assert.ok(await ui.message.isHidden());
  });

  test('a bad photo after a good one leaves the good one and its results', async () => {
    const before = await idsOf(ui.left);
    await hand(page, 'drop', jpeg(Buffer.from('no picture'), 'photo.jpg'));
    await says(/not a picture/i);
    assert.ok(await ui.canvas.isVisible());
    assert.deepEqual(await idsOf(ui.left), before);
    await ui.message.getByRole('button', { name: 'Dismiss' }).click();
    assert.ok(await ui.message.isHidden());
  });

  test('a link to a product that is not in the catalogue', async () => {
    const other = await context.newPage();
    await other.goto(`${server.origin}/#product=no-such-product`);
    const { message } = parts(other);
    await message.filter({ hasText: /does not fit the catalogue/i }).waitFor();
    // The page goes on: a photo works.
    const [product] = products();
    await hand(other, 'drop', jpeg(thumbOf(product)));
    await settled(other);
    await other.close();
  });

  test('a link full of nonsense', async () => {
    const other = await context.newPage();
    await other.goto(`${server.origin}/#walk=NaN&toward=[1,2&price=cheap&min=9&like=&strength=1e999`);
    const all = parts(other);
    await all.host.locator('.shelf .card').first().waitFor();
    assert.ok(await all.message.isHidden());
    await other.close();
  });

  test('an animated, a transparent, a grey and a very long picture are taken', async () => {
    const transparent = await draw(context, { width: 60, height: 40, type: 'image/png' }, "context.fillStyle = 'rgb(200 30 30 / .5)'; context.fillRect(5, 5, 20, 20);");
    const long = await draw(context, { width: 3000, height: 3, type: 'image/png' }, "context.fillStyle = 'teal'; context.fillRect(0, 0, width, height);");
    const dot = await draw(context, { width: 1, height: 1, type: 'image/png' }, "context.fillStyle = 'teal'; context.fillRect(0, 0, 1, 1);");
    for (const buffer of [transparent, long, dot]) {
      await hand(page, 'drop', { buffer, name: 'p.png', mimeType: 'image/png' });
      await page.waitForTimeout(50);
      await settled(page);
      assert.ok(await ui.message.isHidden(), await ui.message.textContent() ?? '');
    }
  });
});
