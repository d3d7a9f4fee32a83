/**
 * What `<look-alike>` becomes when someone means to use it. It joins the session, which searches, with the views, which
 * show, and has no logic of theirs.
 */
import { pageOf, pictureOf } from './addresses.js';
import { connect } from './client.js';
import { detailDialog } from './detail.js';
import { h } from './dom.js';
import { LookalikeError } from './errors.js';
import { Lists } from './lists.js';
import { Refine } from './refine.js';
import { Session } from './session/session.js';
import { dress } from './sheets.js';
import { Stage } from './stage.js';
import { Status } from './status.js';

/**
 * @import { Hit, Product, Progress, Query } from './types.js'
 * @import { LookAlike } from './element.js'
 * @import { Results } from './session/answers.js'
 * @import { Photo } from './session/photo.js'
 */

export { LABELS } from './labels.js';

/** @type {Promise<string>|null} */
let style = null;

/** The interface's styles. */
function loadStyle() {
  style ??= (async () => {
    const response = await fetch(new URL('./widget.css', import.meta.url));
    if (!response.ok) throw new LookalikeError('setup', `widget.css: the server answered ${response.status}`);
    return response.text();
  })();
  style.catch(() => {
    style = null;
  });
  return style;
}

/**
 * @param {LookAlike} host in the page, or once in it
 * @param {Query} query
 * @returns {Promise<Widget>}
 */
export async function createWidget(host, query) {
  const root = host.shadowRoot;
  if (!root) throw new LookalikeError('not-ready', 'The element has not been in the page yet.');
  dress(root, await loadStyle());
  return new Widget(host, root, query);
}

export class Widget {
  #host;
  #root;
  #session;
  #ui;
  /** Ends the listeners outside of the element. @type {AbortController|null} */
  #outside = null;

  /**
   * @param {LookAlike} host
   * @param {ShadowRoot} root
   * @param {Query} query
   */
  constructor(host, root, query) {
    this.#host = host;
    this.#root = root;
    const session = this.#session = new Session({
      settings: () => host,
      connect,
      decode: async (file, found) => (await import('./picture.js')).decode(new Uint8Array(await file.arrayBuffer()), found),
      show: (results, signal) => this.#show(results, signal),
    }, query);
    this.#ui = this.#build();
    session.addEventListener('change', () => this.#render());
    session.addEventListener('ready', () => this.#ready());
    session.addEventListener('query', (event) => this.#follow(/** @type {CustomEvent} */ (event).detail.isStep));
    session.addEventListener('photo', (event) => this.#photo(/** @type {CustomEvent<Photo|null>} */ (event).detail));
    session.addEventListener('progress', (event) => {
      const { detail } = /** @type {CustomEvent<Progress>} */ (event);
      this.#emit('progress', detail, false);
      this.#ui.status.showProgress(detail);
    });
    session.addEventListener('failure', (event) => {
      const { kind, message, cause } = /** @type {CustomEvent<LookalikeError>} */ (event).detail;
      if (!this.#emit('error', { kind, message, cause }, true)) event.preventDefault();
    });
    this.#render();
  }

  #build() {
    const { labels } = this.#host;
    const session = this.#session;
    const announce = (/** @type {string} */ text) => this.#ui.status.announce(text);
    const picture = (/** @type {Product} */ product, /** @type {number} */ index = 0) => this.#picture(product, index);
    const status = new Status(labels, session);
    const refine = new Refine(labels);
    const lists = new Lists(labels, session, refine, {
      open: (hit) => this.#details(hit.product, hit, [hit.id, ...hit.variants ?? []]),
      similar: (hit) => void this.#similar(hit.product),
      peek: (_, card) => stage.peek(card),
      picture,
      whole: () => stage.editor.clear(),
      browse: () => void session.clearPhoto(),
    });
    const stage = new Stage(labels, session, {
      announce,
      picture,
      pick: (options) => this.#host.pick(options),
      intend: (intent) => {
        lists.onlyThis = intent === 'only';
        if (this.#host.intent !== intent) this.#host.intent = intent;
      },
    }, status.progress);
    stage.editor.intent = this.#host.intent;
    refine.addEventListener('change', () => {
      void session.refine(refine.state);
      this.#emit('querychange', refine.state, false);
    });
    stage.element.addEventListener('focusin', () => {
      // Where the results lie over the photo, the focus would be out of sight.
      if (lists.covers(stage.element)) this.#ui.app.scrollIntoView({ block: 'start' });
    });
    const attribution = h('p', { class: 'attribution', part: 'attribution', tabIndex: 0, hidden: true });
    const app = h('div', { class: 'app', part: 'app', tabIndex: -1 }, status.line, status.offline, status.message,
      h('div', { class: 'panes' }, stage.element, lists.element), attribution);
    this.#root.append(app);
    return { app, status, refine, lists, stage, attribution };
  }

  /** New words: the interface is put together again around the same photo, paint and query. */
  relabel() {
    const { app, stage: { editor }, refine } = this.#ui;
    const { photo } = this.#session;
    const { paint, bitmap } = editor;
    const copy = photo && bitmap ? createImageBitmap(bitmap) : null;
    editor.destroy();
    app.remove();
    this.#ui = this.#build();
    this.#ui.refine.state = refine.state;
    this.#useCatalog();
    this.#render();
    if (!photo || !copy) {
      void this.#session.refresh();
      return;
    }
    void copy.then((again) => {
      this.#ui.stage.show({ bitmap: again, ...photo });
      this.#ui.stage.editor.paint = paint;
      void this.#session.refresh();
    });
  }

  attach() {
    this.#session.attach();
    if (this.#outside) return;
    this.#outside = new AbortController();
    const { signal } = this.#outside;
    for (const event of ['online', 'offline']) addEventListener(event, () => this.#render(), { signal });
    this.#render();
  }

  detach() {
    this.#session.detach();
    this.#outside?.abort();
    this.#outside = null;
    // Put back, they would stand open without being modal.
    for (const dialog of this.#root.querySelectorAll('dialog[open]')) /** @type {HTMLDialogElement} */ (dialog).close();
  }

  /** @param {boolean} choosing whether on the button that chooses a photo */
  focus(choosing) {
    const { app } = this.#ui;
    const button = choosing ? app.querySelector('[part=choose]') : null;
    /** @type {HTMLElement} */ (button ?? app).focus({ preventScroll: true });
  }

  // --- for the element -----------------------------------------------------------------------------------

  /** @param {boolean} model */
  warm(model) {
    return this.#session.warm(model);
  }

  /** Whether the catalogue can be searched. */
  get isReady() {
    return this.#session.isReady;
  }

  get results() {
    return this.#session.results;
  }

  get query() {
    return this.#session.query;
  }

  set query(query) {
    this.#ui.refine.state = query;
    void this.#session.ask(this.#ui.refine.state);
  }

  /** @param {Blob|string} source */
  async setPhoto(source) {
    const done = this.#session.setPhoto(source);
    this.#ui.status.announce(this.#host.labels.reading);
    await done;
  }

  clearPhoto() {
    return this.#session.clearPhoto();
  }

  /** @param {number} count @returns {Promise<(Product & {thumb?: string})[]>} */
  async sample(count) {
    await this.#session.open();
    return (await this.#session.shop.browse(count)).map((product) => ({ ...product, thumb: this.#picture(product) ?? undefined }));
  }

  /** @param {"no-picture"|"setup"|"offline"} kind */
  refuse(kind) {
    this.#session.fail(new LookalikeError(kind, this.#host.labels.errors[kind][0]), null);
  }

  /** @param {string} attribute that changed */
  changed(attribute) {
    const { intent, productId, src } = this.#host;
    if (attribute === 'intent') this.#ui.stage.editor.intent = intent;
    else if (attribute === 'product-id') void this.#session.startFrom(productId ?? undefined);
    else if (attribute === 'src' && src) this.setPhoto(src).catch(() => {});
    else if (attribute === 'k') void this.#session.refresh();
    else if (attribute === 'manifest' || attribute === 'pkg' || attribute === 'worker') this.#session.reset();
    this.#render();
  }

  // --- what the session tells ----------------------------------------------------------------------------

  #ready() {
    this.#useCatalog();
    this.#follow(false);
    this.#emit('ready', { manifest: this.#session.shop.opened?.manifest }, false);
  }

  #useCatalog() {
    this.#ui.lists.useCatalog();
    const { attribution } = this.#ui;
    const text = this.#session.shop.opened?.manifest.attribution;
    attribution.hidden = !text;
    if (text) attribution.replaceChildren(h('strong', {}, `${this.#host.labels.attribution}: `), ...withLinks(text));
  }

  /** The controls show the query that the session has changed. @param {boolean} isStep */
  #follow(isStep) {
    const { query, leftOut } = this.#session;
    if (isStep) this.#ui.refine.follow(query);
    else this.#ui.refine.state = query;
    this.#ui.refine.leftOut = leftOut;
    if (isStep) this.#emit('querychange', query, false);
  }

  /** @param {Photo|null} photo */
  #photo(photo) {
    if (photo) this.#ui.stage.show(photo);
    else this.#ui.stage.clear();
    this.#emit('photochange', photo && { width: photo.width, height: photo.height }, false);
  }

  /**
   * @param {Results} results
   * @param {AbortSignal} signal
   */
  async #show(results, signal) {
    if (!this.#emit('results', results, true)) return;
    this.#session.calm();
    const words = await this.#ui.lists.show(results, signal);
    if (words && !signal.aborted) this.#ui.status.announce(words);
  }

  #render() {
    const { app, stage, lists, status, refine } = this.#ui;
    const { state, isBusy, isReading, isSlow, isSelecting } = this.#session;
    app.dataset.state = state;
    app.classList.toggle('reading', isReading);
    app.classList.toggle('searching', isSlow);
    app.classList.toggle('scores', this.#host.scores);
    refine.hasMask = isSelecting;
    stage.render({ compact: this.#host.compact, fixedProduct: this.#host.productId !== null });
    status.render();
    lists.render();
    // Tells assistive technology whether what it reads is about to change.
    app.setAttribute('aria-busy', String(isBusy));
  }

  // --- products ------------------------------------------------------------------------------------------

  /**
   * @param {Product} product
   * @param {number} [index]
   */
  #picture(product, index = 0) {
    return pictureOf(product, index, new URL(this.#host.manifest, document.baseURI).href);
  }

  /**
   * @param {Product} product
   * @param {Hit|null} hit null for a variant of what was found
   * @param {string[]} group ids of all that show the same thing, the product's own among them
   */
  #details(product, hit, group) {
    if (!this.#emit('select', { product, ...(hit && { score: hit.score }) }, true)) return;
    const session = this.#session;
    const { editor } = this.#ui.stage;
    const dialog = detailDialog({
      labels: this.#host.labels,
      product,
      page: pageOf(product, document.baseURI),
      score: hit && this.#host.scores ? hit.score : null,
      shown: hit?.image ?? 0,
      picture: (each, index) => this.#picture(each, index),
      photo: session.photo ? editor.bitmap : null,
      explain: session.shop.opened?.features.explain
        ? async () => {
          try {
            return await session.answers.explain(product.id, hit?.image ?? 0);
          } catch (thrown) {
            session.fail(thrown, null);
            return null;
          }
        }
        : null,
      similar: () => this.#similar(product),
      variants: Promise.all(group.filter((id) => id !== product.id).map((id) => session.shop.product(id))),
      open: (variant) => this.#details(variant, null, group),
    });
    this.#ui.app.append(dialog);
    dialog.showModal();
  }

  /** @param {Product} product */
  async #similar(product) {
    const done = this.#session.similar(product);
    if (this.#ui.app.getBoundingClientRect().top < 0) this.#ui.app.scrollIntoView({ block: 'start' });
    await done;
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
