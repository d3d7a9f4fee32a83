/**
 * The page's end of the worker: calls with ids, aborts, and a clear end. When the worker dies, all that
 * waits is rejected, and the next `connect` starts a new one.
 */
import { LookalikeError, aborted, asError, fromWire } from './errors.js';
import { scriptUrl } from './trusted.js';

/** @import { Progress } from './types.js' */

/** @type {Map<string, Client>} */
const clients = new Map();
/** Whether engines may use threads: not after one has died, lest the next one dies of the same. */
let threads = true;
/** A worker that nobody uses lives on for this long, so that moving an element in the page costs nothing. */
const LINGER_MS = 5_000;
/** The frame of another origin answers within this time or is not there. */
const FRAME_MS = 15_000;

/**
 * One client for each manifest, shared by all elements of the page.
 * @param {{manifest: string, pkg?: string, worker?: string}} options URLs, relative to the document
 * @returns {Client}
 */
export function connect({ manifest, pkg, worker }) {
  const manifestUrl = new URL(manifest, document.baseURI).href;
  const pkgUrl = pkg ? new URL(pkg, document.baseURI).href : new URL('../pkg/lookalike.js', import.meta.url).href;
  const workerUrl = worker ? new URL(worker, document.baseURI).href : new URL('./worker.js', import.meta.url).href;
  const key = [manifestUrl, pkgUrl, workerUrl].join(' ');
  let client = clients.get(key);
  if (!client) clients.set(key, client = new Client(manifestUrl, pkgUrl, workerUrl, () => clients.delete(key)));
  client.hold();
  return client;
}

export class Client extends EventTarget {
  /** @type {Map<number, {resolve: (value: any) => void, reject: (error: LookalikeError) => void}>} */
  #pending = new Map();
  #nextId = 1;
  #holders = 0;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #linger;
  /** @type {LookalikeError|null} */
  #dead = null;
  #port;
  #stop;
  #forget;

  /**
   * @param {string} manifest
   * @param {string} pkg
   * @param {string} worker
   * @param {() => void} forget
   */
  constructor(manifest, pkg, worker, forget) {
    super();
    this.manifest = manifest;
    this.#forget = forget;
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.#port.onmessage = ({ data }) => this.#receive(data);
    const fail = (/** @type {LookalikeError} */ error) => this.#die(error);
    this.#stop = new URL(worker).origin === location.origin
      ? startWorker(worker, { manifest, pkg, threads }, port2, fail)
      : startFrame(worker, { manifest, pkg, threads }, port2, fail);
  }

  /** Whether calls can still be answered. */
  get alive() {
    return this.#dead === null;
  }

  hold() {
    this.#holders++;
    clearTimeout(this.#linger);
  }

  release() {
    this.#holders--;
    if (this.#holders > 0 || this.#dead) return;
    this.#linger = setTimeout(() => this.#die(aborted()), LINGER_MS);
  }

  /**
   * @param {string} call
   * @param {object} [args]
   * @param {{signal?: AbortSignal, transfer?: Transferable[]}} [options]
   * @returns {Promise<any>}
   */
  call(call, args = {}, { signal, transfer = [] } = {}) {
    if (this.#dead) return Promise.reject(this.#dead);
    if (signal?.aborted) return Promise.reject(aborted(signal.reason));
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const stop = () => {
        // The page stops waiting at once; the worker drops the call when it comes to it.
        this.#pending.delete(id);
        this.#port.postMessage({ abort: id });
        reject(aborted(signal?.reason));
      };
      signal?.addEventListener('abort', stop, { once: true });
      const end = () => signal?.removeEventListener('abort', stop);
      this.#pending.set(id, {
        resolve: (value) => (end(), resolve(value)),
        reject: (error) => (end(), reject(error)),
      });
      try {
        this.#port.postMessage({ id, call, args }, transfer);
      } catch (thrown) {
        this.#pending.delete(id);
        end();
        reject(asError(thrown));
      }
    });
  }

  /** @param {{id?: number, value?: unknown, error?: any, progress?: Progress, fatal?: any}} message */
  #receive(message) {
    if (message.progress) {
      this.dispatchEvent(new CustomEvent('progress', { detail: message.progress }));
      return;
    }
    if (message.fatal) {
      threads = false;
      this.#die(new LookalikeError('worker', 'The search stopped unexpectedly.', { cause: fromWire(message.fatal) }));
      return;
    }
    const waiting = this.#pending.get(message.id ?? 0);
    if (!waiting) return;
    this.#pending.delete(message.id ?? 0);
    if (message.error) waiting.reject(fromWire(message.error));
    else waiting.resolve(message.value);
  }

  /** @param {LookalikeError} error */
  #die(error) {
    if (this.#dead) return;
    this.#dead = error;
    this.#forget();
    this.#stop();
    this.#port.close();
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
    this.dispatchEvent(new CustomEvent('dead', { detail: error }));
  }
}

/**
 * @param {string} url
 * @param {object} greeting
 * @param {MessagePort} port
 * @param {(error: LookalikeError) => void} fail
 * @returns {() => void} ends it
 */
function startWorker(url, greeting, port, fail) {
  try {
    const worker = new Worker(scriptUrl(url), { type: 'module', name: 'lookalike' });
    worker.onerror = async (event) => {
      event.preventDefault();
      // A script that fails has a message; one that did not arrive has none.
      fail(event.message ? new LookalikeError('worker', `The search worker could not run: ${event.message}`) : await whyMissing(url));
    };
    worker.postMessage(greeting, [port]);
    return () => worker.terminate();
  } catch (cause) {
    // Told after the constructor, so that listeners hear it.
    queueMicrotask(() => fail(new LookalikeError('worker', `This page's policy does not allow the search worker ${url} (${asError(cause).message})`, { cause })));
    return () => {};
  }
}

/**
 * Browsers do not say why a script did not arrive.
 * @param {string} url
 * @returns {Promise<LookalikeError>}
 */
async function whyMissing(url) {
  if (navigator.onLine === false) return new LookalikeError('offline', `${url}: not on this device`);
  try {
    const { ok, status } = await fetch(url, { cache: 'no-cache', credentials: 'omit' });
    if (!ok) return new LookalikeError('missing', `${url}: the server answered ${status}`);
  } catch (cause) {
    return new LookalikeError('network', `${url}: could not be fetched`, { cause });
  }
  return new LookalikeError('worker', `The search worker could not run: ${url}, or a script that it imports, was refused`);
}

/**
 * A worker must share its page's origin. Where our files live elsewhere, a hidden frame of theirs runs it and
 * hands the port through: no blob, no eval, and the photo still goes to no server.
 * @param {string} worker
 * @param {object} greeting
 * @param {MessagePort} port
 * @param {(error: LookalikeError) => void} fail
 * @returns {() => void} ends it
 */
function startFrame(worker, greeting, port, fail) {
  const { origin } = new URL(worker);
  const frame = document.createElement('iframe');
  frame.src = new URL('./frame.html', worker).href;
  frame.hidden = true;
  frame.title = 'Lookalike';
  frame.tabIndex = -1;
  frame.setAttribute('aria-hidden', 'true');
  const timer = setTimeout(() => fail(navigator.onLine === false
    ? new LookalikeError('offline', `${frame.src}: not on this device`)
    : new LookalikeError('worker', `${frame.src} did not load; the page's policy may need frame-src ${origin}`)), FRAME_MS);
  const listen = (/** @type {MessageEvent} */ event) => {
    if (event.source !== frame.contentWindow || event.origin !== origin) return;
    if (event.data?.lookalike === 'frame-ready') {
      clearTimeout(timer);
      frame.contentWindow?.postMessage({ lookalike: 'connect', worker, greeting }, origin, [port]);
    } else if (event.data?.lookalike === 'worker-failed') {
      fail(new LookalikeError('worker', `The search worker could not run: ${event.data.message}`));
    }
  };
  addEventListener('message', listen);
  document.documentElement.append(frame);
  return () => {
    clearTimeout(timer);
    removeEventListener('message', listen);
    frame.remove();
  };
}
