/**
 * One file over the line, through dropped connections.
 *
 * The manifest says how many bytes to expect, so progress needs no Content-Length and a short or a long
 * answer is noticed without hashing. What has arrived is kept between attempts, and asked for no second time
 * where the server answers ranges of the file as it lies there (unencoded).
 *
 * @import { Sink } from './unpack.js'
 */
import { LookalikeError, aborted } from './errors.js';

const ATTEMPTS = 5;
const FIRST_PAUSE_MS = 250;
/** A connection that says nothing for so long is taken for dropped. */
const STALL_MS = 20_000;

/** The server itself ended its answer too early: the file that lies there may be another one. */
export class ShortAnswer extends LookalikeError {}

/**
 * @typedef {object} Options
 * @property {AbortSignal} [signal]
 * @property {(received: number, of: number) => void} [onBytes] how many bytes of how many have come over the line
 * @property {typeof fetch} [fetch]
 * @property {number} [pauseMs] before the first new attempt; doubles
 * @property {boolean} [reload] past the browser's HTTP cache, from the first attempt on
 */

/**
 * @param {string} url
 * @param {Sink} sink
 * @param {Options} [options]
 */
export async function download(url, sink, options = {}) {
  try {
    await attempts(url, sink, options);
  } catch (thrown) {
    sink.drop();
    throw thrown;
  }
}

/** @param {string} url @param {Sink} sink @param {Options} options */
async function attempts(url, sink, options) {
  const { signal, onBytes, pauseMs = FIRST_PAUSE_MS } = options;
  const get = options.fetch ?? fetch;
  let received = 0;
  /** What the last whole answer said of its length. */
  let length = NaN;
  /** @type {LookalikeError|null} */
  let last = null;

  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (attempt > 0) await pause(pauseMs * 2 ** (attempt - 1), signal);
    if (signal?.aborted) throw aborted(signal.reason);
    // Only when the bytes on the wire are the file's own do byte ranges mean what we think.
    if (!sink.sure || length !== sink.bytes) received = 0;
    if (received === 0) sink.restart();

    const stall = new AbortController();
    const timer = { id: setTimeout(() => stall.abort(), STALL_MS) };
    const follow = () => stall.abort();
    signal?.addEventListener('abort', follow, { once: true });
    try {
      const headers = received > 0 ? { Range: `bytes=${received}-` } : undefined;
      const response = await get(url, {
        signal: stall.signal,
        headers,
        credentials: 'omit',
        // An answer that was cut short may sit in the HTTP cache as if it were whole.
        cache: attempt > 0 || options.reload ? 'reload' : 'default',
      });
      if (!response.ok) {
        await response.body?.cancel();
        if (response.status === 416) {
          length = NaN;
          continue;
        }
        const error = new LookalikeError(
          response.status < 500 ? 'missing' : 'network',
          `${nameOf(url)}: the server answered ${response.status} ${response.statusText}`.trim(),
        );
        // A 404 will be a 404 again; 408 and 429 ask for patience.
        if (response.status < 500 && response.status !== 408 && response.status !== 429) throw error;
        last = error;
        continue;
      }
      if (received > 0 && !continues(response, received)) {
        received = 0;
        sink.restart();
      }
      if (response.status === 200) length = Number(response.headers.get('content-length'));

      const reader = response.body?.getReader();
      if (!reader) throw new LookalikeError('network', `${nameOf(url)}: the answer has no body`);
      for (;;) {
        const { done, value } = await reader.read();
        clearTimeout(timer.id);
        if (done) break;
        timer.id = setTimeout(() => stall.abort(), STALL_MS);
        try {
          await sink.take(value);
        } catch (thrown) {
          await reader.cancel();
          throw thrown;
        }
        received += value.length;
        onBytes?.(received, sink.bytes);
      }
      if (await sink.end()) return;
      last = new ShortAnswer('network', `${nameOf(url)}: the server sent ${received} of ${sink.bytes} bytes`);
      // A server that closes properly after too few bytes may be right about its file: ask for all of it again.
      if (received === 0) length = NaN;
    } catch (thrown) {
      if (signal?.aborted) throw aborted(thrown);
      if (thrown instanceof LookalikeError && thrown.kind !== 'network') throw thrown;
      last = thrown instanceof LookalikeError ? thrown : new LookalikeError(
        'network',
        stall.signal.aborted
          ? `${nameOf(url)}: nothing arrived for ${STALL_MS / 1000} s`
          : `${nameOf(url)}: the connection failed after ${received} of ${sink.bytes} bytes`,
        { cause: thrown },
      );
    } finally {
      clearTimeout(timer.id);
      signal?.removeEventListener('abort', follow);
    }
  }
  throw last ?? new LookalikeError('network', `${nameOf(url)}: could not be fetched`);
}

/**
 * @param {Response} response
 * @param {number} from
 */
function continues(response, from) {
  if (response.status !== 206) return false;
  const range = response.headers.get('content-range');
  // The header is hidden from other origins unless exposed; the hash has the last word then.
  return range === null || range.startsWith(`bytes ${from}-`);
}

/** @param {string} url */
function nameOf(url) {
  return new URL(url).pathname.split('/').slice(-2).join('/');
}

/**
 * @param {number} ms
 * @param {AbortSignal} [signal]
 * @returns {Promise<void>}
 */
function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(aborted(signal.reason));
    const stop = () => {
      clearTimeout(timer);
      reject(aborted(signal?.reason));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, ms);
    signal?.addEventListener('abort', stop, { once: true });
  });
}
