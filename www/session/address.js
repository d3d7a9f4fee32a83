/** Photos that come as an address instead of a file. */
import { LookalikeError } from '../errors.js';

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
    return await response.blob();
  } catch (thrown) {
    if (signal.aborted || thrown instanceof LookalikeError) throw thrown;
    throw new LookalikeError('bad-url', `${address}: could not be fetched`, { cause: thrown });
  }
}
