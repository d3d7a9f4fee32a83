/** Taps: the thing at a point is selected, by mouse, finger and keyboard, and searched with at its own size. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { missing, serve } from './server.mjs';
import { draw, hand, idsOf, jpeg, launch, newContext, parts, problemsOf, products, settled, thumbOf } from './harness.mjs';

describe('taps', { skip: missing() ?? false }, () => {
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
  /** @type {Buffer} a red block and a blue disc on a pale wall */
  let scene;

  before(async () => {
    server = await serve();
    browser = await launch();
    context = await newContext(browser, { viewport: { width: 1280, height: 900 } });
    page = await context.newPage();
    problems = problemsOf(page);
    await page.goto(server.origin);
    ui = parts(page);
    scene = await draw(context, { width: 640, height: 480, images: [thumbOf(products()[7])] }, `
      context.fillStyle = '#e8e4da'; context.fillRect(0, 0, width, height);
      context.fillStyle = '#b02818'; context.fillRect(64, 120, 160, 192);
      context.fillStyle = '#1840a0'; context.beginPath(); context.arc(480, 240, 90, 0, 7); context.fill();`);
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });
  beforeEach(async () => {
    await hand(page, 'drop', jpeg(scene));
    await ui.canvas.waitFor();
    await settled(page);
  });

  /** How much of the photo is painted, in per cent. */
  const painted = async () => Number(await ui.canvas.evaluate((canvas) => /** @type {HTMLElement} */ (canvas).dataset.painted));
  const isPainted = (/** @type {number} */ least, /** @type {number} */ most) => page.waitForFunction(([least, most]) => {
    const canvas = /** @type {HTMLElement} */ (document.querySelector('look-alike')?.shadowRoot?.querySelector('.stage canvas[role=application]'));
    const share = Number(canvas.dataset.painted);
    return share > least && share < most;
  }, [least, most]);
  const place = async (/** @type {number} */ x, /** @type {number} */ y) => {
    const box = await ui.canvas.boundingBox();
    assert.ok(box);
    // The photo lies in the middle of the canvas, as large as fits.
    const scale = Math.min(box.width / 640, box.height / 480);
    return { x: box.x + (box.width - 640 * scale) / 2 + x * scale, y: box.y + (box.height - 480 * scale) / 2 + y * scale };
  };
  const tap = async (/** @type {number} */ x, /** @type {number} */ y) => {
    const at = await place(x, y);
    await page.mouse.click(at.x, at.y);
  };

  test('the thing at a tap is selected; another tap selects another; undo brings the first back', async () => {
    const whole = await idsOf(ui.left);
    await tap(144, 210);
    // The block takes 10 % of the photo, the disc 8.3.
    await isPainted(8, 13);
    await settled(page);
    assert.ok(await ui.host.getByRole('radio', { name: 'Only this' }).isChecked());
    const block = await idsOf(ui.right);
    assert.ok(block.length > 0);
    assert.notDeepEqual(block, whole);
    const first = await painted();
    await tap(480, 240);
    await page.waitForFunction((before) => {
      const canvas = /** @type {HTMLElement} */ (document.querySelector('look-alike')?.shadowRoot?.querySelector('.stage canvas[role=application]'));
      return Number(canvas.dataset.painted) !== before;
    }, first);
    await isPainted(6, 11);
    await settled(page);
    await ui.tool('Undo').click();
    await page.waitForFunction((before) => {
      const canvas = /** @type {HTMLElement} */ (document.querySelector('look-alike')?.shadowRoot?.querySelector('.stage canvas[role=application]'));
      return Number(canvas.dataset.painted) === before;
    }, first);
    assert.deepEqual(problems, []);
  });

  test('a plain wall is nothing, and says so', async () => {
    await tap(320, 40);
    await ui.host.getByText('Nothing stands out there').first().waitFor({ state: 'attached' });
    assert.equal(await painted(), 0);
  });

  test('the keyboard selects at its cursor, and paints once something is selected', async () => {
    await ui.canvas.focus();
    // From the middle to the left, into the block.
    for (let i = 0; i < 3; i++) await page.keyboard.press('Shift+ArrowLeft');
    await page.keyboard.press('Enter');
    await isPainted(8, 13);
    const before = await painted();
    // What is painted now is added to what was selected.
    const from = await place(320, 400);
    await page.mouse.move(from.x, from.y);
    await page.mouse.down();
    await page.mouse.move(from.x + 60, from.y, { steps: 4 });
    await page.mouse.up();
    await isPainted(before + 0.5, 60);
    // From now on a click is a dab.
    const dabbed = await painted();
    await tap(480, 240);
    await isPainted(dabbed + 0.1, dabbed + 5);
  });

  test('two fingers in the box make it larger; beside it, or once it is most of the photo, they zoom', async () => {
    const phone = await newContext(browser, { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
    const touched = await phone.newPage();
    await touched.goto(server.origin);
    const own = parts(touched);
    await hand(touched, 'drop', jpeg(scene));
    await settled(touched);
    await own.canvas.scrollIntoViewIfNeeded();
    const frame = await own.canvas.boundingBox();
    assert.ok(frame);
    const scale = Math.min(frame.width / 640, frame.height / 480);
    const at = (/** @type {number} */ x, /** @type {number} */ y, id = 0) =>
      ({ x: frame.x + (frame.width - 640 * scale) / 2 + x * scale, y: frame.y + (frame.height - 480 * scale) / 2 + y * scale, id });
    const share = async () => Number(await own.canvas.getAttribute('data-painted'));
    const session = await phone.newCDPSession(touched);
    const send = (/** @type {"touchStart"|"touchMove"|"touchEnd"} */ type, /** @type {ReturnType<typeof at>[]} */ ...touchPoints) =>
      session.send('Input.dispatchTouchEvent', { type, touchPoints });
    /** Two fingers, from so far to so far about the height y. @param {number} y @param {number[]} from @param {number[]} to */
    const pinch = async (y, from, to) => {
      await send('touchStart', at(from[0], y));
      await send('touchStart', at(from[0], y), at(from[1], y, 1));
      for (const part of [0.5, 1]) {
        await send('touchMove', at(from[0] + (to[0] - from[0]) * part, y), at(from[1] + (to[1] - from[1]) * part, y, 1));
      }
      await send('touchEnd');
      await touched.waitForTimeout(100);
    };
    await touched.touchscreen.tap(at(144, 240).x, at(144, 240).y);
    await touched.waitForFunction(() => Number(/** @type {HTMLElement|null|undefined} */ (document.querySelector('look-alike')?.shadowRoot
      ?.querySelector('.stage canvas[role=application]'))?.dataset.painted) > 8);
    const selected = await share();
    const height = 180;
    await pinch(height, [110, 180], [93, 197]);
    // Half as wide again, and as high: 2.2 times the area, give or take what the outline left of its box.
    assert.ok((await share()) > selected * 1.8 && (await share()) < selected * 3.2, `${selected} % before, ${await share()} after`);
    const grown = await share();
    await pinch(400, [450, 520], [420, 550]);
    assert.equal(await share(), grown, 'beside the box they leave it alone');
    await own.tool('Undo').click();
    assert.equal(await share(), selected);
    await phone.close();
  });

  test('on a phone, four taps lead from the page to a product, and nothing has to be scrolled to', async () => {
    const phone = await newContext(browser, { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, reducedMotion: 'reduce' });
    const held = await phone.newPage();
    await held.goto(server.origin);
    const own = parts(held);
    let taps = 0;
    /** What can be seen, and nothing else, can be tapped. @param {import('playwright-core').Locator} what @param {[number, number]} [at] */
    const tapOn = async (what, [x, y] = [0.5, 0.5]) => {
      await what.waitFor();
      const box = await what.boundingBox();
      assert.ok(box);
      const point = { x: box.x + box.width * x, y: box.y + box.height * y };
      assert.ok(point.y > 0 && point.y < 844 && point.x > 0 && point.x < 390, `${await what.getAttribute('class')} is out of sight`);
      await held.touchscreen.tap(point.x, point.y);
      taps++;
    };
    await tapOn(held.locator('.samples button:has(img)').first());
    await settled(held);
    await tapOn(own.canvas, [0.47, 0.55]);
    await own.right.locator('.card:not(.ghost)').first().waitFor();
    await settled(held);
    const covered = await own.host.evaluate((host) => [...host.shadowRoot?.querySelectorAll('.grip') ?? []].filter((grip) => {
      const { left, top, width, height } = grip.getBoundingClientRect();
      return host.shadowRoot?.elementFromPoint(left + width / 2, top + height / 2) !== grip && !grip.contains(host.shadowRoot?.elementFromPoint(left + width / 2, top + height / 2) ?? null);
    }).map((grip) => grip.className));
    assert.deepEqual(covered, [], 'no tool lies over a handle of the box');
    assert.equal(await own.tool('Eraser').isVisible(), false, 'tools are one step behind');
    await tapOn(own.right.locator('.card:not(.ghost) .tile').first());
    const link = own.host.locator('dialog[open] a[href]').first();
    await link.waitFor();
    const address = String(await link.getAttribute('href'));
    assert.match(address, /^https?:/);
    // The shop's own page, which is elsewhere.
    await phone.route(/^https?:\/\/(?!127\.|localhost)/, (route) => route.fulfill({ contentType: 'text/html', body: '<title>there</title>' }));
    assert.equal(await held.evaluate(() => scrollY), 0);
    await tapOn(link);
    assert.equal(taps, 4);
    await (held.waitForURL(address).catch(() => {}));
    assert.ok(phone.pages().some((each) => each.url() === address), phone.pages().map((each) => each.url()).join());
    await phone.close();
  });

  test('ten taps a second: the last one counts', async () => {
    for (let i = 0; i < 9; i++) await tap(i % 2 ? 144 : 480, 230);
    await tap(144, 210);
    await isPainted(8, 13);
    await settled(page);
    await isPainted(8, 13);
    assert.deepEqual(problems, []);
  });

  test('the box around the thing has handles: by pointer and by arrow keys, within the photo, one step each', async () => {
    await tap(144, 210);
    await isPainted(8, 13);
    const box = ui.host.locator('.selection');
    await box.waitFor();
    const grip = (/** @type {string} */ name) => box.getByRole('button', { name });
    const sides = async () => {
      // What has changed is drawn with the next frame.
      await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
      const [at, from, to] = [await box.boundingBox(), await place(0, 0), await place(640, 480)];
      assert.ok(at);
      const scale = (to.x - from.x) / 640;
      return { left: (at.x - from.x) / scale, top: (at.y - from.y) / scale, right: (at.x + at.width - from.x) / scale, bottom: (at.y + at.height - from.y) / scale };
    };
    const near = (/** @type {number} */ a, /** @type {number} */ b) => assert.ok(Math.abs(a - b) < 12, `${a} is not ${b}`);
    const found = await sides();
    near(found.left, 64);
    near(found.right, 224);
    near(found.top, 120);
    near(found.bottom, 312);
    await settled(page);
    const outlined = await idsOf(ui.right);

    // Dragged far beyond the photo, a corner stays within it.
    const corner = await grip('Upper left corner').boundingBox();
    assert.ok(corner);
    await page.mouse.move(corner.x + corner.width / 2, corner.y + corner.height / 2);
    await page.mouse.down();
    await page.mouse.move(corner.x - 900, corner.y - 900, { steps: 5 });
    await page.mouse.up();
    await isPainted(20, 26);
    const large = await sides();
    near(large.left, 0);
    near(large.top, 0);
    near(large.right, found.right);
    await settled(page);
    assert.notDeepEqual(await idsOf(ui.right), outlined);

    // The keyboard: a corner past the opposite one stops before it; the box moves as a whole.
    await grip('Lower right corner').focus();
    await page.keyboard.press('ArrowRight');
    near((await sides()).right, large.right + 6.4);
    for (let i = 0; i < 8; i++) await page.keyboard.press('Shift+ArrowLeft');
    const narrow = await sides();
    assert.ok(narrow.right > narrow.left && narrow.right - narrow.left < 20, JSON.stringify(narrow));
    await page.waitForFunction(() => /The box is 1 % wide/.test(document.querySelector('look-alike')?.shadowRoot?.querySelector('[role=status]')?.textContent ?? ''));
    await grip('Move the box').focus();
    await page.keyboard.press('Shift+ArrowRight');
    near((await sides()).left, narrow.left + 64);
    near((await sides()).right, narrow.right + 64);
    for (let i = 0; i < 11; i++) await ui.tool('Undo').click();
    near((await sides()).left, found.left);
    near((await sides()).right, found.right);

    // It is the box of what is looked for, so that without that there is none.
    await ui.host.getByRole('radio', { name: 'Ignore this' }).check();
    assert.ok(await box.isHidden());
    await ui.host.getByRole('radio', { name: 'Only this' }).check();
    await box.waitFor();
    assert.deepEqual(problems, []);
  });

  test('after the box was changed, a tap selects another thing', async () => {
    await tap(144, 210);
    await isPainted(8, 13);
    await ui.host.getByRole('button', { name: 'Lower right corner' }).focus();
    await page.keyboard.press('Shift+ArrowDown');
    await isPainted(13, 20);
    await tap(480, 240);
    await isPainted(7, 10);
    assert.deepEqual(problems, []);
  });
});
