/**
 * The engine's home, off the main thread: fetches the files of one manifest, decodes photos, searches.
 *
 * Every message carries an id, and exactly one answer comes back for it. Calls that touch the engine run one
 * after the other; between two of them the queue lets messages in, so that an abort takes effect before the
 * next call starts. Several elements share one worker: each has a session with its own photo and mask, and the
 * engine holds the one that is searched with now.
 */
import { LookalikeError, aborted, asError, toWire } from './errors.js';
import { lineBytes, obtain, unitsOf } from './hosted.js';
import { Store } from './store.js';
import { decode, inspect } from './picture.js';
import { facetsOf, spread } from './catalog.js';
import { builds, start } from './engine.js';
import { sha256 } from './sha256.js';

/**
 * @import { LookalikeEngine, Manifest, ManifestFile, Opened, Product, Progress } from './types.js'
 *
 * @typedef {object} Session
 * @property {{rgba: Uint8Array, width: number, height: number}} photo
 * @property {{coverage: Uint8Array, width: number, height: number}|null} mask
 * @property {boolean} maskIsNew the engine has not seen it yet
 *
 * @import { Build, Engine } from './engine.js'
 * @import { Unit } from './hosted.js'
 * @import { Eye } from './picture.js'
 */

const scope = /** @type {DedicatedWorkerGlobalScope} */ (/** @type {unknown} */ (self));
/** How many files or parts are fetched at the same time. */
const STREAMS = 4;
/** Share of the progress that decoding takes, after the last byte is here. */
const DECODE_SHARE = 0.04;

class Host {
  /** @type {Promise<{engine: LookalikeEngine, eye: Eye, opened: Opened}>|null} */
  #opening = null;
  /** @type {Map<string, Promise<void>>} by role */
  #provided = new Map();
  /** @type {Map<string, Session>} */
  #sessions = new Map();
  /** @type {string|null} whose photo the engine holds */
  #owner = null;
  /** The end of the queue of what touches the engine. @type {Promise<void>} */
  #tail = Promise.resolve();
  /** @type {Product[]|null} */
  #products = null;

  /**
   * @param {string} manifest absolute URL
   * @param {string} pkg absolute URL of lookalike.js
   * @param {boolean} threads whether the engine may use several
   * @param {(progress: Progress) => void} onProgress
   */
  constructor(manifest, pkg, threads, onProgress) {
    this.manifestUrl = manifest;
    this.pkgUrl = pkg;
    this.threads = threads;
    this.store = new Store(manifest);
    this.ledger = new Ledger(onProgress);
  }

  /** Manifest and wasm, fetched side by side. A failure is forgotten, so that the next call tries again. */
  open() {
    this.#opening ??= this.#open().catch((thrown) => {
      this.#opening = null;
      throw thrown;
    });
    return this.#opening;
  }

  async #open() {
    // Both are fetched side by side: few networks need another build than the one that most run on.
    const usual = this.#wasm(builds(this.threads));
    usual.catch(() => {});
    const manifest = await this.#manifest();
    const Engine = await (needsFull(manifest) ? this.#wasm(['full']) : usual);
    const engine = new Engine(manifest);
    const files = engine.files();
    void this.store.prune(new Set([this.manifestUrl, ...files.flatMap((file) => unitsOf(file).map((unit) => unit.sha256))]));
    /** @type {Opened} */
    const opened = {
      manifest: /** @type {Manifest} */ (JSON.parse(new TextDecoder().decode(manifest))),
      features: {
        algebra: 'groups' in Engine.prototype,
        filter: 'groups' in Engine.prototype,
        explain: 'explain' in Engine.prototype,
      },
    };
    return { engine, eye: Engine, opened };
  }

  async #manifest() {
    try {
      const response = await fetch(this.manifestUrl, { credentials: 'omit', cache: 'no-cache' });
      if (!response.ok) {
        throw new LookalikeError('missing', `${this.manifestUrl}: the server answered ${response.status} ${response.statusText}`.trim());
      }
      const bytes = new Uint8Array(await response.arrayBuffer());
      await this.store.put(this.manifestUrl, bytes);
      return bytes;
    } catch (thrown) {
      if (thrown instanceof LookalikeError) throw thrown;
      // Without a network, the catalogue of the last visit is better than none.
      const kept = await this.store.get(this.manifestUrl);
      if (kept) return kept;
      throw new LookalikeError(offline() ? 'offline' : 'network', `${this.manifestUrl}: could not be fetched`, { cause: thrown });
    }
  }

  /**
   * @param {Build[]} candidates
   * @returns {Promise<Engine>}
   */
  async #wasm(candidates) {
    try {
      return await start(this.pkgUrl, candidates);
    } catch (cause) {
      throw new LookalikeError(offline() ? 'offline' : 'setup', `${this.pkgUrl}: the search engine could not be loaded (${asError(cause).message})`, { cause });
    }
  }

  /**
   * Resolves when the engine holds these files.
   * @param {("model"|"index"|"products")[]} roles
   */
  async load(roles) {
    const { engine } = await this.open();
    const files = engine.files();
    await Promise.all(roles.map((role) => {
      let pending = this.#provided.get(role);
      if (!pending) {
        const file = files.find((candidate) => candidate.role === role);
        if (!file) throw new LookalikeError('bad-file', `${this.manifestUrl}: names no ${role} file; make the catalogue again with \`lookalike index\``);
        pending = this.#provide(engine, file);
        this.#provided.set(role, pending);
        pending.catch(() => this.#provided.delete(role));
      }
      return pending;
    }));
    return engine;
  }

  /**
   * @param {LookalikeEngine} engine
   * @param {ManifestFile} file
   */
  async #provide(engine, file) {
    const units = unitsOf(file);
    /** What comes over the line of each unit, and what of that is here. */
    const whole = units.map(lineBytes);
    const here = units.map(() => 0);
    const entry = this.ledger.add(sum(whole));
    try {
      const bytes = new Uint8Array(file.bytes);
      /** @type {number[]} */
      const starts = [];
      let end = 0;
      for (const unit of units) {
        starts.push(end);
        end += unit.bytes;
      }
      if (end !== file.bytes) {
        throw new LookalikeError('bad-file', `${file.path}: its parts have ${end} bytes together, the manifest states ${file.bytes}`);
      }
      const fetched = await this.#fetchUnits(units, starts, bytes, (index, received, of) => {
        // A new attempt that starts over counts again only what is beyond the old mark.
        here[index] = Math.min(Math.max(here[index], received), of);
        whole[index] = of;
        entry.loaded(sum(here), sum(whole));
      });
      try {
        // A file of one piece was checked when it arrived, where that is possible.
        const known = fetched && units.length === 1 && globalThis.crypto?.subtle;
        const hash = known ? units[0].sha256 : await sha256(bytes);
        await this.serial(() => engine.provide(file.role, bytes, hash));
      } catch (thrown) {
        // What the cache held may have rotted; ask the server once before the shopper hears of it.
        if (fetched || asError(thrown).kind !== 'bad-file') throw thrown;
        for (const unit of units) await this.store.drop(unit.sha256);
        await this.#fetchUnits(units, starts, bytes, () => {});
        const hash = await sha256(bytes);
        await this.serial(() => engine.provide(file.role, bytes, hash));
      }
      if (file.role === 'products') this.#products = JSON.parse(new TextDecoder().decode(bytes)).products;
      entry.done();
    } catch (thrown) {
      entry.drop();
      throw thrown;
    }
  }

  /**
   * @param {Unit[]} units
   * @param {number[]} starts
   * @param {Uint8Array} bytes
   * @param {(index: number, received: number, of: number) => void} onBytes over the line
   * @returns {Promise<boolean>} whether anything came from the network
   */
  async #fetchUnits(units, starts, bytes, onBytes) {
    const stop = new AbortController();
    let fresh = false;
    await Promise.all(units.map((unit, index) => streams.run(async () => {
      const into = bytes.subarray(starts[index], starts[index] + unit.bytes);
      const kept = await this.store.get(unit.sha256, unit.bytes);
      if (kept) {
        into.set(kept);
        onBytes(index, lineBytes(unit), lineBytes(unit));
        return;
      }
      fresh = true;
      try {
        await obtain(unit, this.manifestUrl, into, { signal: stop.signal, onBytes: (received, of) => onBytes(index, received, of) });
      } catch (thrown) {
        stop.abort();
        if (asError(thrown).kind === 'network' && offline()) {
          throw new LookalikeError('offline', asError(thrown).message, { cause: thrown });
        }
        throw thrown;
      }
      // For the next visit: this one does not wait for it.
      void this.store.put(unit.sha256, into);
    })));
    return fresh;
  }

  /**
   * Runs what touches the engine, one at a time.
   * @template T
   * @param {() => T|Promise<T>} work
   * @param {AbortSignal} [signal]
   * @returns {Promise<T>}
   */
  serial(work, signal) {
    const result = this.#tail.then(async () => {
      await breath();
      if (signal?.aborted) throw aborted();
      return work();
    });
    this.#tail = result.then(() => {}, () => {});
    return result;
  }

  /**
   * @param {string} id
   * @param {NonNullable<Session["photo"]>} photo
   */
  setPhoto(id, photo) {
    this.#sessions.set(id, { photo, mask: null, maskIsNew: false });
    if (this.#owner === id) this.#owner = null;
  }

  /**
   * @param {LookalikeEngine} engine
   * @param {string} id
   */
  #activate(engine, id) {
    const session = this.#sessions.get(id);
    if (!session) throw new LookalikeError('not-ready', 'No photo was given yet.');
    if (this.#owner !== id) {
      engine.setPhoto(session.photo.rgba, session.photo.width, session.photo.height);
      this.#owner = id;
      session.maskIsNew = session.mask !== null;
    }
    if (session.maskIsNew) {
      const { mask } = session;
      if (mask) engine.setMask(mask.coverage, mask.width, mask.height);
      else engine.setMask(undefined, 0, 0);
      session.maskIsNew = false;
    }
  }

  /** What the page may call. @type {Record<string, (args: any, signal: AbortSignal) => Promise<unknown>>} */
  calls = {
    open: async () => (await this.open()).opened,

    load: async ({ model }) => {
      await this.load(model ? ['index', 'products', 'model'] : ['index', 'products']);
    },

    photo: async ({ session, file }, signal) => {
      const { eye } = await this.open();
      const { bytes, found } = await inspect(file, eye, (work) => this.serial(work, signal));
      if (typeof OffscreenCanvas === 'undefined') return { found };
      const { bitmap, ...photo } = await decode(bytes, found);
      if (signal.aborted) throw aborted();
      this.setPhoto(session, photo);
      return new Transfer({ bitmap, width: photo.width, height: photo.height }, [bitmap]);
    },

    pixels: async ({ session, rgba, width, height }) => this.setPhoto(session, { rgba, width, height }),

    mask: async ({ session, coverage, width, height }) => {
      const own = this.#sessions.get(session);
      // Forgotten meanwhile.
      if (!own) return;
      own.mask = coverage ? { coverage, width, height } : null;
      own.maskIsNew = true;
    },

    forget: async ({ session }) => {
      this.#sessions.delete(session);
      await this.serial(async () => {
        if (this.#owner !== session) return;
        this.#owner = null;
        (await this.#opening)?.engine.clearPhoto();
      });
    },

    /** What this worker holds of photos: how many, and whether the engine holds one. */
    held: async () => ({ photos: this.#sessions.size, engine: this.#owner !== null }),

    search: async ({ session, query }, signal) => {
      const engine = await this.load(query.photo ? ['index', 'products', 'model'] : ['index', 'products']);
      return this.serial(() => {
        if (query.photo) this.#activate(engine, session);
        return engine.search(query);
      }, signal);
    },

    fit: async ({ query }) => (await this.load(['index', 'products'])).fit(query),

    explain: async ({ session, productId, photo, image }, signal) => {
      const engine = await this.load(['index', 'products', 'model']);
      return this.serial(() => {
        this.#activate(engine, session);
        return engine.explain?.(productId, { photo, image });
      }, signal);
    },

    /** What lies at a point of the photo; undefined where the engine is older than the question. */
    thing: async ({ session, x, y }, signal) => {
      const { engine } = await this.open();
      return this.serial(() => {
        this.#activate(engine, session);
        return engine.thingAt && (engine.thingAt(x, y) ?? null);
      }, signal);
    },

    /** A thing that the catalogue has something like in this window of the photo; null: none; undefined: no window is left. */
    window: async ({ session, at, found }, signal) => {
      const engine = await this.load(['index', 'products', 'model']);
      return this.serial(() => {
        this.#activate(engine, session);
        return engine.lookAt?.(at, found);
      }, signal);
    },

    product: async ({ id }) => (await this.load(['index', 'products'])).product(id),

    browse: async ({ count }) => {
      await this.load(['index', 'products']);
      return spread(this.#products ?? [], count);
    },

    facets: async () => {
      await this.load(['index', 'products']);
      return facetsOf(this.#products ?? []);
    },

    groups: async () => (await this.load(['index', 'products'])).groups?.() ?? [],
  };
}

/** Bytes of all work under way, as one fraction that never goes back. */
class Ledger {
  /** @type {Set<{bytes: number, loaded: number, decoded: boolean}>} */
  #entries = new Set();
  #highest = 0;
  #publish;

  /** @param {(progress: Progress) => void} publish */
  constructor(publish) {
    this.#publish = publish;
  }

  /** @param {number} bytes */
  add(bytes) {
    const entry = { bytes, loaded: 0, decoded: false };
    this.#entries.add(entry);
    // A server may think for a while before the first byte.
    this.#tell();
    return {
      /** @param {number} loaded @param {number} of which may be other than was thought */
      loaded: (loaded, of) => {
        entry.loaded = loaded;
        entry.bytes = of;
        this.#tell();
      },
      done: () => {
        entry.loaded = entry.bytes;
        entry.decoded = true;
        this.#tell();
      },
      drop: () => {
        this.#entries.delete(entry);
        if (this.#entries.size === 0) this.#highest = 0;
      },
    };
  }

  #tell() {
    let loaded = 0;
    let total = 0;
    let decoded = 0;
    for (const entry of this.#entries) {
      loaded += entry.loaded;
      total += entry.bytes;
      if (entry.decoded) decoded += entry.bytes;
    }
    const done = decoded === total;
    const share = total === 0 ? 1 : (loaded / total) * (1 - DECODE_SHARE) + (decoded / total) * DECODE_SHARE;
    this.#highest = Math.max(this.#highest, done ? 1 : Math.min(share, 0.999));
    this.#publish({ fraction: this.#highest, loaded, total, done });
    if (done) {
      this.#entries.clear();
      this.#highest = 0;
    }
  }
}

/** Lets a few run at a time. */
class Gate {
  #free;
  /** @type {(() => void)[]} */
  #waiting = [];

  /** @param {number} width */
  constructor(width) {
    this.#free = width;
  }

  /**
   * @template T
   * @param {() => Promise<T>} work
   * @returns {Promise<T>}
   */
  async run(work) {
    if (this.#free > 0) this.#free--;
    else await new Promise((resolve) => this.#waiting.push(() => resolve(undefined)));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    }
  }
}

const streams = new Gate(STREAMS);

/** An answer whose parts move to the page instead of being copied. */
class Transfer {
  /**
   * @param {unknown} value
   * @param {Transferable[]} list
   */
  constructor(value, list) {
    this.value = value;
    this.list = list;
  }
}

/** @param {number[]} numbers */
function sum(numbers) {
  return numbers.reduce((total, each) => total + each, 0);
}

/** Whether the network runs on the full build alone. @param {Uint8Array} manifest */
function needsFull(manifest) {
  try {
    return JSON.parse(new TextDecoder().decode(manifest)).model.engine === 'tract';
  } catch {
    // The engine says what is wrong with it.
    return false;
  }
}

function offline() {
  return navigator.onLine === false;
}

/** Who waits for a turn, in order. @type {(() => void)[]} */
const turns = [];
const { port1: turn, port2: turned } = new MessageChannel();
turned.onmessage = () => turns.shift()?.();

/**
 * A turn of the event loop: messages that wait are read first. Not by a timer, which comes 4 ms late when it is set
 * often, as while a slider moves.
 * @returns {Promise<void>}
 */
function breath() {
  return new Promise((resolve) => {
    turns.push(() => resolve(undefined));
    turn.postMessage(null);
  });
}

/** @param {MessageEvent} event */
scope.onmessage = (event) => {
  const { manifest, pkg, threads } = event.data;
  const port = event.ports[0];
  if (!port) return;
  const host = new Host(manifest, pkg, threads !== false, (progress) => port.postMessage({ progress }));
  /** @type {Map<number, AbortController>} */
  const running = new Map();

  port.onmessage = async ({ data }) => {
    if (data.abort !== undefined) {
      running.get(data.abort)?.abort();
      return;
    }
    const { id, call, args } = data;
    const controller = new AbortController();
    running.set(id, controller);
    try {
      const run = host.calls[call];
      if (!run) throw new LookalikeError('internal', `the worker knows no call "${call}"`);
      const value = await run(args ?? {}, controller.signal);
      if (value instanceof Transfer) port.postMessage({ id, value: value.value }, value.list);
      else port.postMessage({ id, value });
    } catch (thrown) {
      port.postMessage({ id, error: toWire(thrown) });
      // A trap leaves the wasm's memory in no state to go on with.
      if (thrown instanceof WebAssembly.RuntimeError) {
        port.postMessage({ fatal: toWire(thrown) });
        scope.close();
      }
    } finally {
      running.delete(id);
    }
  };
};
