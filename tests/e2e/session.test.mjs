/** One element's search without a page: what it asks of the worker, keeps, calls off, and tells. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { LookalikeError } from '../../www/errors.js';
import { Session } from '../../www/session/session.js';

/**
 * @import { FoundThing, Query } from '../../www/types.js'
 * @typedef {{name: string, args: any, signal?: AbortSignal}} Call
 */

const later = (ms = 0) => new Promise((resolve) => setTimeout(resolve, ms));
const file = (/** @type {string} */ words) => new Blob([words]);

/** A worker that answers at once, or as `slow` says; it notes what it is asked. */
class Worker extends EventTarget {
  alive = true;
  released = 0;
  /** @type {Call[]} */
  calls = [];
  /** Photos that it holds, by session. @type {Map<string, string>} */
  photos = new Map();
  /** @type {Record<string, Promise<unknown>>} */
  slow = {};
  /** @type {Record<string, Error|undefined>} */
  fails = {};
  /** @type {{query: Query, leftOut: string[]}|null} */
  fit = null;
  /** Bitmaps that were given out and not closed. */
  open = 0;
  /** What windows of a photo show, the first one first. @type {(FoundThing|null)[]} */
  windows = [];

  /**
   * @param {string} name
   * @param {any} args
   * @param {{signal?: AbortSignal}} options
   * @returns {Promise<any>}
   */
  async call(name, args = {}, { signal } = {}) {
    this.calls.push({ name, args, signal });
    await this.slow[name];
    if (signal?.aborted) throw new LookalikeError('aborted', '');
    if (this.fails[name]) throw this.fails[name];
    switch (name) {
      case 'open': return { manifest: {}, features: { algebra: true, filter: true, explain: true } };
      case 'groups': case 'browse': return [];
      case 'facets': return { columns: [], price: null };
      case 'fit': return this.fit ?? { query: args.query, leftOut: [] };
      case 'product': return { id: args.id, title: args.id };
      case 'photo': {
        this.photos.set(args.session, await args.file.text());
        this.open++;
        return { bitmap: { close: () => { this.open--; } }, width: 4, height: 3 };
      }
      case 'forget': return this.photos.delete(args.session);
      case 'search': return { hits: Array.from({ length: args.query.k }, (_, row) => ({ row, id: `${args.query.photo ?? args.query.productId} ${row}` })), ms: {} };
      case 'window': return this.windows[args.at];
      default: return undefined;
    }
  }

  release() {
    this.released++;
  }

  /** @param {LookalikeError} error */
  die(error) {
    this.alive = false;
    this.dispatchEvent(new CustomEvent('dead', { detail: error }));
  }

  /** @param {string} name */
  named(name) {
    return this.calls.filter((call) => call.name === name);
  }
}

/**
 * @param {object} [options]
 * @param {Query} [options.query]
 * @param {Record<string, unknown>} [options.settings]
 * @param {number} [options.graceMs]
 */
function start({ query = {}, settings = {}, graceMs = 20 } = {}) {
  /** @type {Worker[]} */
  const workers = [];
  /** @type {any[]} */
  const shown = [];
  const session = new Session({
    settings: () => ({ manifest: 'manifest.json', pkg: null, worker: null, k: 3, browse: false, productId: null, src: null, ...settings }),
    connect: () => {
      const worker = new Worker();
      workers.push(worker);
      return worker;
    },
    decode: () => Promise.reject(new Error('the worker can')),
    show: (results) => void shown.push(results),
    graceMs,
  }, query);
  /** @type {any[]} */
  const photos = [];
  session.addEventListener('photo', (event) => photos.push(/** @type {CustomEvent} */ (event).detail));
  session.attach();
  return { session, workers, shown, photos };
}

/** @param {number} number @returns {FoundThing} */
function thing(number) {
  const box = { x0: number / 10, y0: 0, x1: number / 10 + 0.05, y1: 0.1 };
  return { id: `p${number}`, title: 'Thing', score: 1, thing: { box, outline: { width: 1, height: 1, coverage: new Uint8Array(1) } } };
}

/** Until so many things were found. @param {Session} session @param {number} count */
async function looked(session, count) {
  for (let i = 0; i < 200 && session.things.length !== count; i++) await later();
  await later(5);
  assert.equal(session.things.length, count);
}

/** @param {Session} session */
async function quiet(session) {
  do await later(); while (session.isBusy);
}

describe('a session', () => {
  test('a photo is searched with; the same question is asked once', async () => {
    const { session, workers, shown } = start();
    await session.setPhoto(file('a'));
    await quiet(session);
    assert.deepEqual(session.photo, { width: 4, height: 3 });
    assert.equal(session.state, 'photo');
    assert.equal(shown.at(-1).whole.hits.length, 3);
    await session.refresh();
    assert.equal(workers[0].named('search').length, 1);
  });

  test('things are looked for one window after the other, each told what was found; a search is successful first', async () => {
    const { session, workers } = start();
    await session.open();
    workers[0].windows = [thing(0), null, thing(1)];
    workers[0].fails.search = new LookalikeError('network', 'the model has not arrived');
    await session.setPhoto(file('a'));
    await quiet(session);
    await later(5);
    assert.equal(workers[0].named('window').length, 0, 'what failed is not asked for again unasked');
    /** @type {[number, boolean][]} */
    const told = [];
    session.addEventListener('things', (event) => told.push([session.things.length, /** @type {CustomEvent} */ (event).detail.isAll]));
    workers[0].fails.search = undefined;
    session.calm();
    await session.refresh();
    await looked(session, 2);
    assert.deepEqual(workers[0].named('window').map(({ args }) => [args.at, args.found.length]), [[0, 0], [1, 1], [2, 1], [3, 2]]);
    assert.deepEqual(told, [[1, false], [2, false], [2, true]]);
    await session.refine({ k: 4 });
    await later(5);
    assert.equal(workers[0].named('window').length, 4, 'once a photo');
  });

  test('a search goes before the windows that still wait', async () => {
    const { session, workers } = start();
    await session.setPhoto(file('a'));
    await quiet(session);
    workers[0].windows = [thing(0), ...Array(20).fill(null), thing(1)];
    // Each takes a while.
    Object.defineProperty(workers[0].slow, 'window', { get: () => later(2) });
    const windows = () => workers[0].named('window').length;
    await session.setPhoto(file('b'));
    while (windows() < 3) await later();
    workers[0].slow.search = later(20);
    const asked = windows();
    const searching = session.select(() => ({ data: new Uint8Array(1), width: 1, height: 1 }));
    await later(15);
    assert.ok(session.isBusy);
    assert.equal(windows(), asked, 'the one under way ends, no other begins');
    await searching;
    await looked(session, 2);
  });

  test('a new photo ends the looking and begins anew; where a window fails, the next search goes on', async () => {
    const { session, workers } = start();
    await session.setPhoto(file('a'));
    await quiet(session);
    workers[0].windows = [thing(0), thing(1)];
    let answer = (/** @type {unknown} */ _) => {};
    workers[0].slow.window = new Promise((resolve) => { answer = resolve; });
    await session.setPhoto(file('b'));
    while (workers[0].named('window').length < 2) await later();
    const photo = session.setPhoto(file('c'));
    workers[0].slow = {};
    workers[0].windows = [thing(7)];
    answer(null);
    await photo;
    await looked(session, 1);
    assert.deepEqual(session.things.map(({ id }) => id), ['p7'], 'nothing of the photo before');
    workers[0].windows = [thing(0), thing(1)];
    workers[0].fails.window = new LookalikeError('network', 'gone');
    await session.setPhoto(file('d'));
    await quiet(session);
    await later(5);
    assert.equal(session.failure, null, 'dots are an offer');
    workers[0].fails.window = undefined;
    await session.refine({ k: 5 });
    await looked(session, 2);
    await session.clearPhoto();
    assert.deepEqual(session.things, []);
  });

  test('a selection is read when it is needed, sent once, and gives a second list', async () => {
    const { session, workers, shown } = start();
    await session.setPhoto(file('a'));
    await quiet(session);
    let reads = 0;
    await session.select(() => {
      reads++;
      return { data: new Uint8Array([255]), width: 1, height: 1 };
    });
    assert.ok(session.results.whole && session.results.masked);
    assert.equal(session.answer, session.results.masked);
    await session.refine({ walk: 0.5 });
    assert.equal(reads, 1);
    assert.equal(workers[0].named('mask').length, 1);
    assert.deepEqual(workers[0].named('search').map(({ args }) => [args.query.photo, args.query.walk]), [['whole', undefined], ['masked', undefined], ['masked', 0.5]]);
    await session.select(null);
    assert.equal(session.results.masked, null);
    assert.equal(shown.at(-1).masked, null);
  });

  test('of many selections the last is shown, the others are called off', async () => {
    const { session, workers, shown } = start();
    await session.setPhoto(file('a'));
    await quiet(session);
    shown.length = 0;
    workers[0].slow.search = later(10);
    const mask = () => ({ data: new Uint8Array(1), width: 1, height: 1 });
    await Promise.all([session.select(mask), session.select(mask), session.select(mask)]);
    const masked = workers[0].named('search').filter(({ args }) => args.query.photo === 'masked');
    assert.deepEqual(masked.map(({ signal }) => signal?.aborted), [...masked.slice(1).map(() => true), false]);
    assert.equal(shown.length, 1);
  });

  test('another photo while one is read: the first is refused as called off, the second is there', async () => {
    const { session, workers } = start();
    await session.open();
    workers[0].slow.photo = later(10);
    const first = session.setPhoto(file('a'));
    const second = session.setPhoto(file('b'));
    await assert.rejects(first, { kind: 'aborted' });
    await second;
    await quiet(session);
    assert.equal([...workers[0].photos.values()].join(), 'b');
    assert.equal(session.failure, null);
    assert.equal(workers[0].open, 1, 'the bitmap of the first is closed');
  });

  test('a photo that cannot be read is refused and told; the one before stays', async () => {
    const { session, workers, shown } = start();
    await session.setPhoto(file('a'));
    await quiet(session);
    workers[0].fails.photo = new LookalikeError('bad-picture', 'no');
    await assert.rejects(session.setPhoto(file('b')), { kind: 'bad-picture' });
    assert.equal(session.failure?.error.kind, 'bad-picture');
    assert.deepEqual(session.photo, { width: 4, height: 3 });
    assert.equal(shown.length, 1);
    workers[0].fails = {};
    await session.failure?.again?.();
    assert.equal(session.failure, null);
  });

  test('moved within the page, nothing is asked again and nothing called off', async () => {
    const { session, workers } = start({ graceMs: 50 });
    await session.open();
    workers[0].slow.photo = later(20);
    const done = session.setPhoto(file('a'));
    await later(5);
    session.detach();
    await later(5);
    session.attach();
    await done;
    await later(60);
    await quiet(session);
    assert.equal(workers.length, 1);
    assert.equal(workers[0].released, 0);
    assert.equal(workers[0].photos.size, 1);
    assert.ok(session.results.whole);
  });

  test('gone, it calls everything off and the worker forgets the photo, though others use it', async () => {
    const { session, workers } = start();
    await session.setPhoto(file('a'));
    await quiet(session);
    session.detach();
    assert.equal(workers[0].photos.size, 1);
    await later(40);
    assert.equal(workers[0].photos.size, 0);
    assert.equal(workers[0].released, 1);
    await assert.rejects(session.setPhoto(file('b')), { kind: 'aborted' });
    assert.equal(workers.length, 1, 'no worker is started for nobody');
  });

  test('gone while a photo is read: the promise is refused, not left open', async () => {
    const { session, workers } = start();
    await session.open();
    workers[0].slow.photo = later(80);
    const done = session.setPhoto(file('a'));
    session.detach();
    await assert.rejects(done, { kind: 'aborted' });
    assert.equal(workers[0].open, 0);
  });

  test('put back, the photo and what is selected are given to the new worker with the next question', async () => {
    const { session, workers } = start();
    await session.setPhoto(file('a'));
    await session.select(() => ({ data: new Uint8Array([7]), width: 1, height: 1 }));
    session.detach();
    await later(40);
    session.attach();
    await session.refine({ walk: 0.3 });
    assert.equal(workers.length, 2);
    assert.deepEqual([...workers[1].photos.values()], ['a']);
    assert.deepEqual(workers[1].named('mask').map(({ args }) => [...args.coverage]), [[7]]);
    assert.equal(workers[1].open, 0);
  });

  test('a worker that dies is told of; another attempt starts a new one with the same photo', async () => {
    const { session, workers } = start();
    await session.setPhoto(file('a'));
    await quiet(session);
    workers[0].die(new LookalikeError('worker', 'gone'));
    assert.equal(session.failure?.error.kind, 'worker');
    await session.refine({ minScore: 0.5 });
    assert.deepEqual([...workers[1].photos.values()], ['a']);
  });

  test('a failure that a listener takes is not kept', async () => {
    const { session } = start({ settings: { manifest: '' } });
    session.addEventListener('failure', (event) => event.preventDefault());
    await assert.rejects(session.warm(false), { kind: 'setup' });
    assert.equal(session.failure, null);
  });

  test('the photo cleared, nothing of it stays, and votes and directions go', async () => {
    const { session, workers, photos } = start();
    await session.setPhoto(file('a'));
    await session.refine({ like: ['x'], filter: { category: ['c'] } });
    await session.clearPhoto();
    await quiet(session);
    assert.equal(workers[0].photos.size, 0);
    assert.equal(session.photo, null);
    assert.deepEqual(session.query, { filter: { category: ['c'] } });
    assert.deepEqual(session.results, { whole: null, masked: null, product: null });
    assert.equal(photos.at(-1), null);
  });

  test('a product takes the place of the photo', async () => {
    const { session } = start();
    await session.setPhoto(file('a'));
    await session.similar({ id: 'p', title: 'p' });
    assert.equal(session.state, 'product');
    assert.equal(session.results.product?.hits[0].id, 'p 0');
    await session.setPhoto(file('b'));
    assert.equal(session.state, 'photo');
    assert.equal(session.query.productId, undefined);
  });

  test('a link that does not fit is searched as far as it does, and says what was left out', async () => {
    const { session, workers } = start({ query: { productId: 'gone', filter: { category: ['c'] } } });
    const fit = { query: { filter: { category: ['c'] } }, leftOut: ['product "gone"'] };
    const opening = session.open();
    workers[0].fit = fit;
    await opening;
    assert.deepEqual(session.query, fit.query);
    assert.deepEqual(session.leftOut, fit.leftOut);
    assert.equal(session.failure?.error.kind, 'bad-query');
    assert.equal(workers[0].named('search').length, 0);
  });

  test('more results on request, at most a thousand; another photo starts over', async () => {
    const { session } = start({ settings: { k: 990 } });
    await session.setPhoto(file('a'));
    await quiet(session);
    assert.ok(session.hasMore);
    await session.more();
    assert.equal(session.answer?.hits.length, 1000);
    assert.ok(!session.hasMore);
    await session.setPhoto(file('b'));
    await quiet(session);
    assert.equal(session.answer?.hits.length, 990);
  });

  test('a search that takes long says so, and no longer when it is done', async () => {
    const { session, workers } = start();
    await session.open();
    const slow = new Promise((resolve) => session.addEventListener('change', () => session.isSlow && resolve(undefined)));
    workers[0].slow.search = slow;
    await session.setPhoto(file('a'));
    await quiet(session);
    assert.ok(!session.isSlow);
    assert.equal(session.results.whole?.hits.length, 3);
  });
});
