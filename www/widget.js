/**
 * What `<look-alike>` becomes when someone means to use it: photo with mask editor, results, controls. It joins
 * the parts and holds no logic of theirs: the worker computes, the editor paints, Refine keeps the query.
 */
import { connect } from './client.js';
import { detailDialog } from './detail.js';
import { h, icon, picture } from './dom.js';
import { LookalikeError, aborted, asError } from './errors.js';
import { fill } from './labels.js';
import { makeParts } from './parts.js';
import { changes, departures } from './results.js';

/**
 * @import { Answer, ErrorKind, Facets, Group, Hit, Manifest, Opened, Product, Progress, Query } from './types.js'
 * @import { Client } from './client.js'
 * @import { LookAlike } from './element.js'
 */

/** A search shorter than this shows no sign of waiting: it would only flicker. */
const PATIENCE_MS = 160;
/** What a shopper can mend by trying again. */
const RETRYABLE = new Set(['network', 'offline', 'missing', 'bad-file', 'setup', 'worker', 'internal', 'io', 'bad-index', 'bad-model', 'bad-catalog', 'mismatch']);

let sessions = 0;
/** @type {Promise<CSSStyleSheet>|null} */
let style = null;

/** The interface's styles as one constructed sheet for all elements; allowed by any style-src. */
function loadStyle() {
  style ??= (async () => {
    const response = await fetch(new URL('./widget.css', import.meta.url));
    if (!response.ok) throw new LookalikeError('setup', `widget.css: the server answered ${response.status}`);
    return new CSSStyleSheet().replace(await response.text());
  })();
  style.catch(() => {
    style = null;
  });
  return style;
}

/**
 * @param {LookAlike} host
 * @param {Query} query
 * @returns {Promise<Widget>}
 */
export async function createWidget(host, query) {
  return new Widget(host, await loadStyle(), query);
}

export class Widget {
  #host;
  /** @type {Client|null} */
  #client = null;
  #session = `s${++sessions}`;
  /** @type {Opened|null} */
  #opened = null;
  /** @type {Promise<void>|null} */
  #warming = null;
  #attached = false;
  #isReady = false;

  /** @type {Blob|null} kept for the worker after this one */
  #file = null;
  /** @type {Client|null} whose worker holds the photo */
  #holder = null;
  #photoSize = { width: 0, height: 0 };
  /** @type {AbortController|null} */
  #photoWork = null;
  /** @type {AbortController|null} */
  #searchWork = null;
  #maskIsSent = true;
  /** Answers of this photo and mask, by query. @type {Map<string, Answer>} */
  #known = new Map();
  /** @type {{whole: Answer|null, masked: Answer|null, product: Answer|null}} */
  results = { whole: null, masked: null, product: null };
  /** @type {Product|null} what the product-based list starts from */
  #start = null;
  /** @type {(() => void)|null} */
  #again = null;

  /**
   * @param {LookAlike} host
   * @param {CSSStyleSheet} sheet
   * @param {Query} query
   */
  constructor(host, sheet, query) {
    this.#host = host;
    const root = host.shadowRoot;
    if (!root) throw new Error('the element has no shadow root yet');
    this.#root = root;
    root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheet];
    this.#startQuery = query;
    this.#ui = this.#build();
    this.#layout();
  }

  #root;
  #ui;
  #startQuery;

  // --- life ----------------------------------------------------------------------------------------------

  #build() {
    const { labels } = this.#host;
    const parts = makeParts(labels, {
      announce: (text) => this.#announce(text),
      pick: (options) => this.#host.pick(options),
      remove: () => void this.clearPhoto(),
      resetFilters: () => this.#ui.refine.resetFilters(),
      open: (hit) => this.#open(hit),
      similar: (hit) => void this.#similar(hit.product),
      peek: (_, card) => this.#peek(card),
      picture: (product) => this.#picture(product),
    });
    const { editor, refine } = parts;
    editor.intent = this.#host.intent;
    editor.addEventListener('change', () => {
      this.#maskIsSent = false;
      this.#forgetMasked();
      refine.hasMask = this.#isComparing;
      void this.#refresh();
    });
    editor.addEventListener('state', () => {
      parts.paintTitle.textContent = editor.intent === 'only' ? labels.maskTitleOnly : labels.maskTitle;
      if (this.#host.intent !== editor.intent) this.#host.intent = editor.intent;
    });
    refine.addEventListener('change', () => {
      this.#emit('querychange', this.query, false);
      void this.#refresh();
    });
    this.#root.append(parts.app);
    return parts;
  }

  /** New words: the interface is put together again around the same photo, paint and query. */
  relabel() {
    const old = this.#ui;
    const size = this.#photoSize;
    const copy = old.editor.bitmap && this.#hasPhoto ? createImageBitmap(old.editor.bitmap) : null;
    const { paint } = old.editor;
    old.editor.destroy();
    old.app.remove();
    this.#ui = this.#build();
    this.#ui.refine.state = old.refine.state;
    this.#ui.offline.hidden = navigator.onLine;
    this.#useCatalog();
    this.#showAttribution(this.#opened?.manifest);
    if (copy) {
      void copy.then((bitmap) => {
        this.#show(bitmap, size);
        this.#ui.editor.paint = paint;
      });
    } else {
      void this.#refresh();
    }
  }

  attach() {
    if (this.#attached) return;
    this.#attached = true;
    this.#connection = new AbortController();
    const { signal } = this.#connection;
    const online = () => {
      this.#ui.offline.hidden = navigator.onLine;
    };
    addEventListener('online', online, { signal });
    addEventListener('offline', online, { signal });
    online();
    this.#layout();
  }

  /** @type {AbortController|null} */
  #connection = null;

  detach() {
    if (!this.#attached) return;
    this.#attached = false;
    this.#connection?.abort();
    this.#photoWork?.abort();
    this.#searchWork?.abort();
    this.#client?.release();
    this.#client?.removeEventListener('progress', this.#onProgress);
    this.#client?.removeEventListener('dead', this.#onDead);
    this.#client = null;
    this.#warming = null;
  }

  /**
   * The worker; a new one if the old one died. Whatever comes to this after the element was taken out ends here: it would
   * hold a worker that nobody lets go of.
   */
  #worker() {
    if (!this.#attached) throw aborted();
    if (this.#client?.alive) return this.#client;
    const { manifest, pkg, worker } = this.#host;
    if (!manifest) throw new LookalikeError('setup', 'The element has no manifest attribute: give it the URL of manifest.json.');
    const client = connect({ manifest, pkg: pkg ?? undefined, worker: worker ?? undefined });
    client.addEventListener('progress', this.#onProgress);
    client.addEventListener('dead', this.#onDead);
    this.#client = client;
    this.#maskIsSent = false;
    return client;
  }

  /**
   * Gets catalogue and, if wanted, network; shows what goes wrong.
   * @param {boolean} model
   */
  async warm(model) {
    this.#here();
    try {
      await this.#open_();
      await this.#worker().call('load', { model });
    } catch (thrown) {
      this.#fail(thrown, () => this.warm(model).catch(() => {}));
      throw thrown;
    }
  }

  /** Out of the page there is nobody to load for; and nobody would let go of the worker. */
  #here() {
    if (!this.#host.isConnected) throw aborted();
    this.attach();
  }

  /** Whether the catalogue can be searched. */
  get isReady() {
    return this.#isReady;
  }

  /** The catalogue, once: then the product search and the empty state can show something. */
  #open_() {
    this.#warming ??= (async () => {
      const client = this.#worker();
      this.#opened = await client.call('open');
      this.#showAttribution(this.#opened?.manifest);
      await client.call('load', { model: false });
      await this.#loadCatalog(client);
      if (!this.#isReady) {
        this.#isReady = true;
        this.#useCatalog();
        this.#ui.refine.state = { ...this.#startQuery, ...(this.#host.productId !== null && { productId: this.#host.productId }) };
        await this.#fit();
        this.#emit('ready', { manifest: this.#opened?.manifest }, false);
      }
      if (this.#host.src && !this.#file) void this.setPhoto(this.#host.src);
      else void this.#refresh();
    })();
    this.#warming.catch(() => {
      this.#warming = null;
    });
    return this.#warming;
  }

  /** @type {{groups: (Group & {count: number, offered: boolean})[], facets: Facets, shelf: Product[]}|null} */
  #catalog = null;

  /** @param {Client} client */
  async #loadCatalog(client) {
    const [groups, facets, shelf] = await Promise.all([
      client.call('groups'),
      client.call('facets'),
      this.#host.browse ? client.call('browse', { count: 16 }) : [],
    ]);
    this.#catalog = { groups, facets, shelf };
  }

  /** The controls that this catalogue and engine have; products to start from. */
  #useCatalog() {
    const features = this.#opened?.features;
    if (!features || !this.#catalog) return;
    const { groups, facets, shelf } = this.#catalog;
    this.#ui.refine.setCatalog(features, groups, facets);
    if (features.algebra) {
      for (const { actions } of [this.#ui.left, this.#ui.right]) {
        actions.like = (hit) => this.#ui.refine.like(hit.id);
        actions.unlike = (hit) => this.#ui.refine.unlike(hit.id);
      }
    }
    if (shelf.length === 0) return;
    this.#ui.shelf.element.hidden = false;
    this.#ui.shelf.show(this.#host.labels.shelfTitle, shelf.map((product, row) => ({ row, id: product.id, score: 0, product })));
  }

  #onProgress = (/** @type {Event} */ event) => {
    const { detail } = /** @type {CustomEvent<Progress>} */ (event);
    this.#emit('progress', detail, false);
    const { labels } = this.#host;
    this.#ui.progress.hidden = detail.done;
    this.#ui.progressBar.value = detail.fraction;
    const mb = (/** @type {number} */ bytes) => (bytes / 1e6).toFixed(1);
    this.#ui.progressText.textContent = detail.loaded < detail.total
      ? fill(labels.loadingBytes, { loaded: mb(detail.loaded), total: mb(detail.total) })
      : labels.preparing;
  };

  #onDead = (/** @type {Event} */ event) => {
    const { detail } = /** @type {CustomEvent<LookalikeError>} */ (event);
    this.#client = null;
    this.#warming = null;
    this.#ui.progress.hidden = true;
    if (detail.kind === 'aborted') return;
    this.#fail(detail, () => (this.#hasPhoto ? this.#refresh() : this.warm(false).catch(() => {})));
  };

  // --- photo ---------------------------------------------------------------------------------------------

  /** @param {Blob|string} source */
  async setPhoto(source) {
    this.#here();
    this.#photoWork?.abort();
    this.#searchWork?.abort();
    const work = this.#photoWork = new AbortController();
    const { signal } = work;
    this.#hush();
    this.#busy();
    this.#ui.app.classList.add('reading');
    this.#announce(this.#host.labels.reading);
    try {
      const file = typeof source === 'string' ? await fetchPhoto(source, signal) : source;
      this.#opening(signal);
      const client = this.#worker();
      const result = await client.call('photo', { session: this.#session, file }, { signal });
      const photo = result.bitmap ? result : await this.#decodeHere(client, file, result.found);
      if (signal.aborted) {
        photo.bitmap.close();
        return;
      }
      this.#file = file;
      this.#holder = client;
      this.#start = null;
      if (this.#ui.refine.state.productId !== undefined) this.#ui.refine.startFrom(undefined);
      this.#show(photo.bitmap, photo);
      this.#emit('photochange', { width: photo.width, height: photo.height }, false);
    } catch (thrown) {
      if (asError(thrown).kind !== 'aborted') this.#fail(thrown, () => this.setPhoto(source));
    } finally {
      if (this.#photoWork === work) {
        this.#photoWork = null;
        this.#ui.app.classList.remove('reading');
        this.#busy();
      }
    }
  }

  /**
   * The worker with photo and paint: one that has started since is given them again.
   * @param {AbortSignal} [signal]
   */
  async #workerWithPhoto(signal) {
    const client = this.#worker();
    if (this.#file && this.#holder !== client) {
      const result = await client.call('photo', { session: this.#session, file: this.#file }, { signal });
      const photo = result.bitmap ? result : await this.#decodeHere(client, this.#file, result.found);
      photo.bitmap.close();
      this.#holder = client;
      this.#maskIsSent = false;
    }
    if (!this.#maskIsSent) {
      const mask = this.#ui.editor.coverage();
      this.#maskIsSent = true;
      void client.call('mask', { session: this.#session, coverage: mask?.data ?? null, width: mask?.width ?? 0, height: mask?.height ?? 0 }, { transfer: mask ? [mask.data.buffer] : [] }).catch(() => {});
    }
    return client;
  }

  /**
   * The downloads go on beside the decoding; their failure is told once, by the search that needs them.
   * @param {AbortSignal} _
   */
  #opening(_) {
    this.#open_().catch(() => {});
    this.#worker().call('load', { model: true }).catch(() => {});
  }

  /**
   * @param {Client} client
   * @param {Blob} file
   * @param {any} found
   */
  async #decodeHere(client, file, found) {
    const { decode } = await import('./picture.js');
    const { rgba, width, height, bitmap } = await decode(new Uint8Array(await file.arrayBuffer()), found);
    await client.call('pixels', { session: this.#session, rgba, width, height }, { transfer: [rgba.buffer] });
    return { bitmap, width, height };
  }

  /**
   * @param {ImageBitmap} bitmap
   * @param {{width: number, height: number}} size
   */
  #show(bitmap, size) {
    this.#photoSize = { width: size.width, height: size.height };
    this.#known.clear();
    this.#maskIsSent = true;
    this.#ui.refine.hasMask = false;
    this.#ui.editor.setPhoto(bitmap, this.#photoSize);
    const context = this.#ui.peek.getContext('2d');
    const side = 96 / Math.min(bitmap.width, bitmap.height);
    context?.clearRect(0, 0, 96, 96);
    context?.drawImage(bitmap, (96 - bitmap.width * side) / 2, (96 - bitmap.height * side) / 2, bitmap.width * side, bitmap.height * side);
    this.#layout();
    void this.#refresh();
  }

  async clearPhoto() {
    this.#photoWork?.abort();
    this.#file = null;
    this.#known.clear();
    this.#photoSize = { width: 0, height: 0 };
    await this.#client?.call('forget', { session: this.#session }).catch(() => {});
    this.#ui.refine.hasMask = false;
    this.results = { whole: null, masked: null, product: null };
    this.#hush();
    // Votes and directions were about this photo.
    this.#ui.refine.startFrom(undefined);
    this.#emit('photochange', null, false);
    void this.#refresh();
  }

  get #hasPhoto() {
    return this.#photoSize.width > 0;
  }

  // --- searching -----------------------------------------------------------------------------------------

  /** @returns {Query} */
  get query() {
    return this.#ui.refine.state;
  }

  set query(query) {
    this.#startQuery = query;
    if (!this.#isReady) return;
    this.#ui.refine.state = query;
    void this.#fit().then(() => this.#refresh());
  }

  /** Leaves out of a query from elsewhere what this catalogue does not know, and says so. */
  async #fit() {
    const { refine } = this.#ui;
    const asked = refine.state;
    refine.leftOut = [];
    if (Object.keys(asked).length === 0) return;
    try {
      const { query, leftOut } = await this.#worker().call('fit', { query: asked });
      if (leftOut.length === 0 || refine.state !== asked) return;
      refine.state = query;
      refine.leftOut = leftOut;
      // Where nothing to start from is left, there will be no results to say it beside.
      if (!this.#hasPhoto && !this.#hasProducts) this.#fail(new LookalikeError('bad-query', leftOut.join(', ')), null);
    } catch (thrown) {
      // What cannot even be read is told by the search.
      if (asError(thrown).kind !== 'bad-query') throw thrown;
    }
  }

  /** @param {string} attribute that changed */
  changed(attribute) {
    const host = this.#host;
    if (attribute === 'intent') this.#ui.editor.intent = host.intent;
    else if (attribute === 'product-id') this.#ui.refine.startFrom(host.productId ?? undefined);
    else if (attribute === 'src' && host.src) void this.setPhoto(host.src);
    else if (attribute === 'k') void this.#refresh();
    else if (attribute === 'manifest' || attribute === 'pkg' || attribute === 'worker') {
      this.detach();
      this.#opened = null;
      this.#isReady = false;
      this.#catalog = null;
      this.#known.clear();
      this.attach();
      const file = this.#file;
      if (file) void this.setPhoto(file);
      else void this.warm(false).catch(() => {});
    }
    this.#layout();
  }

  #forgetMasked() {
    for (const key of this.#known.keys()) if (key.startsWith('masked')) this.#known.delete(key);
  }

  /** Searches for what is asked now, and drops what was asked before. */
  async #refresh() {
    this.#searchWork?.abort();
    const work = this.#searchWork = new AbortController();
    this.#busy();
    this.#layout();
    try {
      await this.#search(work.signal);
    } catch (thrown) {
      if (!work.signal.aborted && asError(thrown).kind !== 'aborted') this.#fail(thrown, () => this.#refresh());
    } finally {
      if (this.#searchWork === work) {
        this.#searchWork = null;
        this.#ui.app.classList.remove('searching');
        for (const list of [this.#ui.left, this.#ui.right]) list.grid.classList.remove('waiting');
        this.#busy();
        this.#layout();
      }
    }
  }

  /** Tells assistive technology whether what it reads is about to change. */
  #busy() {
    this.#ui.app.setAttribute('aria-busy', String(this.#searchWork !== null || this.#photoWork !== null));
  }

  /** @param {AbortSignal} signal */
  async #search(signal) {
    const { k } = this.#host;
    const { walk, productId, ...algebra } = this.#ui.refine.state;
    // An engine without the algebra refuses its fields; a link may hold them all the same.
    const rest = this.#opened?.features.algebra ? algebra : {};
    if (!this.#hasPhoto && !this.#hasProducts) return;
    if (!this.#hasPhoto && productId !== undefined && this.#start?.id !== productId) {
      this.#start = null;
      this.#start = await this.#worker().call('product', { id: productId }, { signal });
      this.#layout();
    }
    const wait = setTimeout(() => {
      this.#ui.app.classList.add('searching');
      (this.#hasPhoto && this.#isComparing ? this.#ui.right : this.#ui.left).wait(k);
      this.#layout();
    }, PATIENCE_MS);
    try {
      if (!this.#hasPhoto) {
        const answer = await this.#ask('product', { ...(productId !== undefined && { productId }), k, ...rest }, signal);
        this.#renderOne('product', answer);
        return;
      }
      const whole = await this.#ask('whole', { photo: 'whole', k, ...rest }, signal);
      if (!this.#isComparing) {
        this.#renderOne('whole', whole);
        return;
      }
      if (!this.results.whole) this.#renderOne('whole', whole);
      const masked = await this.#ask('masked', { photo: 'masked', k, ...(walk !== undefined && { walk }), ...rest }, signal);
      await this.#renderBoth(whole, masked, signal);
    } finally {
      clearTimeout(wait);
    }
  }

  /** Whether the query starts from products: one, or the mean of those that are liked. */
  get #hasProducts() {
    const { productId, like } = this.#ui.refine.state;
    return productId !== undefined || (like !== undefined && this.#opened?.features.algebra === true);
  }

  get #isComparing() {
    return this.#ui.editor.hasPaint;
  }

  /**
   * @param {"whole"|"masked"|"product"} list
   * @param {Query} query
   * @param {AbortSignal} signal
   * @returns {Promise<Answer>}
   */
  async #ask(list, query, signal) {
    const key = `${list} ${JSON.stringify(query)}`;
    const known = this.#known.get(key);
    if (known) return known;
    const client = await (query.photo ? this.#workerWithPhoto(signal) : this.#worker());
    /** @type {Answer} */
    const answer = await client.call('search', { session: this.#session, query }, { signal });
    if (this.#known.size > 60) this.#known.clear();
    this.#known.set(key, answer);
    return answer;
  }

  // --- showing -------------------------------------------------------------------------------------------

  /**
   * @param {"whole"|"product"} list
   * @param {Answer} answer
   */
  #renderOne(list, answer) {
    const { labels } = this.#host;
    this.results = { whole: null, masked: null, product: null, [list]: answer };
    if (!this.#emit('results', this.results, true)) return;
    this.#hush();
    this.#ui.right.element.hidden = true;
    this.#ui.lists.classList.remove('two');
    this.#ui.left.show(labels.similar, answer.hits, new Map(), this.#votes);
    this.#ui.left.note.textContent = fill(labels.count, { count: answer.hits.length });
    this.#ui.refine.setNear(answer.hits);
    this.#layout();
    const [first] = answer.hits;
    this.#announce(first ? fill(labels.found, { count: answer.hits.length, title: first.product.title }) : labels.noneTitle);
  }

  /**
   * The new list first; the other one in a task of its own, so that a stroke that has begun is not held up.
   * @param {Answer} whole
   * @param {Answer} masked
   * @param {AbortSignal} signal
   */
  async #renderBoth(whole, masked, signal) {
    const { labels } = this.#host;
    this.results = { whole, masked, product: null };
    if (!this.#emit('results', this.results, true)) return;
    this.#hush();
    const marks = changes(masked.hits, whole.hits);
    const gone = departures(whole.hits, masked.hits);
    const count = (/** @type {string[]} */ ...kinds) => [...marks.values()].filter(({ change }) => kinds.includes(change)).length;
    const compared = { added: count('new'), moved: count('up', 'down'), gone: gone.size };
    this.#ui.right.element.hidden = false;
    this.#ui.lists.classList.add('two');
    this.#ui.right.show(this.#maskedTitle, masked.hits, marks, this.#votes);
    this.#ui.right.note.textContent = fill(labels.compared, compared);
    await new Promise((resolve) => setTimeout(resolve));
    if (signal.aborted) return;
    this.#ui.left.show(labels.whole, whole.hits, gone, this.#votes);
    this.#ui.left.note.textContent = fill(labels.count, { count: whole.hits.length });
    this.#ui.refine.setNear(masked.hits);
    this.#layout();
    this.#announce(fill(labels.compared, compared));
  }

  get #maskedTitle() {
    const { labels } = this.#host;
    const { walk = 1 } = this.#ui.refine.state;
    if (walk < 1) return fill(labels.between, { percent: Math.round(walk * 100) });
    if (walk > 1) return fill(labels.beyond, { percent: Math.round((walk - 1) * 100) });
    return this.#ui.editor.intent === 'only' ? labels.only : labels.without;
  }

  get #votes() {
    const { like, unlike } = this.#ui.refine.state;
    return { likes: like, unlikes: unlike };
  }

  /** What is visible in this state. */
  #layout() {
    const { labels } = this.#host;
    const photo = this.#hasPhoto;
    const product = !photo && this.#hasProducts;
    if (this.#ui.refine.state.productId === undefined) this.#start = null;
    const { whole, masked, product: similar } = this.results;
    const answer = photo ? masked ?? whole : product ? similar : null;
    const waiting = this.#ui.app.classList.contains('searching') || (answer === null && (photo || product) && this.#ui.message.hidden);
    this.#ui.app.dataset.state = photo ? 'photo' : product ? 'product' : 'empty';
    this.#ui.paint.hidden = !photo;
    this.#ui.drop.hidden = photo || (this.#host.compact && product);
    this.#ui.drop.classList.toggle('small', product);
    this.#ui.samples.hidden = photo || product;
    this.#ui.photoPane.hidden = this.#host.compact && !photo;
    this.#ui.anchor.hidden = !product || !this.#start;
    if (product && this.#start) this.#showAnchor(this.#start);
    this.#ui.empty.hidden = photo || product;
    const none = answer !== null && answer.hits.length === 0;
    this.#ui.none.hidden = !none;
    this.#ui.lists.hidden = !(photo || product) || none || (answer === null && !waiting);
    if (!photo || !this.#isComparing) {
      this.#ui.right.element.hidden = true;
      this.#ui.lists.classList.remove('two');
    }
    this.#ui.title.hidden = !(product && this.#start);
    this.#ui.title.textContent = this.#start ? fill(labels.similarTo, { title: this.#start.title }) : '';
    this.#ui.refine.element.hidden = !(photo || product) || answer === null;
    if (answer === null && waiting && this.#ui.left.grid.childElementCount === 0) this.#ui.left.wait(this.#host.k);
  }

  /** @param {Product} product */
  #showAnchor(product) {
    if (this.#ui.anchor.dataset.id === product.id) return;
    this.#ui.anchor.dataset.id = product.id;
    const source = this.#picture(product);
    const { labels } = this.#host;
    this.#ui.anchor.replaceChildren(
      h('span', { class: 'tile' }, picture(source, { alt: '' })),
      h('div', {}, h('p', { class: 'name' }, product.title), h('p', { class: 'category' }, product.category ?? ''),
        this.#host.productId === null && h('button', { type: 'button', class: 'link', onclick: () => this.#ui.refine.startFrom(undefined) }, icon('close'), labels.startOver)));
  }

  /** @param {Manifest|undefined} manifest */
  #showAttribution(manifest) {
    if (!manifest?.attribution) return;
    this.#ui.attribution.hidden = false;
    this.#ui.attribution.replaceChildren(h('strong', {}, `${this.#host.labels.attribution}: `), ...withLinks(manifest.attribution));
  }

  /** @param {Product} product @returns {string|null} */
  #picture(product) {
    const [main] = product.images ?? [];
    const path = main?.thumb ?? main?.image;
    if (!path) return null;
    const url = new URL(path, new URL(this.#host.manifest, document.baseURI));
    return /^https?:$/.test(url.protocol) ? url.href : null;
  }

  /** @param {number} count @returns {Promise<(Product & {thumb?: string})[]>} */
  async sample(count) {
    await this.#open_();
    /** @type {Product[]} */
    const products = await this.#worker().call('browse', { count });
    return products.map((product) => ({ ...product, thumb: this.#picture(product) ?? undefined }));
  }

  /** @param {Hit} hit */
  #open(hit) {
    this.#details(hit.product, hit.score, [hit.id, ...hit.variants ?? []]);
  }

  /**
   * @param {Product} product
   * @param {number|null} score
   * @param {string[]} group ids of all that show the same thing, the product's own among them
   */
  #details(product, score, group) {
    if (!this.#emit('select', { product, ...(score !== null && { score }) }, true)) return;
    const which = this.#isComparing ? 'masked' : 'whole';
    const dialog = detailDialog({
      labels: this.#host.labels,
      product,
      score,
      picture: (each) => this.#picture(each),
      photo: this.#hasPhoto ? this.#ui.editor.bitmap : null,
      explain: this.#opened?.features.explain
        ? async () => {
          try {
            return await (await this.#workerWithPhoto()).call('explain', { session: this.#session, productId: product.id, photo: which });
          } catch (thrown) {
            this.#fail(thrown, null);
            return null;
          }
        }
        : null,
      similar: () => this.#similar(product),
      variants: Promise.all(group.filter((id) => id !== product.id).map((id) => this.#worker().call('product', { id }))),
      open: (variant) => this.#details(variant, null, group),
    });
    this.#ui.app.append(dialog);
    dialog.showModal();
  }

  /** @param {Product} product */
  async #similar(product) {
    if (this.#hasPhoto) await this.clearPhoto();
    this.#start = product;
    this.#ui.refine.startFrom(product.id);
    if (this.#ui.app.getBoundingClientRect().top < 0) this.#ui.app.scrollIntoView({ block: 'start' });
  }

  /** The shopper's photo in the corner of the card that is looked at: both pictures side by side. @param {HTMLElement|null} card */
  #peek(card) {
    if (!card || !this.#hasPhoto) this.#ui.peek.remove();
    else card.querySelector('.tile-box')?.append(this.#ui.peek);
  }

  // --- telling -------------------------------------------------------------------------------------------

  /** @param {string} text */
  #announce(text) {
    this.#ui.status.textContent = text;
  }

  #hush() {
    this.#ui.message.hidden = true;
    this.#ui.message.replaceChildren();
    this.#again = null;
  }

  /** @param {"no-picture"|"setup"} kind */
  refuse(kind) {
    this.#fail(new LookalikeError(kind, this.#host.labels.errors[kind][0]), null);
  }

  /**
   * @param {unknown} thrown
   * @param {(() => unknown)|null} again what "Try again" does
   */
  #fail(thrown, again) {
    const error = asError(thrown);
    if (error.kind === 'aborted') return;
    this.#ui.progress.hidden = true;
    this.#ui.app.classList.remove('searching');
    this.#showFailure(error, again);
  }

  /**
   * @param {LookalikeError} error
   * @param {(() => unknown)|null} again
   */
  #showFailure(error, again) {
    const { labels } = this.#host;
    const detail = { kind: error.kind, message: error.message, cause: error.cause };
    if (!this.#emit('error', detail, true)) return;
    /** @type {Record<string, string[]>} */
    const known = labels.errors;
    const [title, advice] = known[error.kind] ?? labels.errors.internal;
    this.#again = again;
    const retry = again && RETRYABLE.has(error.kind) && h('button', {
      type: 'button', class: 'quiet',
      onclick: () => {
        const act = this.#again;
        this.#hush();
        act?.();
      },
    }, labels.retry);
    this.#ui.message.hidden = false;
    this.#ui.message.dataset.kind = error.kind;
    this.#ui.message.replaceChildren(
      icon('warning'),
      h('div', { class: 'message-words' }, h('strong', {}, title), h('p', {}, advice), h('p', { class: 'message-detail' }, error.message)),
      h('div', { class: 'message-actions' }, retry,
        h('button', { type: 'button', class: 'mini', 'aria-label': labels.dismiss, title: labels.dismiss, onclick: () => this.#hush() }, icon('close'))));
  }

  /**
   * @param {string} name
   * @param {unknown} detail
   * @param {boolean} cancelable
   * @returns {boolean} false when a listener cancelled it
   */
  #emit(name, detail, cancelable) {
    return this.#host.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true, cancelable }));
  }
}

/**
 * Text in which `[words](https://address)` is a link and `## words` a heading, as licences are usually given.
 * @param {string} text
 * @returns {(string|HTMLElement)[]}
 */
function withLinks(text) {
  return text.split(/(\[[^\]]+\]\(https?:[^)\s]+\)|^#{1,6} .+$)/m).map((piece) => {
    const heading = /^#+ (.+)$/.exec(piece);
    if (heading) return h('strong', {}, heading[1]);
    const link = /^\[([^\]]+)\]\((https?:[^)\s]+)\)$/.exec(piece);
    return link ? h('a', { href: link[2], rel: 'license noopener' }, link[1]) : piece;
  });
}

/**
 * @param {string} address
 * @param {AbortSignal} signal
 */
async function fetchPhoto(address, signal) {
  /** @type {ErrorKind} */
  const kind = 'bad-url';
  try {
    const response = await fetch(new URL(address, document.baseURI), { signal, credentials: 'omit', referrerPolicy: 'no-referrer' });
    if (!response.ok) throw new LookalikeError(kind, `${address}: the server answered ${response.status}`);
    return await response.blob();
  } catch (thrown) {
    if (signal.aborted || thrown instanceof LookalikeError) throw thrown;
    throw new LookalikeError(kind, `${address}: could not be fetched`, { cause: thrown });
  }
}
