/** The mask: every tool, both intents, mouse, touch and keyboard, and the lists that follow. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { missing, serve } from './server.mjs';
import { compare, draw, hand, idsOf, jpeg, launch, newContext, once, parts, problemsOf, products, settled, thumbOf, unfoldTools } from './harness.mjs';

describe('the mask', { skip: missing() ?? false }, () => {
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
  /** @type {string[]} */
  let problems;
  /** @type {Buffer} a product at the left, another at the right */
  let photo;
  /** @type {{id: string, title: string, thumb: string, category: string}} */
  let wanted;
  /** @type {{id: string, title: string, thumb: string, category: string}} */
  let inTheWay;

  before(async () => {
    server = await serve();
    browser = await launch();
    context = await newContext(browser, { viewport: { width: 1280, height: 900 } });
    page = await context.newPage();
    problems = problemsOf(page);
    await page.goto(server.origin);
    ui = parts(page);
    [wanted, inTheWay] = [products()[7], products()[150 % products().length]];
    photo = await draw(context, { width: 640, height: 480, images: [thumbOf(wanted), thumbOf(inTheWay)] }, `
      context.fillStyle = '#fff'; context.fillRect(0, 0, width, height);
      context.drawImage(images[0], 10, 80, 330, 330); context.drawImage(images[1], 400, 120, 230, 230);`);
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });
  beforeEach(async () => {
    await hand(page, 'drop', jpeg(photo));
    await ui.canvas.waitFor();
    await settled(page);
    await page.waitForFunction(() => !document.querySelector('look-alike')?.shadowRoot?.querySelector('.lists.two'));
    await unfoldTools(page);
    await ui.tool('Brush').click();
    await ui.host.getByRole('radio', { name: 'Ignore this' }).check();
  });

  /** How much is painted, in per cent, as it is announced. @param {import('playwright-core').Page} [on] */
  async function painted(on = page) {
    const text = await parts(on).host.evaluate((host) => {
      const canvas = /** @type {any} */ (host.shadowRoot?.querySelector('.stage canvas[role=application]'));
      return canvas?.dataset.painted;
    });
    return Number(text);
  }

  async function box() {
    const found = await ui.canvas.boundingBox();
    assert.ok(found);
    return found;
  }

  /** @param {number} x0 @param {number} y0 @param {number} x1 @param {number} y1 shares of the photo area */
  async function drag(x0, y0, x1, y1) {
    const { x, y, width, height } = await box();
    await page.mouse.move(x + x0 * width, y + y0 * height);
    await page.mouse.down();
    await page.mouse.move(x + x1 * width, y + y1 * height, { steps: 8 });
    await page.mouse.up();
  }

  /** @param {number} x0 @param {number} y0 */
  async function click(x0, y0) {
    const { x, y, width, height } = await box();
    await page.mouse.click(x + x0 * width, y + y0 * height);
  }

  async function compared() {
    await ui.right.locator('.card:not(.ghost)').first().waitFor();
    await settled(page);
  }

  test('masking what is in the way brings what is wanted to the top', async () => {
    await ui.tool('Rectangle').click();
    await drag(0.6, 0.02, 0.99, 0.98);
    await compared();
    const whole = await idsOf(ui.left);
    const masked = await idsOf(ui.right);
    assert.equal(masked.length, 20);
    assert.notDeepEqual(masked, whole);
    const place = (/** @type {string[]} */ ids) => (ids.indexOf(wanted.id) + 1) || 99;
    assert.ok(place(masked) <= place(whole), `place ${place(masked)} with the mask, ${place(whole)} without`);
    assert.ok(place(masked) <= 5, `place ${place(masked)}`);
    assert.ok(!masked.slice(0, 5).includes(inTheWay.id));
  });

  test('compared, new, moved and gone are marked and counted', async () => {
    await ui.tool('Rectangle').click();
    await drag(0.6, 0.02, 0.99, 0.98);
    await compared();
    assert.equal(await ui.host.locator('[data-change=new], [data-change=gone]').count(), 0, 'one list at a time has no marks');
    assert.ok(!(await ui.left.isVisible()));
    await compare(page, true);
    assert.ok(await ui.left.isVisible() && await ui.right.isVisible());
    const whole = await idsOf(ui.left);
    const masked = await idsOf(ui.right);
    const added = masked.filter((id) => !whole.includes(id));
    const gone = whole.filter((id) => !masked.includes(id));
    const marks = (/** @type {import('playwright-core').Locator} */ list, /** @type {string} */ kind) => list.locator(`.card[data-change=${kind}]`)
      .evaluateAll((cards) => cards.map((card) => /** @type {HTMLElement} */ (card).dataset.id));
    assert.deepEqual(await marks(ui.right, 'new'), added);
    assert.deepEqual(await marks(ui.left, 'gone'), gone);
    assert.match(await ui.right.locator('.list-note').textContent() ?? '', new RegExp(`^${added.length} new, \\d+ moved, ${gone.length} gone`));
    for (const id of await marks(ui.right, 'up')) assert.ok(whole.indexOf(id ?? '') > masked.indexOf(id ?? ''));
    await compare(page, false);
    assert.ok(!(await ui.left.isVisible()));
  });

  test('"only this" on the wanted is nearly "ignore this" on the rest', async () => {
    await ui.tool('Rectangle').click();
    await ui.host.getByRole('radio', { name: 'Only this' }).check();
    await drag(0.01, 0.1, 0.55, 0.9);
    await compared();
    assert.equal(await ui.right.locator('h3').textContent(), 'Only what you painted');
    const only = await idsOf(ui.right);
    assert.ok(only.slice(0, 5).includes(wanted.id));
    assert.equal(await ui.host.getAttribute('intent'), 'only');
  });

  test('brush, eraser, sizes, undo, redo, invert, clear', async () => {
    await drag(0.2, 0.5, 0.5, 0.5);
    const small = await painted();
    assert.ok(small > 0);
    await ui.tool('Undo').click();
    assert.equal(await painted(), 0);
    await ui.tool('Redo').click();
    assert.equal(await painted(), small);

    await ui.host.getByRole('slider', { name: 'Brush size' }).fill('300');
    await drag(0.2, 0.5, 0.5, 0.5);
    const large = await painted();
    assert.ok(large > small * 2, `${large} after ${small}`);

    await ui.tool('Eraser').click();
    await ui.host.getByRole('slider', { name: 'Brush size' }).fill('90');
    await drag(0.25, 0.5, 0.45, 0.5);
    const less = await painted();
    assert.ok(less < large && less > 0);

    await ui.tool('Invert').click();
    assert.ok(Math.abs((await painted()) - (100 - less)) < 0.5);
    await ui.tool('Clear').click();
    assert.equal(await painted(), 0);
    await settled(page);
    assert.ok(await ui.right.isHidden(), 'without paint there is one list');
    for (let i = 0; i < 4; i++) await ui.tool('Undo').click();
    assert.equal(await painted(), small);
    assert.ok(await ui.tool('Redo').isEnabled());
  });

  test("a pen paints, its other end erases, and then the pen's tool is the one from before", async () => {
    const stroke = (/** @type {number} */ button, /** @type {number} */ to) => page.evaluate(([which, end]) => {
      const canvas = document.querySelector('look-alike')?.shadowRoot?.querySelector('.stage canvas[role=application]');
      const { left, top, width, height } = /** @type {Element} */ (canvas).getBoundingClientRect();
      const at = (/** @type {string} */ type, /** @type {number} */ x) => canvas?.dispatchEvent(new PointerEvent(type, {
        pointerId: 7, pointerType: 'pen', pressure: 0.5, bubbles: true, button: type === 'pointermove' ? -1 : which,
        clientX: left + x * width, clientY: top + 0.5 * height,
      }));
      at('pointerdown', 0.2);
      at('pointermove', end);
      at('pointerup', end);
    }, [button, to]);
    await stroke(0, 0.7);
    const drawn = await painted();
    assert.ok(drawn > 0);
    await stroke(5, 0.4);
    const left = await painted();
    assert.ok(left > 0 && left < drawn, `${left} of ${drawn}`);
    assert.equal(await ui.tool('Brush').getAttribute('aria-pressed'), 'true');
    await stroke(0, 0.4);
    assert.ok(Math.abs((await painted()) - drawn) < 0.2);
  });

  test('a rectangle and a lasso, dragged and clicked together', async () => {
    await ui.tool('Rectangle').click();
    await drag(0.1, 0.2, 0.4, 0.6);
    const dragged = await painted();
    await ui.tool('Clear').click();
    await click(0.1, 0.2);
    assert.equal(await painted(), 0);
    await click(0.4, 0.6);
    assert.ok(Math.abs((await painted()) - dragged) < 0.5);
    await ui.tool('Clear').click();

    await ui.tool('Lasso').click();
    for (const [x, y] of [[0.1, 0.2], [0.4, 0.2], [0.4, 0.6], [0.1, 0.6], [0.1, 0.2]]) await click(x, y);
    assert.ok(Math.abs((await painted()) - dragged) < 1);
    await ui.tool('Clear').click();
    const { x, y, width, height } = await box();
    await page.mouse.move(x + 0.2 * width, y + 0.2 * height);
    await page.mouse.down();
    for (const [px, py] of [[0.6, 0.2], [0.6, 0.7], [0.2, 0.7]]) await page.mouse.move(x + px * width, y + py * height, { steps: 4 });
    await page.mouse.up();
    assert.ok((await painted()) > 10);
  });

  test('zoom, pan and wheel keep the paint where it was put', async () => {
    const { x, y, width, height } = await box();
    await page.mouse.move(x + width / 2, y + height / 2);
    await page.keyboard.down('Control');
    await page.mouse.wheel(0, -300);
    await page.keyboard.up('Control');
    assert.ok(await ui.tool('Zoom out').isEnabled());
    await ui.canvas.focus();
    await page.keyboard.down('Space');
    await drag(0.5, 0.5, 0.7, 0.6);
    await page.keyboard.up('Space');
    assert.equal(await painted(), 0, 'space and drag pans');
    await drag(0.4, 0.4, 0.6, 0.6);
    const zoomed = await painted();
    assert.ok(zoomed > 0);
    await ui.tool('Fit').click();
    assert.ok(!(await ui.tool('Fit').isEnabled()));
    assert.equal(await painted(), zoomed);

    const before = await ui.host.getByRole('slider', { name: 'Brush size' }).inputValue();
    await ui.canvas.focus();
    await page.mouse.move(x + width / 2, y + height / 2);
    await page.mouse.wheel(0, -100);
    await page.waitForFunction((old) => Number(/** @type {HTMLInputElement} */ (document.querySelector('look-alike')?.shadowRoot?.querySelector('.tool-size input')).value) > Number(old), before);
  });

  test('with the keyboard alone: tool, paint, shape, intent, undo', async () => {
    await ui.canvas.focus();
    await page.keyboard.press('b');
    await page.keyboard.press('Space');
    for (let i = 0; i < 6; i++) await page.keyboard.press('ArrowRight');
    await page.keyboard.press('Enter');
    const stroke = await painted();
    assert.ok(stroke > 0);
    await page.keyboard.press('Control+z');
    assert.equal(await painted(), 0);
    await page.keyboard.press('Control+Shift+z');
    assert.equal(await painted(), stroke);
    await page.keyboard.press('Delete');
    assert.equal(await painted(), 0);

    await page.keyboard.press('r');
    await page.keyboard.press('Enter');
    for (const key of ['ArrowRight', 'ArrowDown']) for (let i = 0; i < 2; i++) await page.keyboard.press(`Shift+${key}`);
    await page.keyboard.press('Enter');
    assert.ok((await painted()) > 3);
    await page.keyboard.press('Escape');
    await page.keyboard.press('Delete');

    await page.keyboard.press('l');
    await page.keyboard.press('Enter');
    for (const key of ['ArrowRight', 'ArrowUp', 'ArrowLeft']) {
      await page.keyboard.press(`Shift+${key}`);
      await page.keyboard.press('Shift+' + key);
      await page.keyboard.press('Enter');
    }
    await page.keyboard.press('c');
    assert.ok((await painted()) > 2);
    await compared();

    await page.keyboard.press('x');
    assert.equal(await ui.host.getAttribute('intent'), 'only');
    await page.keyboard.press('i');
    await page.keyboard.press(']');
    await page.keyboard.press('+');
    assert.ok(await ui.tool('Zoom out').isEnabled());
    await page.keyboard.press('0');
    await page.keyboard.press('?');
    await ui.host.getByRole('dialog', { name: 'Keyboard and gestures' }).waitFor();
    await page.keyboard.press('Escape');
    await page.keyboard.press('Tab');
    assert.notEqual(await page.evaluate(() => document.querySelector('look-alike')?.shadowRoot?.activeElement?.tagName), 'CANVAS', 'the keyboard can leave');
  });

  test('a newer stroke calls off the search of an older one, and the last one is shown', async () => {
    await ui.tool('Rectangle').click();
    for (let i = 0; i < 4; i++) await drag(0.6 - i * 0.02, 0.1, 0.95, 0.4 + i * 0.1);
    await compared();
    const quick = await idsOf(ui.right);
    // The same paint, searched for once.
    const ids = await page.evaluate(async () => {
      const element = /** @type {any} */ (document.querySelector('look-alike'));
      return element.results.masked.hits.map((/** @type {any} */ hit) => hit.id);
    });
    assert.deepEqual(quick, ids);
    await ui.tool('Undo').click();
    await ui.tool('Redo').click();
    await compared();
    assert.deepEqual(await idsOf(ui.right), quick);
  });

  test('a stroke is one search however many points it has; of many strokes at once the last alone is searched for; the whole photo never again', async () => {
    const listening = await context.newPage();
    await listening.addInitScript(() => {
      /** @type {any[]} */
      const sent = [];
      /** @type {any[]} */
      const answers = [];
      Object.assign(globalThis, { traffic: { sent, answers } });
      const { postMessage } = MessagePort.prototype;
      MessagePort.prototype.postMessage = function (/** @type {any} */ message, /** @type {any} */ ...rest) {
        if (this.onmessage && !Reflect.get(this, 'heard')) {
          Reflect.set(this, 'heard', true);
          this.addEventListener('message', ({ data }) => data.value?.hits && answers.push(data));
        }
        sent.push({ id: message?.id, abort: message?.abort, call: message?.call, photo: message?.args?.query?.photo });
        postMessage.call(this, message, ...rest);
      };
    });
    await listening.goto(server.origin);
    // What the page asks at its start is over.
    await listening.locator('.samples button').first().waitFor();
    await hand(listening, 'drop', jpeg(photo));
    await settled(listening);
    /**
     * Strokes of many points, drawn without a pause.
     * @param {number} strokes
     * @returns {Promise<{sent: {id?: number, abort?: number, call?: string, photo?: string}[], answers: number[]}>}
     */
    const paint = (strokes) => listening.evaluate(async (count) => {
      const { traffic } = /** @type {any} */ (globalThis);
      traffic.sent.length = traffic.answers.length = 0;
      const host = /** @type {any} */ (document.querySelector('look-alike'));
      const canvas = host.shadowRoot.querySelector('.stage canvas[role=application]');
      const { left, top, width, height } = canvas.getBoundingClientRect();
      const done = new Promise((resolve) => host.addEventListener('results', (/** @type {CustomEvent} */ event) => event.detail.masked && resolve(undefined)));
      for (let stroke = 0; stroke < count; stroke++) {
        const at = (/** @type {string} */ type, /** @type {number} */ x) => canvas.dispatchEvent(new PointerEvent(type, {
          pointerId: 1, bubbles: true, button: type === 'pointermove' ? -1 : 0,
          clientX: left + x * width, clientY: top + (0.3 + stroke * 0.08) * height,
        }));
        at('pointerdown', 0.6);
        for (let i = 0; i < 60; i++) at('pointermove', 0.6 + i * 0.005);
        at('pointerup', 0.9);
      }
      await done;
      // Our listener comes after the page's own.
      await new Promise((resolve) => setTimeout(resolve));
      const about = traffic.sent.filter((/** @type {any} */ each) => each.abort !== undefined || ['mask', 'search'].includes(each.call));
      return { sent: about, answers: traffic.answers.map((/** @type {any} */ each) => each.id) };
    }, strokes);

    const one = await paint(1);
    assert.deepEqual(one.sent.map(({ call, photo: view }) => [call, view].filter(Boolean).join(' ')), ['mask', 'search masked']);
    const many = await paint(5);
    const searches = many.sent.filter(({ call }) => call === 'search');
    assert.ok(searches.every(({ photo: view }) => view === 'masked'), 'the whole photo is not looked at again');
    assert.ok(searches.length <= 5 && searches.length >= 1);
    const aborted = many.sent.map(({ abort }) => abort).filter(Boolean);
    assert.deepEqual(searches.slice(0, -1).map(({ id }) => id), aborted, 'each but the last is called off');
    assert.deepEqual(many.answers, [searches.at(-1)?.id], 'and the worker did not search for it');
    await listening.close();
  });

  test('the paint stays in place when the window is resized', async () => {
    await drag(0.2, 0.3, 0.6, 0.5);
    await compared();
    const before = await painted();
    const ids = await idsOf(ui.right);
    await page.setViewportSize({ width: 420, height: 800 });
    await page.waitForTimeout(200);
    assert.equal(await painted(), before);
    assert.deepEqual(await idsOf(ui.right), ids);
    await page.setViewportSize({ width: 1280, height: 900 });
  });

  test('nothing went wrong on the way', () => assert.deepEqual(problems, []));

  test('a finger paints; two zoom and paint nothing', async () => {
    const phone = await newContext(browser, { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 });
    const touch = await phone.newPage();
    await touch.goto(server.origin);
    const own = parts(touch);
    await hand(touch, 'drop', jpeg(photo));
    await settled(touch);
    await own.canvas.scrollIntoViewIfNeeded();
    const found = await own.canvas.boundingBox();
    assert.ok(found);
    const { x, y, width, height } = found;
    const session = await phone.newCDPSession(touch);
    const at = (/** @type {number} */ px, /** @type {number} */ py, id = 0) => ({ x: x + px * width, y: y + py * height, id });
    const send = (/** @type {"touchStart"|"touchMove"|"touchEnd"} */ type, /** @type {{x: number, y: number, id: number}[]} */ touchPoints) =>
      session.send('Input.dispatchTouchEvent', { type, touchPoints });

    await send('touchStart', [at(0.4, 0.5, 0)]);
    await send('touchStart', [at(0.4, 0.5, 0), at(0.6, 0.5, 1)]);
    for (let i = 1; i <= 5; i++) await send('touchMove', [at(0.4 - i * 0.05, 0.5, 0), at(0.6 + i * 0.05, 0.5, 1)]);
    await send('touchEnd', []);
    assert.equal(await painted(touch), 0);
    await unfoldTools(touch);
    assert.ok(await own.tool('Zoom out').isEnabled());
    await own.tool('Fit').click();

    await own.canvas.scrollIntoViewIfNeeded();
    await send('touchStart', [at(0.7, 0.3)]);
    for (let i = 1; i <= 5; i++) await send('touchMove', [at(0.7, 0.3 + i * 0.08)]);
    await send('touchEnd', []);
    assert.ok((await painted(touch)) > 0);
    await own.right.locator('.card:not(.ghost)').first().waitFor();
    const wide = await touch.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= 390, `the page is ${wide} pixels wide`);
    await phone.close();
  });

  test('a turned photo is shown and masked as the shopper sees it', async () => {
    // A landscape file with EXIF orientation 6 is a portrait.
    const flat = await draw(context, { width: 200, height: 100 }, "context.fillStyle = '#c33'; context.fillRect(0, 0, width, height);");
    const exif = Buffer.from('ffe1002245786966000049492a00080000000100120103000100000006000000000000000000', 'hex').subarray(0, 36);
    const turned = Buffer.concat([flat.subarray(0, 2), exif, flat.subarray(2)]);
    const size = await once(page, 'photochange');
    await hand(page, 'drop', jpeg(turned));
    const { width, height } = await size();
    assert.deepEqual([width, height], [100, 200]);
    await settled(page);
  });

  for (const [megapixels, w, h] of /** @type {const} */ ([[24, 6000, 4000], [48, 8000, 6000]])) test(`a photo of ${megapixels} megapixels is taken, and never more than iOS allows of a canvas is made`, async () => {
    const large = await draw(context, { width: w, height: h, quality: 0.5, images: [thumbOf(wanted)] }, "context.drawImage(images[0], 0, 0, width, height);");
    const size = await once(page, 'photochange');
    await hand(page, 'drop', jpeg(large));
    const { width, height } = /** @type {{width: number, height: number}} */ (await size());
    assert.ok(width <= 1024 && height <= 1024 && Math.abs(width / height - w / h) < 0.01);
    await settled(page);
    const canvases = await ui.host.evaluate((host) => [...host.shadowRoot?.querySelectorAll('canvas') ?? []].map((canvas) => canvas.width * canvas.height));
    assert.ok(canvases.length > 0 && canvases.every((area) => area <= 16_777_216), String(canvases));
    assert.ok(await ui.message.isHidden());
  });
});
