/** The element where other people put it: their layouts, their zoom, their policies, moved about, taken out, pasted at. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { pageOf, pictureOf } from '../../www/addresses.js';
import { STRICT_CSP, fileOf, missing, serve } from './server.mjs';
import { draw, hand, idsOf, jpeg, launch, newContext, parts, problemsOf, products, settled, thumbOf } from './harness.mjs';

const ELEMENT = '<look-alike manifest="/catalog/manifest.json" k="5"></look-alike>';
const html = (/** @type {string} */ body, /** @type {string} */ head = '') => `<!doctype html><html lang="en"><meta charset="utf-8">
  <meta name="viewport" content="width=device-width"><title>t</title>${head}<script type="module" src="/www/element.js"></script><main><h1>t</h1>${body}</main></html>`;

/** Where an element may be put: the style of what is around it. @type {Record<string, string>} */
const PLACES = {
  block: '',
  row: 'display: flex',
  'row beside another': 'display: flex; gap: 1rem',
  column: 'display: flex; flex-direction: column; align-items: start',
  grid: 'display: grid; justify-items: start',
  'grid of two': 'display: grid; grid-template-columns: auto auto',
  float: '--own: float: left',
  inline: '--own: display: inline-block',
  absolute: 'position: relative; block-size: 60rem; --own: position: absolute; inset-inline-start: 0',
  fixed: 'block-size: 60rem; --own: position: fixed',
  table: 'display: table-cell',
  'fit to content': 'inline-size: fit-content',
  contents: 'display: contents',
  'flex of contents': 'display: flex; --inner: display: contents',
  'right to left': 'display: flex; direction: rtl',
};

/** @param {string} style */
function place(style) {
  const [around, own = ''] = style.split('--own:');
  const [outer, inner = ''] = around.split('--inner:');
  return `<div style="${outer}"><div class="near" hidden></div><div style="${inner || 'display: contents'}">${ELEMENT.replace(' ', ` style="${own}" `)}</div></div>`;
}

describe('addresses from a feed', () => {
  test('a product leads to its shop or nowhere', () => {
    const base = 'https://shop.example/search/';
    const cases = {
      'https://shop.example/p/1': 'https://shop.example/p/1',
      ' http://shop.example/p ': 'http://shop.example/p',
      'HTTPS://Shop.Example/P': 'https://shop.example/P',
      '/p/1?a=b': 'https://shop.example/p/1?a=b',
      '//other.example/p': 'https://other.example/p',
      'https://shop.example/a b': 'https://shop.example/a%20b',
      'shop.example/p': null, 'p.html': null, '?p=1': null, '#p': null, '': null, ' ': null,
      'http://[::1': null, 'http://exa mple': null, 'http://': null, 'https://': null, 'http:///': null, 'http://a:b': null,
      'javascript:alert(1)': null, 'java\nscript:alert(1)': null, 'data:text/html,x': null, 'mailto:a@b.example': null, 'file:///etc/passwd': null, 'blob:https://a.example/1': null,
    };
    for (const [url, page] of Object.entries(cases)) assert.equal(pageOf({ id: '1', title: 't', url }, base), page, JSON.stringify(url));
    assert.equal(pageOf({ id: '1', title: 't' }, base), null);
  });

  test('a picture is the hosted thumbnail, else an absolute address, else none', () => {
    const manifest = 'https://cdn.example/catalog/manifest.json';
    const of = (/** @type {{image: string, thumb?: string}[]|undefined} */ images, index = 0) => pictureOf({ id: '1', title: 't', images }, index, manifest);
    assert.equal(of([{ image: 'a.jpg', thumb: 'thumbs/a.jpg' }]), 'https://cdn.example/catalog/thumbs/a.jpg');
    assert.equal(of([{ image: 'https://shop.example/a.jpg' }]), 'https://shop.example/a.jpg');
    assert.equal(of([{ image: 'a.jpg' }, { image: 'b.jpg', thumb: 't/b.jpg' }], 1), 'https://cdn.example/catalog/t/b.jpg');
    assert.equal(of([{ image: 'a.jpg', thumb: 't/a.jpg' }], 7), 'https://cdn.example/catalog/t/a.jpg', 'the main one where there is none of this number');
    for (const image of ['a.jpg', '/a.jpg', 'C:\\a.jpg', '', 'http://[::1', 'javascript:1', 'data:image/png;base64,AA==']) assert.equal(of([{ image }]), null, image);
    assert.equal(of([{ image: 'a.jpg', thumb: 'http://[::1' }]), null);
    assert.equal(of([]), null);
    assert.equal(of(undefined), null);
  });
});

describe('embedding', { skip: missing() ?? false, timeout: 1_200_000 }, () => {
  /** @type {Awaited<ReturnType<typeof serve>>} */
  let server;
  /** @type {import('playwright-core').Browser} */
  let browser;
  /** @type {import('playwright-core').BrowserContext} */
  let context;
  /** @type {import('playwright-core').Page} */
  let page;
  /** @type {string[]} */
  let problems;

  const some = () => products()[7];
  const other = () => products()[150];

  before(async () => {
    server = await serve({
      pages: {
        '/one': html(ELEMENT),
        '/two': html(`${ELEMENT.replace(' ', ' id="first" ')}${ELEMENT.replace(' ', ' id="second" ')}`),
        '/none': html(''),
        '/page': html(`<input aria-label="i"><textarea aria-label="t"></textarea><div contenteditable id="editable">e</div><button>b</button>${ELEMENT.replace(' ', ' paste="page" ')}`),
        ...Object.fromEntries(Object.entries(PLACES).map(([name, style]) => [`/place/${name}`, html(place(style))])),
        '/place/dialog': html(`<dialog open>${ELEMENT}</dialog>`),
      },
    });
    browser = await launch();
    // One for all: the network is fetched once.
    context = await newContext(browser, { viewport: { width: 1200, height: 900 } });
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });
  beforeEach(async () => {
    server.heal();
    server.forget();
    page = await context.newPage();
    problems = problemsOf(page);
  });
  afterEach(() => page.close());

  /** Makes a File of a picture for scripts of the page, under this name. @param {string} name @param {Buffer} buffer */
  async function keep(name, buffer) {
    await page.evaluate(([key, base64]) => {
      Reflect.set(globalThis, key, new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], 'photo.jpg', { type: 'image/jpeg' }));
    }, [name, buffer.toString('base64')]);
  }

  /** @param {string} id that must come first @param {string} [element] */
  async function finds(id, element) {
    await settled(page, element);
    assert.equal((await idsOf(parts(page, element).left))[0], id);
  }

  describe('keeps its width once loaded', () => {
    for (const name of [...Object.keys(PLACES), 'dialog']) {
      test(name, async () => {
        await page.goto(`${server.origin}/place/${name}`);
        const width = () => page.locator('look-alike').evaluate((element) => element.getBoundingClientRect().width);
        const facade = await width();
        assert.ok(facade > 300, `${facade} px before`);
        await page.evaluate(() => /** @type {any} */ (document.querySelector('look-alike')).load());
        assert.ok(Math.abs(await width() - facade) < 1, `${facade} px before, ${await width()} px once loaded`);
        await page.evaluate((id) => { /** @type {any} */ (document.querySelector('look-alike')).productId = id; }, some().id);
        await settled(page);
        assert.ok(Math.abs(await width() - facade) < 1, `${facade} px before, ${await width()} px with results`);
        await page.setViewportSize({ width: 390, height: 844 });
        const { right, wide } = await page.locator('look-alike').evaluate((element) => ({ right: element.getBoundingClientRect().right, wide: document.documentElement.scrollWidth }));
        assert.ok(right <= 391 && wide <= 391, `ends at ${right}, the page is ${wide} px wide`);
      });
    }

    test('beside a neighbour that shrinks no further, the two share the row', async () => {
      await page.goto(`${server.origin}/place/row beside another`);
      await page.evaluate(() => {
        const near = /** @type {HTMLElement} */ (document.querySelector('.near'));
        near.hidden = false;
        near.style.cssText = 'flex: none; inline-size: 300px';
        return /** @type {any} */ (document.querySelector('look-alike')).load();
      });
      for (const width of [1200, 640]) {
        await page.setViewportSize({ width, height: 800 });
        const wide = await page.evaluate(() => document.documentElement.scrollWidth);
        assert.ok(wide <= width, `${wide} of ${width}`);
      }
    });
  });

  describe('paint lands under the pointer', () => {
    /** @type {Record<string, string>} */
    const styles = {
      plain: '', 'zoom .9': 'zoom: .9', 'zoom 1.25': 'zoom: 1.25', 'zoom 2': 'zoom: 2', 'zoom in zoom': 'zoom: 1.5; --inner: zoom: 1.2',
      'scale .5': 'transform: scale(.5); transform-origin: 0 0', 'scale 1.5': 'transform: scale(1.5); transform-origin: 0 0',
      'scale property': 'scale: 1.3 .8; transform-origin: 0 0', turned: 'transform: translate(200px, 60px) rotate(20deg) scale(.7)', mirrored: 'transform: scaleX(-1)',
      'zoom and scale': 'zoom: 1.25; transform: scale(.6); transform-origin: 0 0', rtl: 'direction: rtl; zoom: 1.25',
    };
    for (const [name, style] of Object.entries(styles)) {
      test(name, async () => {
        await page.setViewportSize({ width: 1000, height: 1600 });
        await page.goto(`${server.origin}/one`);
        const [outer, inner] = style.split('--inner:');
        await page.evaluate(([around, within]) => {
          const main = /** @type {HTMLElement} */ (document.querySelector('main'));
          main.style.cssText = `inline-size: 420px; ${around}`;
          /** @type {HTMLElement} */ (document.querySelector('look-alike')).style.cssText = within ?? '';
        }, [outer, inner]);
        const photo = await draw(context, { width: 400, height: 400 }, "context.fillStyle = '#7a8'; context.fillRect(0, 0, width, height);");
        await hand(page, 'drop', jpeg(photo));
        await settled(page);
        const ui = parts(page);
        await ui.canvas.press('r');
        /** Where on the screen a point of the canvas is, in shares of it. */
        const onScreen = (/** @type {number} */ x, /** @type {number} */ y) => ui.canvas.evaluate((canvas, [left, top]) => {
          const mark = document.createElement('i');
          mark.style.cssText = `position: absolute; left: ${left * 100}%; top: ${top * 100}%; inline-size: 0; block-size: 0`;
          canvas.parentElement?.append(mark);
          if (left === 0.3) mark.scrollIntoView({ block: 'center' });
          const box = mark.getBoundingClientRect();
          mark.remove();
          return { x: box.left, y: box.top };
        }, [x, y]);
        const from = await onScreen(0.3, 0.4);
        const to = await onScreen(0.5, 0.7);
        await page.mouse.move(from.x, from.y);
        await page.mouse.down();
        await page.mouse.move((from.x + to.x) / 2, (from.y + to.y) / 2, { steps: 3 });
        await page.mouse.move(to.x, to.y, { steps: 3 });
        await page.mouse.up();
        await page.waitForFunction(() => Number(/** @type {any} */ (document.querySelector('look-alike'))?.shadowRoot.querySelector('.stage canvas[role=application]').dataset.painted) > 0);
        await page.mouse.move(1, 1);
        await page.waitForTimeout(120);
        const painted = await ui.canvas.evaluate((element) => {
          const canvas = /** @type {HTMLCanvasElement} */ (element);
          const { data, width, height } = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d')).getImageData(0, 0, canvas.width, canvas.height);
          const box = [1, 1, 0, 0];
          for (let y = 0; y < height; y++) {
            for (let x = 0; x < width; x++) {
              if (data[4 * (y * width + x) + 3] < 100) continue;
              box.splice(0, 4, Math.min(box[0], x / width), Math.min(box[1], y / height), Math.max(box[2], (x + 1) / width), Math.max(box[3], (y + 1) / height));
            }
          }
          return box;
        });
        [0.3, 0.4, 0.5, 0.7].forEach((want, i) => assert.ok(Math.abs(painted[i] - want) < 0.02, `painted ${painted.map((each) => each.toFixed(2))}, wanted .3 .4 .5 .7`));
      });
    }
  });

  test('paint lands under the finger while the page is pinched larger and scrolled', async () => {
    const phone = await newContext(browser, { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
    const small = await phone.newPage();
    await small.goto(`${server.origin}/one`);
    const photo = await draw(phone, { width: 400, height: 400 }, "context.fillStyle = '#7a8'; context.fillRect(0, 0, width, height);");
    await hand(small, 'drop', jpeg(photo));
    await settled(small);
    const { canvas } = parts(small);
    await canvas.press('b');
    const session = await phone.newCDPSession(small);
    await session.send('Emulation.setPageScaleFactor', { pageScaleFactor: 2 });
    const at = await canvas.evaluate((element) => {
      const box = element.getBoundingClientRect();
      // What is seen is a part of the page, larger.
      const { scale, offsetLeft, offsetTop } = /** @type {VisualViewport} */ (visualViewport);
      return { x: (box.left + box.width * 0.3 - offsetLeft), y: (box.top + box.height * 0.4 - offsetTop), scale, wide: element.clientWidth };
    });
    assert.equal(at.scale, 2);
    // A short stroke: a tap would mean a thing, and there is none.
    await session.send('Input.dispatchTouchEvent', { type: 'touchStart', touchPoints: [{ x: at.x, y: at.y }] });
    for (const by of [5, -5, 0]) await session.send('Input.dispatchTouchEvent', { type: 'touchMove', touchPoints: [{ x: at.x + by, y: at.y }] });
    await session.send('Input.dispatchTouchEvent', { type: 'touchEnd', touchPoints: [] });
    await small.waitForFunction(() => Number(/** @type {any} */ (document.querySelector('look-alike'))?.shadowRoot.querySelector('.stage canvas[role=application]').dataset.painted) > 0);
    await small.waitForTimeout(120);
    const middle = await canvas.evaluate((element) => {
      const { width, height } = /** @type {HTMLCanvasElement} */ (element);
      const { data } = /** @type {CanvasRenderingContext2D} */ (/** @type {HTMLCanvasElement} */ (element).getContext('2d')).getImageData(0, 0, width, height);
      let [x, y, n] = [0, 0, 0];
      for (let i = 0; i < width * height; i++) if (data[4 * i + 3] > 100) [x, y, n] = [x + i % width, y + Math.floor(i / width), n + 1];
      return [x / n / width, y / n / height];
    });
    assert.ok(Math.abs(middle[0] - 0.3) < 0.03 && Math.abs(middle[1] - 0.4) < 0.03, String(middle));
    await phone.close();
  });

  describe('moved in the page, the photo is kept', () => {
    /** @type {Record<string, () => void>} */
    const moves = {
      'to another parent': () => document.querySelector('#to')?.append(/** @type {Element} */ (document.querySelector('look-alike'))),
      'into a shadow root': () => {
        /** @type {HTMLElement} */ (document.querySelector('#to')).attachShadow({ mode: 'open' }).append(/** @type {Element} */ (document.querySelector('look-alike')));
      },
      'into a dialog': () => {
        const dialog = document.createElement('dialog');
        document.body.append(dialog);
        dialog.append(/** @type {Element} */ (document.querySelector('look-alike')));
        dialog.showModal();
      },
      'by adoption': () => document.querySelector('#to')?.append(document.adoptNode(/** @type {Element} */ (document.querySelector('look-alike')))),
      'out and in, a moment later': () => {
        const element = /** @type {Element} */ (document.querySelector('look-alike'));
        element.remove();
        setTimeout(() => document.querySelector('#to')?.append(element), 250);
      },
      'again and again': () => {
        const element = /** @type {Element} */ (document.querySelector('look-alike'));
        for (let i = 0; i < 20; i++) setTimeout(() => (i % 2 ? document.body : document.querySelector('#to'))?.append(element), i * 25);
      },
    };
    for (const [name, move] of Object.entries(moves)) {
      for (const delay of [null, 120]) {
        test(`${name}, ${delay === null ? 'in the same breath' : `${delay} ms after it was given`}`, async () => {
          await page.goto(`${server.origin}/one`);
          await keep('photo', thumbOf(some()));
          await page.evaluate(`globalThis.move = ${move}`);
          const first = await page.evaluate(async ([body, ms]) => {
            const to = document.createElement('div');
            to.id = 'to';
            document.body.append(to);
            const element = /** @type {any} */ (document.querySelector('look-alike'));
            Reflect.set(globalThis, 'element', element);
            const done = element.setPhoto(Reflect.get(globalThis, 'photo'));
            if (ms !== null) await new Promise((resolve) => setTimeout(resolve, Number(ms)));
            Reflect.get(globalThis, String(body))();
            await done;
            while (!element.results.whole) await new Promise((resolve) => setTimeout(resolve, 20));
            return element.results.whole.hits[0].id;
          }, ['move', delay]).catch((thrown) => thrown);
          assert.equal(first, some().id);
          // Longer than an element may be away: it has not been taken for one that is gone.
          await page.waitForTimeout(1300);
          const again = await page.evaluate(async () => {
            const element = Reflect.get(globalThis, 'element');
            element.k = 3;
            while (element.results.whole?.hits.length !== 3) await new Promise((resolve) => setTimeout(resolve, 20));
            const app = element.shadowRoot.querySelector('.app');
            return { state: app.dataset.state, first: element.results.whole.hits[0].id, held: await (await import(`${location.origin}/www/client.js`)).connect({ manifest: '/catalog/manifest.json' }).call('held') };
          });
          assert.deepEqual(again, { state: 'photo', first: some().id, held: { photos: 1, engine: true } });
          assert.deepEqual(problems, []);
        });
      }
    }
  });

  /** What the worker holds of photos. */
  const held = () => page.evaluate(async () => (await import(`${location.origin}/www/client.js`)).connect({ manifest: '/catalog/manifest.json' }).call('held'));

  test('taken out while another stays, nothing of its photo stays in the worker; cleared, neither', async () => {
    await page.goto(`${server.origin}/two`);
    await hand(page, 'drop', jpeg(thumbOf(other())), '#second');
    await settled(page, '#second');
    await hand(page, 'drop', jpeg(thumbOf(some())), '#first');
    await settled(page, '#first');
    assert.deepEqual(await held(), { photos: 2, engine: true });
    await page.evaluate(() => document.querySelector('#first')?.remove());
    await page.waitForTimeout(1500);
    assert.deepEqual(await held(), { photos: 1, engine: false }, 'the engine held the one that is gone');
    await page.evaluate(() => { /** @type {any} */ (document.querySelector('#second')).k = 3; });
    await page.waitForFunction(() => /** @type {any} */ (document.querySelector('#second')).results.whole.hits.length === 3);
    await finds(other().id, '#second');
    await page.evaluate(() => /** @type {any} */ (document.querySelector('#second')).clearPhoto());
    assert.deepEqual(await held(), { photos: 0, engine: false });
    assert.deepEqual(problems, []);
  });

  test('taken out while its photo is read, the promise is refused and the worker holds nothing', async () => {
    server.fail({ path: /manifest\.json/, delay: 1800, times: 1 });
    await page.goto(`${server.origin}/two`);
    await keep('photo', thumbOf(some()));
    const kind = await page.evaluate(async () => {
      const element = /** @type {any} */ (document.querySelector('#first'));
      /** @type {any} */ (document.querySelector('#second')).load();
      await element.load({ model: false }).catch(() => {});
      const done = element.setPhoto(Reflect.get(globalThis, 'photo')).then(() => 'done', (/** @type {any} */ thrown) => thrown.kind);
      element.remove();
      return Promise.race([done, new Promise((resolve) => setTimeout(() => resolve('never'), 8000))]);
    });
    assert.ok(kind === 'aborted' || kind === 'done', String(kind));
    await page.waitForTimeout(1300);
    assert.deepEqual(await held(), { photos: 0, engine: false });
  });

  test('a photo that is set before the element is in the page is searched with once it is', async () => {
    await page.goto(`${server.origin}/none`);
    await keep('photo', thumbOf(some()));
    await keep('another', thumbOf(other()));
    const said = await page.evaluate(async () => {
      const element = /** @type {any} */ (document.createElement('look-alike'));
      element.manifest = '/catalog/manifest.json';
      const outcome = (/** @type {Promise<void>} */ promise) => promise.then(() => 'done', (thrown) => thrown.kind);
      const first = outcome(element.setPhoto(Reflect.get(globalThis, 'another')));
      const second = outcome(element.setPhoto(Reflect.get(globalThis, 'photo')));
      const early = await Promise.race([second, new Promise((resolve) => setTimeout(() => resolve('waits'), 200))]);
      document.querySelector('main')?.append(element);
      return [early, await first, await second];
    });
    assert.deepEqual(said, ['waits', 'aborted', 'done']);
    await finds(some().id);
    // Out of the page again, the same.
    const later = await page.evaluate(async () => {
      const element = /** @type {any} */ (document.querySelector('look-alike'));
      element.remove();
      const done = element.setPhoto(Reflect.get(globalThis, 'another'));
      setTimeout(() => document.querySelector('main')?.append(element), 1500);
      await done;
      while (element.shadowRoot.querySelector('.app').getAttribute('aria-busy') === 'true') await new Promise((resolve) => setTimeout(resolve, 20));
      return element.results.whole.hits[0].id;
    });
    assert.equal(later, other().id);
    assert.deepEqual(problems, []);
  });

  test('setPhoto refuses what is no picture, and what another photo overtook', async () => {
    await page.goto(`${server.origin}/one`);
    await keep('photo', thumbOf(some()));
    const said = await page.evaluate(async () => {
      const element = /** @type {any} */ (document.querySelector('look-alike'));
      const outcome = (/** @type {Promise<void>} */ promise) => promise.then(() => 'done', (thrown) => thrown.kind);
      const bad = await outcome(element.setPhoto(new Blob(['no picture'])));
      const nowhere = await outcome(element.setPhoto('/nothing.jpg'));
      const all = await Promise.all([1, 2, 3].map(() => outcome(element.setPhoto(Reflect.get(globalThis, 'photo')))));
      return [bad, nowhere, ...all];
    });
    assert.deepEqual(said, ['bad-picture', 'bad-url', 'aborted', 'aborted', 'done']);
    await finds(some().id);
  });

  describe('what is pasted', () => {
    /**
     * Pastes at whatever has the focus, as the browser does.
     * @param {{buffer: Buffer}|{text: string}} what
     * @returns {Promise<boolean>} whether somebody took it
     */
    const paste = (what) => page.evaluate(({ base64, text }) => {
      const clipboardData = new DataTransfer();
      if (base64 !== undefined) clipboardData.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], 'image.png', { type: 'image/png' }));
      else clipboardData.setData('text/plain', text ?? '');
      let target = document.activeElement ?? document.body;
      while (target.shadowRoot?.activeElement) target = target.shadowRoot.activeElement;
      return !target.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, composed: true, cancelable: true }));
    }, 'buffer' in what ? { base64: what.buffer.toString('base64'), text: undefined } : { base64: undefined, text: what.text });
    const nothing = async () => {
      await page.waitForTimeout(300);
      assert.deepEqual(await page.locator('look-alike').evaluate((element) => [
        /** @type {any} */ (element).results.whole,
        [...element.shadowRoot?.querySelectorAll('[role=alert]') ?? []].map((line) => line.textContent).join(''),
      ]), [null, '']);
      assert.ok(!server.log().some(({ path }) => path.includes('nothing')));
    };

    test('with the focus in the element, a picture is taken and an address is fetched; words do nothing', async () => {
      await page.goto(`${server.origin}/one`);
      await page.locator('look-alike').getByText('Drop a photo here').click();
      assert.equal(await paste({ text: 'just words, and http://127.0.0.1/nothing.jpg in them' }), false);
      await nothing();
      assert.equal(await paste({ buffer: thumbOf(some()) }), true);
      await finds(some().id);
      await parts(page).left.locator('.tile').first().focus();
      assert.equal(await paste({ text: `${server.origin}/catalog/${other().thumb}` }), true);
      await page.waitForFunction((id) => /** @type {any} */ (document.querySelector('look-alike')).results.whole?.hits[0].id === id, other().id);
      // Still the element's after a click on nothing in particular.
      await page.locator('look-alike').locator('.list-title').first().click();
      assert.equal(await paste({ buffer: thumbOf(some()) }), true);
      await page.waitForFunction((id) => /** @type {any} */ (document.querySelector('look-alike')).results.whole?.hits[0].id === id, some().id);
    });

    test('with no focus anywhere, nothing is taken', async () => {
      await page.goto(`${server.origin}/one`);
      for (const what of [{ buffer: thumbOf(some()) }, { text: 'words' }, { text: `${server.origin}/nothing.jpg` }]) assert.equal(await paste(what), false);
      await nothing();
    });

    test('with paste="page" and no focus anywhere, a picture is; words and addresses are not', async () => {
      await page.goto(`${server.origin}/page`);
      for (const text of ['words', `${server.origin}/nothing.jpg`]) assert.equal(await paste({ text }), false);
      await nothing();
      assert.equal(await paste({ buffer: thumbOf(some()) }), true);
      await finds(some().id);
    });

    test('with paste="page" while something else has the focus, nothing is taken', async () => {
      await page.goto(`${server.origin}/page`);
      await page.evaluate(() => {
        for (const mode of /** @type {const} */ (['open', 'closed'])) {
          const host = document.createElement('div');
          host.id = mode;
          const input = document.createElement('input');
          host.attachShadow({ mode }).append(input);
          document.body.append(host);
          host.addEventListener('focus-within-please', () => input.focus());
        }
      });
      for (const selector of ['input', 'textarea', '#editable', 'button', '#open', '#closed']) {
        await page.evaluate((name) => {
          const element = /** @type {HTMLElement} */ (document.querySelector(name));
          element.focus();
          element.dispatchEvent(new Event('focus-within-please'));
        }, selector);
        assert.equal(await paste({ buffer: thumbOf(some()) }), false, selector);
      }
      await nothing();
    });

    for (const mode of /** @type {const} */ (['open', 'closed'])) {
      test(`in other shadow roots (${mode}), the element in one takes it like any other`, async () => {
        await page.goto(`${server.origin}/none`);
        await page.evaluate(async (kind) => {
          const outer = document.createElement('div');
          const inner = document.createElement('div');
          document.querySelector('main')?.append(outer);
          outer.attachShadow({ mode: kind }).append(inner);
          const element = /** @type {any} */ (document.createElement('look-alike'));
          element.manifest = '/catalog/manifest.json';
          inner.attachShadow({ mode: kind }).append(element);
          Reflect.set(globalThis, 'element', element);
        }, mode);
        const take = (/** @type {Buffer} */ buffer, /** @type {boolean} */ focus, /** @type {string} */ id) => page.evaluate(async ([base64, own, want]) => {
          const element = Reflect.get(globalThis, 'element');
          const clipboardData = new DataTransfer();
          clipboardData.items.add(new File([Uint8Array.from(atob(String(base64)), (c) => c.charCodeAt(0))], 'image.png', { type: 'image/png' }));
          const target = own ? element.shadowRoot.querySelector('button') : document.body;
          if (own) target.focus();
          target.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, composed: true, cancelable: true }));
          for (let i = 0; i < 500; i++) {
            if (element.results.whole?.hits[0].id === want) return true;
            await new Promise((resolve) => setTimeout(resolve, 20));
          }
          return false;
        }, [buffer.toString('base64'), focus, id]);
        assert.ok(await take(thumbOf(some()), true, some().id));
        await page.evaluate(() => {
          Reflect.get(globalThis, 'element').paste = 'page';
          /** @type {HTMLElement|null} */ (document.activeElement)?.blur();
        });
        assert.ok(await take(thumbOf(other()), false, other().id));
      });
    }

    test('of two that ask for it, the one that was used last takes it', async () => {
      await page.goto(`${server.origin}/two`);
      await page.evaluate(() => { for (const each of document.querySelectorAll('look-alike')) /** @type {any} */ (each).paste = 'page'; });
      await page.locator('#second').hover();
      assert.equal(await paste({ buffer: thumbOf(some()) }), true);
      await finds(some().id, '#second');
      assert.equal(await page.evaluate(() => /** @type {any} */ (document.querySelector('#first')).results.whole), null);
    });
  });

  test('whatever address a product has, the list is shown and its details open, with a link or without', async () => {
    await page.goto(`${server.origin}/one`);
    const urls = ['http://[::1', 'http://exa mple', 'shop.example/p', 'javascript:alert(1)', '/p/1'];
    await page.evaluate((list) => document.querySelector('look-alike')?.addEventListener('results', (event) => {
      /** @type {CustomEvent} */ (event).detail.whole.hits.forEach((/** @type {any} */ hit, /** @type {number} */ i) => Object.assign(hit.product, { url: list[i], images: [{ image: list[i], thumb: i === 0 ? list[i] : undefined }] }));
    }), urls);
    await hand(page, 'drop', jpeg(thumbOf(some())));
    await settled(page);
    const tiles = parts(page).left.locator('button.tile');
    assert.equal(await tiles.count(), 5);
    for (let i = 0; i < urls.length; i++) {
      await tiles.nth(i).click();
      const dialog = parts(page).host.getByRole('dialog');
      await dialog.waitFor();
      const links = await dialog.getByRole('link', { name: 'View in shop' }).evaluateAll((all) => all.map((link) => /** @type {HTMLAnchorElement} */ (link).href));
      assert.deepEqual(links, urls[i] === '/p/1' ? [`${server.origin}/p/1`] : [], urls[i]);
      await page.keyboard.press('Escape');
    }
    assert.deepEqual(problems, []);
  });

  test('a catalogue without thumbnails asks for nothing that is not there', async () => {
    await page.goto(`${server.origin}/one`);
    const hosted = `${server.origin}/catalog/${some().thumb}`;
    await page.evaluate((address) => document.querySelector('look-alike')?.addEventListener('results', (event) => {
      /** @type {CustomEvent} */ (event).detail.whole.hits.forEach((/** @type {any} */ hit, /** @type {number} */ i) => { hit.product.images = i === 0 ? [{ image: address }] : [{ image: 'pictures/a.jpg' }]; });
    }), hosted);
    server.forget();
    await hand(page, 'drop', jpeg(thumbOf(some())));
    await settled(page);
    const { left } = parts(page);
    assert.equal(await left.locator('.tile .icon').count(), 4);
    assert.equal(await left.locator('.tile img').first().getAttribute('src'), hosted);
    assert.ok(!server.log().some(({ path }) => /pictures|a\.jpg/.test(path)));
    assert.deepEqual(problems, []);
  });

  test('several pictures: the one that matched is shown, in the details all of them; a sale in words too', async () => {
    await page.goto(`${server.origin}/one`);
    await page.evaluate(([a, b]) => document.querySelector('look-alike')?.addEventListener('results', (event) => {
      const [hit] = /** @type {CustomEvent} */ (event).detail.whole.hits;
      hit.image = 1;
      Object.assign(hit.product, { images: [{ image: 'x', thumb: a }, { image: 'y', thumb: b }], price: 40, listPrice: 50, currency: 'EUR', availability: 'backorder' });
    }), [some().thumb, other().thumb]);
    await hand(page, 'drop', jpeg(thumbOf(some())));
    await settled(page);
    const card = parts(page).left.locator('.card').first();
    const of = (/** @type {string} */ thumb) => `${server.origin}/catalog/${thumb}`;
    assert.equal(await card.locator('img').getAttribute('src'), of(other().thumb));
    assert.equal(await card.locator('.price s').textContent(), '€50.00');
    assert.equal(await card.locator('.price .sr-only').textContent(), 'before €50.00');
    assert.equal(await card.locator('.availability').textContent(), 'On back order');
    await card.locator('button.tile').click();
    const dialog = parts(page).host.getByRole('dialog');
    const large = dialog.locator('.pictures > .tile img');
    assert.equal(await large.getAttribute('src'), of(other().thumb));
    const choices = dialog.getByRole('group', { name: 'Pictures' }).getByRole('button');
    assert.deepEqual(await choices.evaluateAll((all) => all.map((each) => each.getAttribute('aria-pressed'))), ['false', 'true']);
    await choices.first().focus();
    await page.keyboard.press('Enter');
    assert.equal(await large.getAttribute('src'), of(some().thumb));
  });

  test('offline, what did not arrive is named so, in the facade and after it', async () => {
    const fresh = await newContext(browser);
    const early = await fresh.newPage();
    await early.goto(`${server.origin}/one`);
    await fresh.setOffline(true);
    await early.evaluate(() => /** @type {any} */ (document.querySelector('look-alike')).load().catch(() => {}));
    await early.locator('look-alike').getByText('You are offline', { exact: false }).first().waitFor();
    await fresh.close();

    // The interface is here, the worker's script is not: asked for again, as a host may want it, it cannot be had.
    await page.goto(`${server.origin}/one`);
    await page.evaluate(() => import(`${location.origin}/www/widget.js`));
    await page.evaluate(() => fetch('/www/widget.css'));
    await page.route('**/worker.js', (route) => route.abort('internetdisconnected'));
    await page.evaluate(() => Object.defineProperty(navigator, 'onLine', { configurable: true, get: () => false }));
    await hand(page, 'drop', jpeg(thumbOf(some())));
    await parts(page).message.filter({ hasText: /You are offline.*worker\.js/s }).waitFor();
    await page.evaluate(() => Reflect.deleteProperty(navigator, 'onLine'));
    // The host is not to be reached, though there is a network.
    await parts(page).message.getByRole('button', { name: 'Try again' }).click();
    await parts(page).message.filter({ hasText: /connection was lost.*worker\.js/is }).waitFor();
    await page.unroute('**/worker.js');
    await parts(page).message.getByRole('button', { name: 'Try again' }).click();
    await parts(page).message.waitFor({ state: 'hidden' });
    await hand(page, 'drop', jpeg(thumbOf(some())));
    await finds(some().id);
  });
});

describe('policies', { skip: missing() ?? false, timeout: 300_000 }, () => {
  /** @type {import('playwright-core').Browser} */
  let browser;
  before(async () => {
    browser = await launch();
  });
  after(() => browser?.close());

  const some = () => products()[7];

  for (const isolated of [false, true]) {
    test(`a page that requires Trusted Types and lists our policy${isolated ? ', isolated' : ''}`, async () => {
      const server = await serve({ isolated, csp: `${STRICT_CSP}; require-trusted-types-for 'script'; trusted-types lookalike`, pages: { '/one': html(ELEMENT) } });
      const page = await (await newContext(browser)).newPage();
      const problems = problemsOf(page);
      await page.goto(`${server.origin}/one`);
      await hand(page, 'drop', jpeg(thumbOf(some())));
      await settled(page);
      assert.equal((await idsOf(parts(page).left))[0], some().id);
      await parts(page).left.locator('button.tile').first().click();
      assert.deepEqual(problems, []);
      await page.context().close();
      await server.close();
    });
  }

  test('a page that requires Trusted Types and lists none is told what to do', async () => {
    const server = await serve({ csp: `${STRICT_CSP}; require-trusted-types-for 'script'; trusted-types 'none'`, pages: { '/one': html(ELEMENT) } });
    const page = await (await newContext(browser)).newPage();
    await page.goto(`${server.origin}/one`);
    await page.evaluate(() => /** @type {any} */ (document.querySelector('look-alike')).load().catch(() => {}));
    await parts(page).message.filter({ hasText: /policy does not allow.*TrustedScriptURL/s }).waitFor();
    await page.context().close();
    await server.close();
  });

  const noThreads = existsSync(fileOf('/pkg/relaxed-threads/lookalike.js') ?? '') ? false : 'the builds with threads are not here';
  test('isolated, a host that does not know wasm keeps the threads', { skip: noThreads }, async () => {
    const server = await serve({ isolated: true, pages: { '/one': html(ELEMENT) } });
    server.fail({ path: /\.wasm$/, type: 'application/octet-stream' });
    const page = await (await newContext(browser)).newPage();
    await page.goto(`${server.origin}/one`);
    await hand(page, 'drop', jpeg(thumbOf(some())));
    await settled(page);
    const engines = [...new Set(server.log().map(({ path }) => path).filter((path) => path.endsWith('/lookalike.js')))];
    if (await page.evaluate(() => navigator.hardwareConcurrency) > 1) assert.deepEqual(engines, ['/pkg/relaxed-threads/lookalike.js']);
    await page.context().close();
    await server.close();
  });

  test('the hidden frame runs the engine that its host names, and no other script of that host', async () => {
    const files = await serve({ cors: true, pages: { '/elsewhere/frame.html': '' } });
    const at = files.other;
    const embed = (/** @type {string} */ pkg) => html(`<look-alike manifest="${at}/catalog/manifest.json" worker="${at}/www/worker.js" pkg="${pkg}" k="5"></look-alike>`);
    const others = { other: `${at}/uploads/lookalike.js`, query: `${at}/pkg/lookalike.js?x`, fragment: `${at}/pkg/lookalike.js#x`, none: 'nonsense:', data: 'data:text/javascript,1', build: `${at}/pkg/relaxed/lookalike.js` };
    const server = await serve({ pages: { '/own': embed(`${at}/pkg/lookalike.js`), ...Object.fromEntries(Object.entries(others).map(([name, pkg]) => [`/${name}`, embed(pkg)])) } });
    const context = await newContext(browser);
    const page = await context.newPage();
    await page.goto(`${server.origin}/own`);
    await hand(page, 'drop', jpeg(thumbOf(some())));
    await settled(page);
    for (const name of Object.keys(others)) {
      files.forget();
      await page.goto(`${server.origin}/${name}`);
      await page.evaluate(() => /** @type {any} */ (document.querySelector('look-alike')).load().catch(() => {}));
      await parts(page).message.filter({ hasText: /the engine of this host is .*\/pkg\/lookalike\.js/ }).waitFor();
      assert.ok(!files.log().some(({ path }) => /uploads|pkg|worker/.test(path)), name);
    }
    // Whatever a page sends, nothing is run and nothing thrown.
    const problems = problemsOf(page);
    files.forget();
    await page.evaluate(async (origin) => {
      const frame = document.createElement('iframe');
      frame.src = `${origin}/www/frame.html`;
      document.body.append(frame);
      await new Promise((resolve) => addEventListener('message', resolve, { once: true }));
      const worker = `${origin}/www/worker.js`;
      for (const data of [{}, { worker }, { worker, greeting: null }, { worker, greeting: { pkg: {} } }, { worker: `${origin}/uploads/w.js`, greeting: { pkg: `${origin}/pkg/lookalike.js` } }]) {
        frame.contentWindow?.postMessage({ lookalike: 'connect', ...data }, origin);
      }
    }, at);
    await page.waitForTimeout(300);
    assert.ok(!files.log().some(({ path }) => /uploads|pkg|worker/.test(path)));
    assert.deepEqual(problems, []);
    await context.close();
    await server.close();
    await files.close();
  });
});
