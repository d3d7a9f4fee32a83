/** Photos that come as an address instead of a file. */
import { LookalikeError } from '../errors.js';

/** Files beyond this are not read, as in the engine (pictures/src/limits.rs). */
export const MAX_BYTES = 100_000_000;

/**
 * @param {string} address absolute, or relative to the document
 * @param {AbortSignal} signal
 * @param {typeof fetch} [get]
 * @returns {Promise<Blob>}
 */
export async function fetchPhoto(address, signal, get = fetch) {
  try {
    const response = await get(new URL(address, globalThis.document?.baseURI), { signal, credentials: 'omit', referrerPolicy: 'no-referrer' });
    if (!response.ok) throw new LookalikeError('bad-url', `${address}: the server answered ${response.status}`);
    return await bounded(response, address);
  } catch (thrown) {
    if (signal.aborted || thrown instanceof LookalikeError) throw thrown;
    throw new LookalikeError('bad-url', `${address}: could not be fetched`, { cause: thrown });
  }
}

/**
 * The body of an answer, given up as soon as it is too large.
 * @param {Response} response
 * @param {string} address
 * @returns {Promise<Blob>}
 */
async function bounded(response, address) {
  const large = () => new LookalikeError('too-large', `${address}: the file has more than ${MAX_BYTES / 1e6} MB`);
  const reader = response.body?.getReader();
  if (!reader) return response.blob();
  const chunks = [];
  let size = Number(response.headers.get('content-length'));
  if (size > MAX_BYTES) {
    await reader.cancel();
    throw large();
  }
  for (size = 0; ;) {
    const { done, value } = await reader.read();
    if (done) return new Blob(chunks, { type: response.headers.get('content-type') ?? '' });
    size += value.length;
    if (size > MAX_BYTES) {
      await reader.cancel();
      throw large();
    }
    chunks.push(value);
  }
}
