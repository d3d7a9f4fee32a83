/**
 * One element's search without its page: the photo and what is selected in it, the query, the answers, what went wrong.
 * It knows no DOM, so that it can be tested alone; views listen and show.
 *
 * Events: `change` (something that a view shows is different), `ready`, `query` (the session itself changed the
 * query; detail.isStep: a shopper may undo it), `photo` (detail: a Photo, or null), `things` (one more was found in the photo;
 * detail.isAll: there are no more), `progress` (detail: Progress), `failure` (detail: LookalikeError; cancelable).
 */
import { LookalikeError, asError } from '../errors.js';
import { fetchPhoto } from './address.js';
import { Answers, NOTHING } from './answers.js';
import { Connection } from './connection.js';
import { KeptPhoto } from './photo.js';
import { Shop, startingFrom } from './shop.js';

/**
 * @import { Answer, FoundThing, Product, Query, Thing } from '../types.js'
 * @import { Results } from './answers.js'
 * @import { Caller, Where } from './connection.js'
 * @import { Coverage, Decode } from './photo.js'
 *
 * @typedef {Where & {k: number, browse: boolean, productId: string|null, src: string|null}} Settings as the element's attributes have them
 *
 * @typedef {object} Outside what the session uses and a test replaces
 * @property {() => Settings} settings read whenever they are needed
 * @property {(where: {manifest: string, pkg?: string, worker?: string}) => Caller} connect
 * @property {Decode} decode
 * @property {(results: Results, signal: AbortSignal) => void|Promise<void>} show
 * @property {number} [graceMs] how long an element may be out of the page on its way to another place
 */

/** A search shorter than this shows no sign of waiting: it would only flicker. */
const PATIENCE_MS = 160;
/** How many more hits a request for more gives, and how many the engine gives at most. */
const MORE = 20;
const MOST = 1_000;

export class Session extends EventTarget {
  #outside;
  #connection;
  #photo;
  /** @type {Promise<void>|null} */
  #opening = null;
  /** @type {Query} */
  #query;
  /** Whether the catalogue can be searched. */
  isReady = false;
  /** What of a link or a program's query does not fit the catalogue. @type {string[]} */
  leftOut = [];
  /** @type {AbortController|null} */
  #photoWork = null;
  /** @type {AbortController|null} */
  #searchWork = null;
  /** Whose results are being shown. @type {AbortSignal|null} */
  #showing = null;
  /** @type {AbortController|null} */
  #lookWork = null;
  /** Which window of the photo is looked at next; null: all have been. @type {number|null} */
  #window = 0;
  /** Things in the photo that the catalogue has something like, as far as they have been found. @type {FoundThing[]} */
  things = [];
  #extra = 0;
  /** How many hits were asked for in what is shown. */
  #shownK = 0;
  /** @type {Results} */
  results = NOTHING;
  /** What the product-based list starts from. @type {Product|null} */
  start = null;
  /** Whether the search under way takes long enough to say so. */
  isSlow = false;
  /** What is to be told, and what another attempt does. @type {{error: LookalikeError, again: (() => unknown)|null}|null} */
  failure = null;

  /**
   * @param {Outside} outside
   * @param {Query} [query]
   */
  constructor(outside, query = {}) {
    super();
    this.#outside = outside;
    this.#query = query;
    this.#connection = new Connection(outside.settings, outside.connect, outside.graceMs);
    this.shop = new Shop(this.#connection);
    this.#photo = new KeptPhoto(this.#connection, outside.decode);
    this.answers = new Answers(this.#connection, this.#photo);
    this.#connection.addEventListener('left', () => {
      this.#opening = null;
      this.#photoWork?.abort();
      this.#searchWork?.abort();
      this.#lookWork?.abort();
    });
    this.#connection.addEventListener('dead', (event) => this.#onDead(/** @type {CustomEvent<LookalikeError>} */ (event).detail));
    this.#connection.addEventListener('progress', (event) => {
      this.dispatchEvent(new CustomEvent('progress', { detail: /** @type {CustomEvent} */ (event).detail }));
    });
  }

  attach() {
    this.#connection.attach();
  }

  /** Without another `attach` soon, all that is under way ends, and the worker forgets the photo. */
  detach() {
    this.#connection.detach();
  }

  /** Another catalogue or engine: all that the old one gave is gone, the photo stays. */
  reset() {
    this.#connection.drop();
    this.shop = new Shop(this.#connection);
    this.isReady = false;
    this.answers.forget();
    const { file } = this.#photo;
    (file ? this.setPhoto(file) : this.warm(false)).catch(() => {});
  }

  /**
   * Gets catalogue and, if wanted, network; tells what goes wrong.
   * @param {boolean} model
   */
  async warm(model) {
    try {
      await this.open();
      if (model) await this.shop.loadModel();
    } catch (thrown) {
      this.fail(thrown, () => this.warm(model).catch(() => {}));
      throw thrown;
    }
  }

  /** The catalogue, once: then the product search and the empty state can show something. */
  open() {
    if (this.#opening) return this.#opening;
    const opening = this.#opening = this.#open();
    opening.catch(() => {
      if (this.#opening === opening) this.#opening = null;
    });
    return opening;
  }

  async #open() {
    await this.shop.open(this.#outside.settings().browse);
    const { productId, src } = this.#outside.settings();
    if (!this.isReady) {
      this.isReady = true;
      this.#query = { ...this.#query, ...(productId !== null && { productId }) };
      await this.#fit();
      this.dispatchEvent(new Event('ready'));
    }
    if (src && !this.#photo.file) this.setPhoto(src).catch(() => {});
    else if (!this.#searchWork) void this.refresh();
  }

  /** @param {LookalikeError} error */
  #onDead(error) {
    this.#opening = null;
    this.fail(error, () => (this.photo ? this.refresh() : this.warm(false).catch(() => {})));
  }

  // --- photo ---------------------------------------------------------------------------------------------

  /** @returns {{width: number, height: number}|null} its size */
  get photo() {
    return this.#photo.size;
  }

  /** Whether a photo is being read. */
  get isReading() {
    return this.#photoWork !== null;
  }

  /**
   * Resolves when this photo is the one that is searched with; rejects where it cannot be read, or where another one or
   * the element's end came before.
   * @param {Blob|string} source a file, or the address of a picture
   */
  async setPhoto(source) {
    this.#photoWork?.abort();
    this.#searchWork?.abort();
    const work = this.#photoWork = new AbortController();
    const { signal } = work;
    this.calm();
    try {
      const file = typeof source === 'string' ? await fetchPhoto(source, signal) : source;
      // The downloads go on beside the decoding; their failure is told once, by the search that needs them.
      this.open().catch(() => {});
      this.shop.loadModel().catch(() => {});
      const photo = await this.#photo.take(file, signal);
      this.#forgetThings();
      this.#forgetAnswers();
      this.start = null;
      if (this.#query.productId !== undefined) this.#changeQuery(startingFrom(this.#query, undefined));
      this.dispatchEvent(new CustomEvent('photo', { detail: photo }));
    } catch (thrown) {
      this.fail(thrown, () => this.setPhoto(source).catch(() => {}));
      throw asError(thrown);
    } finally {
      if (this.#photoWork === work) {
        this.#photoWork = null;
        this.#changed();
      }
    }
    void this.refresh();
  }

  /**
   * Goes on to look for things, a window at a time and only while the worker has nothing else to do. A search has found catalogue and
   * network to be there; where something fails, the next one that succeeds goes on.
   */
  async #look() {
    if (this.#lookWork || this.#window === null || this.state !== 'photo') return;
    const work = this.#lookWork = new AbortController();
    const { signal } = work;
    try {
      while (this.#window !== null) {
        while (!this.#isIdle && !signal.aborted) await new Promise((resolve) => this.addEventListener('change', resolve, { once: true }));
        signal.throwIfAborted();
        if (this.failure) return;
        const found = await this.#photo.look(this.#window, this.things.map(({ thing }) => thing.box), signal);
        signal.throwIfAborted();
        this.#window = found === undefined ? null : this.#window + 1;
        if (found) this.things = [...this.things, found];
        if (found !== null) this.dispatchEvent(new CustomEvent('things', { detail: { isAll: found === undefined } }));
      }
    } catch {
      // Dots are an offer: whoever asks for something is told what fails.
    } finally {
      if (this.#lookWork === work) this.#lookWork = null;
    }
  }

  /** Whether the worker is asked for nothing: what it has found may still be on its way to the screen. */
  get #isIdle() {
    return this.#photoWork === null && (this.#searchWork === null || this.#searchWork.signal === this.#showing);
  }

  #forgetThings() {
    this.#lookWork?.abort();
    this.#lookWork = null;
    this.#window = 0;
    this.things = [];
  }

  /** Removes the photo and all that was made of it. */
  async clearPhoto() {
    this.#photoWork?.abort();
    this.#searchWork?.abort();
    const forgotten = this.#photo.clear();
    this.#forgetThings();
    this.#forgetAnswers();
    this.results = NOTHING;
    // Votes and directions were about this photo.
    this.#changeQuery(startingFrom(this.#query, undefined));
    this.calm();
    this.dispatchEvent(new CustomEvent('photo', { detail: null }));
    await forgotten;
    void this.refresh();
  }

  /** Whether a part of the photo is selected. */
  get isSelecting() {
    return this.#photo.isSelecting;
  }

  /**
   * What lies at a point of the photo, in fractions of it; null: a plain ground; undefined: the engine cannot say.
   * @param {number} x
   * @param {number} y
   * @returns {Promise<Thing|null|undefined>}
   */
  async thingAt(x, y) {
    const worker = await this.#photo.worker();
    return worker.call('thing', { session: this.#connection.id, x, y });
  }

  /** @param {(() => Coverage|null)|null} read gives what is selected when it is asked for; null: nothing is */
  select(read) {
    this.#photo.select(read);
    this.answers.forgetSelection();
    return this.refresh();
  }

  // --- query ---------------------------------------------------------------------------------------------

  /** Filters, directions, votes and the product to start from. */
  get query() {
    return this.#query;
  }

  /** @param {Query} query as a shopper's controls make it: of this catalogue */
  refine(query) {
    this.#query = query;
    return this.refresh();
  }

  /** @param {Query} query from a link or a program: it may not fit */
  async ask(query) {
    this.#query = query;
    if (!this.isReady) return;
    try {
      await this.#fit();
    } catch (thrown) {
      this.fail(thrown, () => this.ask(query));
      return;
    }
    await this.refresh();
  }

  /** @param {string|undefined} id starts from this product; votes and directions of the old start go */
  startFrom(id) {
    this.#changeQuery(startingFrom(this.#query, id));
    return this.refresh();
  }

  /** @param {Product} product starts from it instead of the photo */
  async similar(product) {
    if (this.photo) await this.clearPhoto();
    this.start = product;
    await this.startFrom(product.id);
  }

  /** Leaves out of a query from elsewhere what this catalogue does not know. */
  async #fit() {
    const asked = this.#query;
    this.leftOut = [];
    const { query, leftOut } = await this.shop.fit(asked);
    if (leftOut.length === 0 || this.#query !== asked) return;
    this.leftOut = leftOut;
    this.#changeQuery(query, false);
    // Where nothing to start from is left, there will be no results to say it beside.
    if (this.state === 'empty') this.fail(new LookalikeError('bad-query', leftOut.join(', ')), null);
  }

  /**
   * @param {Query} query
   * @param {boolean} [isStep] whether a shopper may undo it
   */
  #changeQuery(query, isStep = true) {
    this.#query = query;
    this.dispatchEvent(new CustomEvent('query', { detail: { isStep } }));
  }

  // --- asking --------------------------------------------------------------------------------------------

  /** What the search starts from. @returns {"photo"|"product"|"empty"} */
  get state() {
    if (this.photo) return 'photo';
    const { productId, like } = this.#query;
    return productId !== undefined || (like !== undefined && this.shop.opened?.features.algebra === true) ? 'product' : 'empty';
  }

  /** The list that counts now. @returns {Answer|null} */
  get answer() {
    const { whole, masked, product } = this.results;
    return this.state === 'photo' ? masked ?? whole : this.state === 'product' ? product : null;
  }

  /** Whether what is shown is about to change. */
  get isBusy() {
    return this.#searchWork !== null || this.#photoWork !== null;
  }

  /** How many hits are asked for at first. */
  get firstK() {
    return this.#outside.settings().k;
  }

  /** How many are asked for now. */
  get k() {
    return Math.min(MOST, this.firstK + this.#extra);
  }

  /** Whether there may be more hits than are shown. */
  get hasMore() {
    return this.answer !== null && this.answer.hits.length >= this.#shownK && this.#shownK < MOST;
  }

  more() {
    this.#extra += MORE;
    return this.refresh();
  }

  /** Searches for what is asked now, and drops what was asked before. */
  async refresh() {
    this.#searchWork?.abort();
    const work = this.#searchWork = new AbortController();
    this.#changed();
    try {
      await this.#search(work.signal);
    } catch (thrown) {
      if (!work.signal.aborted) this.fail(thrown, () => this.refresh());
    } finally {
      if (this.#searchWork === work) {
        this.#searchWork = null;
        this.isSlow = false;
        this.#changed();
      }
    }
  }

  /** @param {AbortSignal} signal */
  async #search(signal) {
    if (this.#query.productId === undefined) this.start = null;
    if (this.state === 'empty') return;
    // What the engine can do decides what is asked.
    await this.open();
    signal.throwIfAborted();
    const { state, k } = this;
    const { productId } = this.#query;
    if (state === 'product' && productId !== undefined && this.start?.id !== productId) {
      this.start = null;
      this.start = await this.shop.product(productId, signal);
      this.#changed();
    }
    const patience = setTimeout(() => {
      this.isSlow = true;
      this.#changed();
    }, PATIENCE_MS);
    const query = { ...this.shop.possible(this.#query), k };
    const lists = state === 'photo' ? this.answers.fromPhoto(query, this.results, signal) : this.answers.fromProducts(query, signal);
    try {
      for await (const results of lists) {
        this.results = results;
        this.#shownK = k;
        this.#showing = signal;
        void this.#look();
        await this.#outside.show(results, signal);
        this.#showing = null;
        signal.throwIfAborted();
      }
    } finally {
      clearTimeout(patience);
    }
  }

  #forgetAnswers() {
    this.answers.forget();
    this.#extra = 0;
  }

  /**
   * @param {unknown} thrown
   * @param {(() => unknown)|null} again what another attempt does; null: there is none
   */
  fail(thrown, again) {
    const error = asError(thrown);
    if (error.kind === 'aborted') return;
    this.isSlow = false;
    if (this.dispatchEvent(new CustomEvent('failure', { detail: error, cancelable: true }))) this.failure = { error, again };
    this.#changed();
  }

  /** What was told is no longer so, or was read. */
  calm() {
    this.failure = null;
    this.#changed();
  }

  #changed() {
    this.dispatchEvent(new Event('change'));
  }
}
