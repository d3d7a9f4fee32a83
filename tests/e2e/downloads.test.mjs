/** Downloads without a browser: lines that are cut, servers that know no better, files as gzip and what may be wrong with them. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { download } from '../../www/download.js';
import { lineBytes, obtain } from '../../www/hosted.js';
import { Plain } from '../../www/unpack.js';

const hash = (/** @type {Uint8Array} */ bytes) => createHash('sha256').update(bytes).digest('hex');

describe('downloads', () => {
  const file = Uint8Array.from({ length: 1000 }, (_, i) => i % 251);
  const url = 'https://shop.example/catalog/model.onnx';
  const whole = { sha256: hash(file) };
  /** The file as it is. @param {Uint8Array} into @param {{sha256: string, blocks?: import('../../www/types.js').ManifestBlocks}} [promised] */
  const plain = (into, promised = whole) => new Plain('model.onnx', into, promised);

  /**
   * A server that follows a script: each entry answers one request.
   * @param {((range: number) => Response)[]} script
   */
  function scripted(script) {
    /** @type {(string|null)[]} */
    const ranges = [];
    /** @type {typeof fetch} */
    const get = async (_, options) => {
      const range = new Headers(options?.headers).get('range');
      ranges.push(range);
      const step = script.shift();
      if (!step) throw new TypeError('no more answers');
      return step(Number(range?.match(/\d+/)?.[0] ?? 0));
    };
    return { get, ranges };
  }
  /** @param {Uint8Array} bytes @param {boolean} breaks @param {number} status @param {Record<string, string>} headers */
  const stream = (bytes, breaks, status = 200, headers = { 'content-length': '1000' }) => new Response(new ReadableStream({
    start(controller) {
      controller.enqueue(bytes.slice());
      if (!breaks) controller.close();
    },
    pull(controller) {
      if (breaks) controller.error(new TypeError('network error'));
    },
  }), { status, headers });

  test('resumes where the line was cut', async () => {
    const { get, ranges } = scripted([
      () => stream(file.subarray(0, 400), true),
      (from) => stream(file.subarray(from), false, 206, { 'content-range': `bytes ${from}-999/1000` }),
    ]);
    const into = new Uint8Array(1000);
    /** @type {number[]} */
    const seen = [];
    await download(url, plain(into), { fetch: get, pauseMs: 1, onBytes: (n) => seen.push(n) });
    assert.deepEqual(into, file);
    assert.deepEqual(ranges, [null, 'bytes=400-']);
    assert.deepEqual(seen, [400, 1000]);
  });

  test('starts over where the server knows no ranges, or packs the file', async () => {
    for (const headers of [{ 'content-length': '1000' }, { 'content-length': '700' }]) {
      const { get } = scripted([() => stream(file.subarray(0, 400), true, 200, headers), () => stream(file, false, 200, headers)]);
      const into = new Uint8Array(1000);
      await download(url, plain(into), { fetch: get, pauseMs: 1 });
      assert.deepEqual(into, file);
    }
  });

  test('gives up in the end, and says how far it came', async () => {
    const { get, ranges } = scripted([]);
    await assert.rejects(download(url, plain(new Uint8Array(1000)), { fetch: get, pauseMs: 1 }), { kind: 'network', message: /catalog\/model\.onnx.*0 of 1000 bytes/ });
    assert.equal(ranges.length, 5);
  });

  test('a 404 is not asked again; a 503 is', async () => {
    const gone = scripted([() => new Response('', { status: 404 })]);
    await assert.rejects(download(url, plain(new Uint8Array(9)), { fetch: gone.get, pauseMs: 1 }), { kind: 'missing' });
    assert.equal(gone.ranges.length, 1);
    const busy = scripted([() => new Response('', { status: 503 }), () => stream(file, false)]);
    await download(url, plain(new Uint8Array(1000)), { fetch: busy.get, pauseMs: 1 });
    assert.equal(busy.ranges.length, 2);
  });

  test('a file that is longer than promised is refused', async () => {
    const { get } = scripted([() => stream(file, false)]);
    await assert.rejects(download(url, plain(new Uint8Array(900)), { fetch: get, pauseMs: 1 }), { kind: 'bad-file', message: /longer than the 900 bytes/ });
  });

  describe('of a file whose blocks have hashes', () => {
    const blocks = { bytes: 300, sha256: [0, 300, 600, 900].map((start) => hash(file.subarray(start, start + 300))) };
    const blocked = { sha256: 'not asked for', blocks };
    /** One byte is wrong. @param {number} at */
    const damaged = (at) => file.map((byte, i) => (i === at ? byte ^ 1 : byte));
    /** In pieces of so many bytes. @param {Uint8Array} bytes @param {number} size */
    const inPieces = (bytes, size) => {
      let sent = 0;
      const body = new ReadableStream({
        pull(controller) {
          if (sent >= bytes.length) controller.close();
          else controller.enqueue(bytes.slice(sent, sent += size));
        },
      }, { highWaterMark: 0 });
      return { response: new Response(body, { headers: { 'content-length': '1000' } }), sent: () => sent };
    };

    test('arrives whole, in pieces of any size', async () => {
      for (const size of [1, 100, 299, 301, 650, 1000]) {
        const into = new Uint8Array(1000);
        await download(url, plain(into, blocked), { fetch: async () => inPieces(file, size).response, pauseMs: 1 });
        assert.deepEqual(into, file);
      }
    });

    test('a wrong byte ends it with its block, wherever it is', async () => {
      for (const at of [0, 299, 300, 650, 999]) {
        const answer = inPieces(damaged(at), 50);
        await assert.rejects(
          download(url, plain(new Uint8Array(1000), blocked), { fetch: async () => answer.response, pauseMs: 1 }),
          { kind: 'bad-file', message: /model\.onnx/ },
        );
        assert.equal(answer.sent(), Math.min((Math.floor(at / 300) + 1) * 300, 1000), `byte ${at}`);
      }
    });

    test('what a second attempt writes again is compared again', async () => {
      // Cut after two good blocks; then from the start, by a server that has meanwhile another file.
      const { get } = scripted([
        () => stream(file.subarray(0, 700), true, 200, { 'content-length': '700' }),
        () => stream(damaged(10), false, 200, { 'content-length': '700' }),
      ]);
      await assert.rejects(download(url, plain(new Uint8Array(1000), blocked), { fetch: get, pauseMs: 1 }), { kind: 'bad-file' });
    });

    test('resumed, it is compared across the cut', async () => {
      const { get } = scripted([
        () => stream(file.subarray(0, 400), true),
        (from) => stream(damaged(450).subarray(from), false, 206, { 'content-range': `bytes ${from}-999/1000` }),
      ]);
      await assert.rejects(download(url, plain(new Uint8Array(1000), blocked), { fetch: get, pauseMs: 1 }), { kind: 'bad-file' });
    });
  });

  test('an abort ends it at once', async () => {
    const controller = new AbortController();
    const { get } = scripted([]);
    const waiting = download(url, plain(new Uint8Array(9)), { fetch: get, pauseMs: 60_000, signal: controller.signal });
    setTimeout(() => controller.abort(), 5);
    await assert.rejects(waiting, { kind: 'aborted' });
  });
});

describe('a file that is hosted as gzip as well', () => {
  const base = 'https://shop.example/catalog/manifest.json';
  /** Packs to a third, and not to the same everywhere. */
  const file = Uint8Array.from({ length: 90_000 }, (_, i) => (i * i * 7 + (i >> 5)) % 61 % (1 + i % 17));
  const gzip = gzipSync(file, { level: 9 });
  const blocks = { bytes: 20_000, sha256: [0, 1, 2, 3, 4].map((i) => hash(file.subarray(i * 20_000, (i + 1) * 20_000))) };
  /** @param {Uint8Array} [packed] @param {Uint8Array} [plain] */
  const unitOf = (packed = gzip, plain = file) => ({
    path: 'index-1.bin', bytes: plain.length, sha256: hash(plain), packed: { path: 'index-1.packed', bytes: packed.length, sha256: hash(packed) },
  });

  /**
   * @typedef {object} Way how a file is answered
   * @property {Uint8Array} [bytes] status 404 without
   * @property {number} [status]
   * @property {number} [size] of the pieces in which they come
   * @property {number} [cut] the line breaks once so many bytes were sent
   * @property {number|null} [length] what is said of it; null: nothing
   * @property {boolean} [ranges]
   *
   * A host: each request is answered by the next way of its file, the last one for ever.
   * @param {Record<string, Way[]>} files
   */
  function host(files) {
    /** @type {string[]} */
    const log = [];
    const sent = { bytes: 0, cancelled: false };
    /** @type {typeof fetch} */
    const get = async (url, options) => {
      const name = String(url).split('/').at(-1) ?? '';
      const asked = new Headers(options?.headers).get('range');
      log.push([name, asked, options?.cache === 'reload' && 'anew'].filter(Boolean).join(' '));
      const ways = files[name] ?? [];
      const { bytes, status = 200, size = 1000, cut, length, ranges = true } = (ways.length > 1 ? ways.shift() : ways[0]) ?? {};
      if (!bytes || status !== 200) return new Response('', { status: bytes ? status : 404 });
      const from = ranges && asked ? Number(asked.match(/\d+/)?.[0]) : 0;
      let at = from;
      const end = cut === undefined ? bytes.length : Math.min(from + cut, bytes.length);
      const body = new ReadableStream({
        pull(controller) {
          if (at < end) {
            const chunk = bytes.slice(at, Math.min(at + size, end));
            at += chunk.length;
            sent.bytes += chunk.length;
            controller.enqueue(chunk);
          } else if (cut === undefined) controller.close();
          else controller.error(new TypeError('network error'));
        },
        cancel() {
          sent.cancelled = true;
        },
      }, { highWaterMark: 0 });
      /** @type {Record<string, string>} */
      const headers = from > 0 ? { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` } : {};
      if (length !== null) headers['content-length'] = String(length ?? bytes.length - from);
      return new Response(body, { status: from > 0 ? 206 : 200, headers });
    };
    return { log, sent, get };
  }

  /**
   * @param {ReturnType<typeof host>} from
   * @param {import('../../www/hosted.js').Unit} [unit]
   * @param {AbortSignal} [signal]
   */
  async function fetched(from, unit = unitOf(), signal) {
    const into = new Uint8Array(unit.bytes);
    /** @type {[number, number][]} */
    const seen = [];
    await obtain(unit, base, into, { fetch: from.get, pauseMs: 1, signal, onBytes: (received, of) => seen.push([received, of]) });
    return { into, seen };
  }

  test('arrives in pieces of any size, and costs its packed bytes', async () => {
    for (const unit of [unitOf(), { ...unitOf(), blocks }]) {
      for (const size of [1, 2, 3, 777, gzip.length - 1, gzip.length]) {
        if (size === 1 && !('blocks' in unit)) continue;
        const from = host({ 'index-1.packed': [{ bytes: gzip, size }] });
        const { into, seen } = await fetched(from, unit);
        assert.deepEqual(into, file);
        assert.deepEqual(from.log, ['index-1.packed']);
        assert.deepEqual(seen.at(-1), [gzip.length, gzip.length]);
      }
    }
    assert.equal(lineBytes(unitOf()), gzip.length);
    assert.equal(lineBytes({ ...unitOf(), packed: undefined }), file.length);
  });

  test('is gone on with where the line was cut, as often as that happens', async () => {
    for (const cut of [2, 3, 17, 5000, gzip.length - 1]) {
      const from = host({ 'index-1.packed': [{ bytes: gzip, cut }, { bytes: gzip, cut: 1 }, { bytes: gzip, size: 10 }] });
      const { into } = await fetched(from, { ...unitOf(), blocks });
      assert.deepEqual(into, file);
      assert.equal(from.log[1], `index-1.packed bytes=${cut}- anew`);
      const whole = cut + 1 === gzip.length;
      if (!whole) assert.equal(from.log[2], `index-1.packed bytes=${cut + 1}- anew`);
      if (!whole) assert.equal(from.sent.bytes, gzip.length, 'nothing is sent twice');
    }
  });

  test('starts over where too little came to tell what it is', async () => {
    for (const cut of [0, 1]) {
      const from = host({ 'index-1.packed': [{ bytes: gzip, cut }, { bytes: gzip }] });
      assert.deepEqual((await fetched(from)).into, file);
      assert.deepEqual(from.log, ['index-1.packed', 'index-1.packed anew']);
    }
  });

  test('starts over where the server knows no ranges', async () => {
    const from = host({ 'index-1.packed': [{ bytes: gzip, cut: 9000, ranges: false }, { bytes: gzip, cut: 15_000, ranges: false }, { bytes: gzip, ranges: false }] });
    assert.deepEqual((await fetched(from, { ...unitOf(), blocks })).into, file);
    assert.equal(from.log.length, 3);
  });

  test('starts over where what is on the line is not what arrives', async () => {
    // Packed once more on its way, as a length that is not the file's gives away; or none is given.
    for (const length of [gzip.length + 30, null]) {
      const from = host({ 'index-1.packed': [{ bytes: gzip, cut: 9000, length }, { bytes: gzip, length }] });
      assert.deepEqual((await fetched(from)).into, file);
      assert.deepEqual(from.log, ['index-1.packed', 'index-1.packed anew']);
    }
  });

  test('is taken as it is where it was unpacked on its way', async () => {
    // The length may be that of the packed file: a server that declares gzip what it sends makes the browser unpack it.
    for (const length of [file.length, gzip.length, null]) {
      for (const size of length === null ? [1, 1000] : [1000, file.length]) {
        const from = host({ 'index-1.packed': [{ bytes: file, size, length }] });
        const { into, seen } = await fetched(from, { ...unitOf(), blocks });
        assert.deepEqual(into, file);
        assert.deepEqual(seen.at(-1), [file.length, file.length]);
      }
      const from = host({ 'index-1.packed': [{ bytes: file, cut: 50_000, length }, { bytes: file, length }] });
      assert.deepEqual((await fetched(from)).into, file);
      assert.equal(from.log[1], length === file.length ? 'index-1.packed bytes=50000- anew' : 'index-1.packed anew');
    }
  });

  const flipped = (/** @type {Uint8Array} */ bytes, /** @type {number} */ at) => bytes.map((byte, i) => (i === at ? byte ^ 0x10 : byte));
  const more = gzipSync(Buffer.concat([file, Buffer.of(7)]));
  const less = gzipSync(file.subarray(1));
  const behind = Buffer.concat([gzip, Buffer.from('and more')]);
  const cut = gzip.subarray(0, gzip.length - 100);
  const other = gzipSync(flipped(file, 45_000));
  /** What lies there, and what the manifest says of its size. @type {Record<string, [Uint8Array, Uint8Array, RegExp]>} */
  const faults = {
    'another file behind its beginning': [Buffer.concat([gzip.subarray(0, 10), Buffer.alloc(gzip.length - 10, 0xff)]), gzip, /cannot be unpacked/],
    'a byte wrong at its beginning': [flipped(gzip, 30), gzip, /cannot be unpacked|SHA-256/],
    'a byte wrong in its middle': [flipped(gzip, gzip.length >> 1), gzip, /cannot be unpacked|SHA-256/],
    'a wrong checksum': [flipped(gzip, gzip.length - 6), gzip, /cannot be unpacked/],
    'a wrong length at its end': [flipped(gzip, gzip.length - 2), gzip, /cannot be unpacked/],
    'cut short, as the manifest says': [cut, cut, /cannot be unpacked|less than/],
    'something behind its end': [behind, gzip, /longer than the \d+ bytes/],
    'something behind its end, as the manifest says': [behind, behind, /./],
    'more than was promised': [more, more, /longer than the 90000 bytes/],
    'less than was promised': [less, less, /less than the 90000 bytes/],
    'another file of its size': [other, other, /SHA-256/],
    'a page of the host': [Buffer.from('<!doctype html><title>Not found</title>'), gzip, /neither gzip nor the whole file/],
    'a long page of the host': [Buffer.alloc(200_000, '<p>'), gzip, /longer|SHA-256/],
    'a larger page, in the first piece': [Buffer.alloc(30_000, '<p>'), gzip, /neither/],
  };
  for (const [what, [bytes, promised, words]] of Object.entries(faults)) {
    test(`${what}: asked for once more, then the plain one is taken`, async () => {
      for (const blocked of [false, true]) {
        const unit = { ...unitOf(promised), ...(blocked && { blocks }) };
        const from = host({ 'index-1.packed': [{ bytes }], 'index-1.bin': [{ bytes: file }] });
        // Node, unlike browsers, passes over what lies behind a gzip's end: it is the file then.
        const { into } = await fetched(from, unit);
        assert.deepEqual(into, file);
        if (from.log.length > 1) assert.deepEqual(from.log, ['index-1.packed', 'index-1.packed anew', 'index-1.bin']);
        else assert.equal(bytes, behind);
      }
      // An old one in the HTTP cache alone.
      const stale = host({ 'index-1.packed': [{ bytes }, { bytes: promised === gzip ? gzip : bytes }], 'index-1.bin': [{ bytes: file }] });
      assert.deepEqual((await fetched(stale, unitOf(promised))).into, file);
      if (promised === gzip) assert.deepEqual(stale.log, ['index-1.packed', 'index-1.packed anew']);
      // Nothing that is right is there.
      const gone = host({ 'index-1.packed': [{ bytes }], 'index-1.bin': [{ bytes: flipped(file, 80_000) }] });
      if (bytes === behind && promised === behind) return;
      await assert.rejects(fetched(gone, unitOf(promised)), (/** @type {any} */ error) => {
        assert.equal(error.kind, 'bad-file');
        assert.match(error.message, /index-1\.bin.*SHA-256/);
        assert.match(error.cause.message, /index-1\.packed/);
        assert.match(error.cause.message, words);
        return true;
      });
    });
  }

  test('one that is shorter on the server is given up for the plain one', async () => {
    const from = host({ 'index-1.packed': [{ bytes: cut }], 'index-1.bin': [{ bytes: file }] });
    assert.deepEqual((await fetched(from)).into, file);
    assert.equal(from.log.at(-1), 'index-1.bin');
    const empty = host({ 'index-1.packed': [{ bytes: new Uint8Array() }], 'index-1.bin': [{ bytes: file }] });
    assert.deepEqual((await fetched(empty)).into, file);
  });

  test('a missing one costs one question; a server in trouble is asked nothing more', async () => {
    const from = host({ 'index-1.bin': [{ bytes: file }] });
    assert.deepEqual((await fetched(from)).into, file);
    assert.deepEqual(from.log, ['index-1.packed', 'index-1.bin']);
    await assert.rejects(fetched(host({})), { kind: 'missing', message: /index-1\.bin.*404/ });
    const busy = host({ 'index-1.packed': [{ bytes: gzip, status: 503 }], 'index-1.bin': [{ bytes: file }] });
    await assert.rejects(fetched(busy), { kind: 'network', message: /index-1\.packed.*503/ });
    assert.equal(busy.log.length, 5);
  });

  test('what unpacks to a thousand times what was promised is stopped early', async () => {
    const bomb = gzipSync(Buffer.alloc(256 << 20));
    const from = host({ 'index-1.packed': [{ bytes: bomb, size: 4000 }], 'index-1.bin': [{ bytes: file }] });
    assert.deepEqual((await fetched(from, unitOf(bomb))).into, file);
    assert.deepEqual(from.log, ['index-1.packed', 'index-1.packed anew', 'index-1.bin']);
    assert.ok(from.sent.bytes - file.length < bomb.length / 2, `${from.sent.bytes} of twice ${bomb.length} bytes were read`);
    assert.ok(from.sent.cancelled);
  });

  test('without DecompressionStream, the plain one is asked for and nothing else', async () => {
    const kept = globalThis.DecompressionStream;
    Reflect.deleteProperty(globalThis, 'DecompressionStream');
    try {
      const from = host({ 'index-1.packed': [{ bytes: gzip }], 'index-1.bin': [{ bytes: file }] });
      const { into, seen } = await fetched(from);
      assert.deepEqual(into, file);
      assert.deepEqual(from.log, ['index-1.bin']);
      assert.deepEqual(seen.at(-1), [file.length, file.length]);
      assert.equal(lineBytes(unitOf()), file.length);
    } finally {
      globalThis.DecompressionStream = kept;
    }
  });

  test('an abort ends it at once, wherever it is, and leaves nothing behind', async () => {
    for (const after of [0, 1, 2, 5000, gzip.length - 1]) {
      const controller = new AbortController();
      let left = after;
      const body = new ReadableStream({
        pull(stream) {
          if (left > 0) stream.enqueue(gzip.slice(after - left, after - left + 1000).subarray(0, left));
          left -= 1000;
          // The rest never comes.
          if (left <= 0) {
            setTimeout(() => controller.abort(), 5);
            controller.signal.addEventListener('abort', () => stream.error(new DOMException('aborted', 'AbortError')));
            return new Promise(() => {});
          }
          return undefined;
        },
      }, { highWaterMark: 0 });
      const get = async () => new Response(body, { headers: { 'content-length': String(gzip.length) } });
      const into = new Uint8Array(file.length);
      await assert.rejects(obtain(unitOf(), base, into, { fetch: get, signal: controller.signal }), { kind: 'aborted' });
      const there = into.slice();
      await new Promise((done) => setTimeout(done, 20));
      assert.deepEqual(into, there, 'nothing is written any more');
    }
  });
});
