/** What needs no browser: the mask's arithmetic, history, links, facets. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { facetsOf, spread } from '../../www/catalog.js';
import { dragged, pinched } from '../../www/mask/box.js';
import { History, decode, encode } from '../../www/mask/history.js';
import { Raster } from '../../www/mask/raster.js';
import { makeTool } from '../../www/mask/tools.js';
import { MAX_BYTES, fetchPhoto } from '../../www/session/address.js';
import { changes, departures } from '../../www/results.js';
import { decodeState, encodeState } from '../../www/url-state.js';

describe('the box around what is selected', () => {
  const photo = { width: 100, height: 60 };
  const box = { left: 20, top: 10, right: 60, bottom: 40 };
  const after = (/** @type {any} */ handle, /** @type {number} */ dx, /** @type {number} */ dy) => {
    const { left, top, right, bottom } = dragged(box, handle, dx, dy, photo);
    return [left, top, right, bottom];
  };

  test('corners move their two sides, up to the photo and not past the opposite ones', () => {
    assert.deepEqual(after('nw', -5, 5), [15, 15, 60, 40]);
    assert.deepEqual(after('se', 5.4, -5.4), [20, 10, 65, 35]);
    assert.deepEqual(after('ne', 999, -999), [20, 0, 100, 40]);
    assert.deepEqual(after('sw', 999, -999), [52, 10, 60, 18]);
    assert.deepEqual(after('se', -999, -999), [20, 10, 28, 18]);
  });

  test('moved, it keeps its size within the photo', () => {
    assert.deepEqual(after('move', 7, -4), [27, 6, 67, 36]);
    assert.deepEqual(after('move', 999, 999), [60, 30, 100, 60]);
    assert.deepEqual(after('move', -999, -999), [0, 0, 40, 30]);
  });

  test('pinched, it grows and moves with the fingers, within the photo', () => {
    /** @param {number[]} from @param {number[]} to two points each @param {typeof photo} [of] @param {typeof box} [what] */
    const pinch = ([ax, ay, bx, by], [cx, cy, dx, dy], of = photo, what = box) => {
      const { left, top, right, bottom } = pinched(what, [{ x: ax, y: ay }, { x: bx, y: by }], [{ x: cx, y: cy }, { x: dx, y: dy }], of);
      return [left, top, right, bottom];
    };
    assert.deepEqual(pinch([30, 25, 50, 25], [20, 25, 60, 25]), [0, 0, 80, 55]);
    assert.deepEqual(pinch([30, 25, 50, 25], [35, 25, 45, 25]), [30, 18, 50, 33]);
    assert.deepEqual(pinch([30, 25, 50, 25], [37, 28, 57, 28]), [27, 13, 67, 43]);
    assert.deepEqual(pinch([30, 25, 50, 25], [930, 25, 950, 25]), [92, 10, 100, 40]);
    assert.deepEqual(pinch([30, 25, 50, 25], [40, 25, 40, 25]), [40, 25, 48, 33]);
    // Two fingers at one place say nothing of a size.
    assert.deepEqual(pinch([40, 25, 40, 25], [30, 25, 50, 25]), [20, 10, 60, 40]);
    const thin = { width: 1, height: 3000 };
    assert.deepEqual(pinch([0, 20, 0, 40], [0, 10, 0, 50], thin, { left: 0, top: 10, right: 1, bottom: 60 }), [0, 0, 1, 90]);
  });

  test('a photo of one pixel across has a box of one pixel', () => {
    const thin = { width: 1, height: 3000 };
    const line = { left: 0, top: 10, right: 1, bottom: 900 };
    assert.deepEqual(dragged(line, 'ne', 50, 0, thin), line);
    assert.deepEqual(dragged(line, 'nw', 50, -50, thin), { ...line, top: 0 });
  });

  test('it is the least around what is painted', () => {
    const raster = new Raster(50, 40);
    assert.equal(raster.bounds(), null);
    raster.rectangle({ x: 7, y: 9 }, { x: 21, y: 30 });
    assert.deepEqual(raster.bounds(), { left: 7, top: 9, right: 21, bottom: 30 });
    raster.stroke({ x: 48, y: 38 }, { x: 48, y: 38 }, 1, false);
    assert.deepEqual(raster.bounds(), { left: 7, top: 9, right: 49, bottom: 39 });
  });
});

describe('raster', () => {
  test('a dab covers a disc of its radius', () => {
    const raster = new Raster(100, 80);
    raster.stroke({ x: 50, y: 40 }, { x: 50, y: 40 }, 10, false);
    const area = raster.share() * 100 * 80;
    assert.ok(Math.abs(area - Math.PI * 100) < 6, String(area));
    assert.equal(raster.data[40 * 100 + 50], 255);
    assert.equal(raster.data[40 * 100 + 65], 0);
  });

  test('what is painted and erased again is clean', () => {
    const raster = new Raster(64, 64);
    raster.stroke({ x: 10, y: 10 }, { x: 50, y: 50 }, 5, false);
    raster.stroke({ x: 10, y: 10 }, { x: 50, y: 50 }, 8, true);
    assert.equal(raster.share(), 0);
  });

  test('strokes beyond every edge are cut, not wrapped', () => {
    const raster = new Raster(20, 10);
    raster.stroke({ x: -5, y: 5 }, { x: -5, y: 5 }, 4, false);
    raster.stroke({ x: 500, y: -500 }, { x: 600, y: -400 }, 4, false);
    assert.equal(raster.share(), 0);
    assert.equal(raster.takeDirty(), null);
  });

  test('a rectangle is exact whichever corner comes first', () => {
    const a = new Raster(30, 20);
    const b = new Raster(30, 20);
    a.rectangle({ x: 3, y: 4 }, { x: 13, y: 9 });
    b.rectangle({ x: 13, y: 9 }, { x: 3, y: 4 });
    assert.equal(a.share() * 600, 50);
    assert.deepEqual(a.data, b.data);
  });

  test('a polygon of a rectangle is that rectangle; a line is nothing', () => {
    const a = new Raster(30, 20);
    const b = new Raster(30, 20);
    a.rectangle({ x: 3, y: 4 }, { x: 13, y: 9 });
    b.polygon([{ x: 3, y: 4 }, { x: 13, y: 4 }, { x: 13, y: 9 }, { x: 3, y: 9 }]);
    assert.deepEqual(a.data, b.data);
    b.clear();
    b.polygon([{ x: 1, y: 1 }, { x: 9, y: 9 }]);
    assert.equal(b.share(), 0);
  });

  test('inverted twice is as before', () => {
    const raster = new Raster(16, 16);
    raster.stroke({ x: 8, y: 8 }, { x: 8, y: 8 }, 3, false);
    const before = raster.data.slice();
    raster.invert();
    assert.notDeepEqual(raster.data, before);
    raster.invert();
    assert.deepEqual(raster.data, before);
  });
});

describe('history', () => {
  test('run-length coding gives back what it got', () => {
    const data = Uint8Array.from({ length: 5000 }, (_, i) => (i % 97 < 40 ? 0 : i % 256));
    assert.deepEqual(decode(encode(data), data.length), data);
    assert.deepEqual(decode(encode(new Uint8Array(0)), 0), new Uint8Array(0));
    // Long runs that begin and end at any byte, wherever in memory.
    for (let shift = 0; shift < 9; shift++) {
      const long = new Uint8Array(400 + shift).subarray(shift % 5);
      long.fill(255, 7 + shift, 300 - shift).fill(9, 301, 301 + shift);
      assert.deepEqual(decode(encode(long), long.length), long);
      assert.ok(encode(long).length <= 5, `${encode(long).length} runs`);
    }
  });

  test('undo, redo, and a new step that ends what could be redone', () => {
    const history = new History(Uint8Array.of(0, 0));
    assert.equal(history.undo(), null);
    history.push(Uint8Array.of(1, 0));
    history.push(Uint8Array.of(1, 1));
    assert.deepEqual(history.undo(), Uint8Array.of(1, 0));
    assert.deepEqual(history.redo(), Uint8Array.of(1, 1));
    assert.deepEqual(history.undo(), Uint8Array.of(1, 0));
    history.push(Uint8Array.of(9, 9));
    assert.equal(history.redo(), null);
    assert.deepEqual(history.undo(), Uint8Array.of(1, 0));
    assert.deepEqual(history.undo(), Uint8Array.of(0, 0));
  });
});

describe('tools without a drag', () => {
  const settings = () => ({ radius: 3, near: 4 });

  test('two clicks make a rectangle', () => {
    const raster = new Raster(40, 40);
    const tool = makeTool('rectangle', raster, settings);
    tool.down({ x: 5, y: 5 });
    assert.equal(tool.up({ x: 5, y: 5 }, true), false);
    tool.down({ x: 15, y: 25 });
    assert.equal(tool.up({ x: 15, y: 25 }, true), true);
    assert.equal(raster.share() * 1600, 200);
  });

  test('clicked points make a lasso that closes at its start', () => {
    const raster = new Raster(40, 40);
    const tool = makeTool('lasso', raster, settings);
    for (const point of [{ x: 10, y: 10 }, { x: 30, y: 10 }, { x: 30, y: 30 }, { x: 10, y: 30 }]) {
      tool.down(point);
      assert.equal(tool.up(point, true), false);
    }
    tool.down({ x: 11, y: 11 });
    assert.equal(tool.up({ x: 11, y: 11 }, true), true);
    assert.equal(raster.share() * 1600, 400);
  });

  test('what is given up leaves nothing behind', () => {
    const raster = new Raster(40, 40);
    const tool = makeTool('lasso', raster, settings);
    tool.down({ x: 1, y: 1 });
    tool.cancel();
    assert.equal(tool.outline(), null);
    assert.equal(tool.close(), false);
  });
});

describe('links', () => {
  test('a query comes back as it went in', () => {
    const query = {
      productId: 'a&b=c#1', like: ['x', 'y z'], unlike: ['ü'], walk: 0.5, minScore: 0.25,
      toward: [{ from: { column: 'category', value: 'Sofas' }, to: { column: 'category', value: 'Beds "x"' }, strength: 0.4 }],
      filter: { category: ['A', 'B'], availability: ['in stock'], price: { min: 10, max: 200 }, attributes: { colour: ['red', 'blue'] } },
    };
    assert.deepEqual(decodeState(encodeState(query)), query);
    assert.deepEqual(decodeState(`#${encodeState(query)}`), query);
    assert.equal(encodeState({}), '');
  });

  test('a photo has no place in it', () => {
    assert.equal(encodeState({ photo: 'masked', k: 20 }), '');
  });

  test('nonsense is left out, the rest is read', () => {
    assert.deepEqual(decodeState('walk=NaN&toward=[1&toward=["c","a","c","b",7]&price=x-y&min=4&like=&product=p'), { productId: 'p' });
    assert.deepEqual(decodeState('price=10-'), { filter: { price: { min: 10 } } });
    assert.deepEqual(decodeState('__proto__=1&constructor=2'), {});
  });
});

describe('lists', () => {
  const hits = (/** @type {string[]} */ ...ids) => ids.map((id, row) => ({ row, id, score: 1, product: { id, title: id } }));

  test('new, up, down, same and gone', () => {
    const marks = changes(hits('b', 'a', 'c', 'x'), hits('a', 'b', 'c', 'd'));
    assert.deepEqual(marks.get('b'), { change: 'up', by: 1 });
    assert.deepEqual(marks.get('a'), { change: 'down', by: 1 });
    assert.deepEqual(marks.get('c'), { change: 'same', by: 0 });
    assert.equal(marks.get('x')?.change, 'new');
    assert.deepEqual([...departures(hits('a', 'b', 'c', 'd'), hits('b', 'a', 'c', 'x')).keys()], ['d']);
  });

  test('facets count values, and leave out what is no choice', () => {
    const products = Array.from({ length: 100 }, (_, i) => ({
      id: `${i}`, title: 't', category: i % 3 ? 'A' : 'B', price: i, attributes: { sku: `${i}`, colour: i % 2 ? 'red' : 'blue', one: 'same' },
    }));
    const { columns, price } = facetsOf(products);
    assert.deepEqual(columns.map(({ column }) => column), ['category', 'colour']);
    assert.deepEqual(columns[0].values, [{ value: 'A', count: 66 }, { value: 'B', count: 34 }]);
    assert.deepEqual(price, { min: 0, max: 99, currency: undefined });
    assert.deepEqual(facetsOf([]), { columns: [], price: null });
  });

  test('a varied selection has no product twice and the asked number', () => {
    const products = Array.from({ length: 50 }, (_, i) => ({ id: `${i}`, title: 't', category: `c${i % 4}` }));
    const chosen = spread(products, 10);
    assert.equal(new Set(chosen).size, 10);
    assert.equal(new Set(chosen.map((each) => each.category)).size, 4);
    assert.deepEqual(spread([], 10), []);
    assert.equal(spread(products.slice(0, 3), 10).length, 3);
  });
});

describe('photos by their address', () => {
  const { signal } = new AbortController();
  /** @param {number} chunks of a megabyte @param {Record<string, string>} headers */
  function server(chunks, headers) {
    const sent = { chunks: 0 };
    const get = async () => new Response(new ReadableStream({
      pull(controller) {
        if (sent.chunks === chunks) return controller.close();
        sent.chunks++;
        controller.enqueue(new Uint8Array(1_000_000));
      },
    }, { highWaterMark: 0 }), { headers });
    return { sent, get };
  }

  test('the limit is the engine\'s', () => {
    const rust = readFileSync(new URL('../../pictures/src/limits.rs', import.meta.url), 'utf8');
    const [, bytes] = /max_bytes: ([\d_]+),/.exec(rust) ?? [];
    assert.equal(MAX_BYTES, Number(bytes.replaceAll('_', '')));
  });

  test('what says that it is too large is not read', async () => {
    const { sent, get } = server(5000, { 'content-length': '5000000000' });
    await assert.rejects(fetchPhoto('https://shop.example/film.mp4', signal, get), { kind: 'too-large' });
    assert.equal(sent.chunks, 0);
  });

  test('what does not say so is read as far as the limit', async () => {
    const { sent, get } = server(5000, {});
    await assert.rejects(fetchPhoto('https://shop.example/film.mp4', signal, get), { kind: 'too-large' });
    assert.ok(sent.chunks <= 102, String(sent.chunks));
  });

  test('a photo keeps its bytes and its type', async () => {
    const { get } = server(3, { 'content-type': 'image/jpeg' });
    const photo = await fetchPhoto('https://shop.example/photo.jpg', signal, get);
    assert.equal(photo.size, 3_000_000);
    assert.equal(photo.type, 'image/jpeg');
  });
});
