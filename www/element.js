/**
 * `<look-alike>`: the facade. It shows where a photo goes, takes it by click, drop or paste, and loads the rest
 * only when someone means to use it. Importing this file on a server does nothing.
 *
 * @import { Answer, Product, Query } from './types.js'
 * @import { Labels } from './labels.js'
 * @import { Widget } from './widget.js'
 */
import { h, icon } from './dom.js';
import { dress, redress } from './sheets.js';
import { WORDS } from './words.js';

/** Makes importing safe where there is no DOM. */
const Base = /** @type {typeof HTMLElement} */ (globalThis.HTMLElement ?? class {});

/** A pointer that crosses the element on its way elsewhere means nothing yet. */
const HOVER_MS = 120;
/** An element that is out of the page for longer has not been moved but removed. */
const GRACE_MS = 1_000;

const CSS = `
:host {
  --_accent: var(--look-alike-accent, light-dark(#12594a, #7fd6bb));
  --_on-accent: var(--look-alike-on-accent, light-dark(#fff, #10241e));
  --_ink: var(--look-alike-ink, light-dark(#1f1c18, #f3eee6));
  --_muted: var(--look-alike-muted, light-dark(#655e54, #b3aa9d));
  --_surface: var(--look-alike-surface, light-dark(#fff, #1e1b18));
  --_sunken: var(--look-alike-sunken, light-dark(#f6f2ec, #171512));
  --_line: var(--look-alike-line, light-dark(#e2dbd0, #3a352f));
  --_strong-line: light-dark(#8c8375, #8a8176);
  --_radius: var(--look-alike-radius, 14px);
  display: block;
  color: var(--_ink);
  font: 400 1rem/1.45 var(--look-alike-font, system-ui, sans-serif);
}
:host([hidden]) { display: none; }
*, ::before, ::after { box-sizing: border-box; }
.ruler { block-size: 0; overflow: clip; visibility: hidden; }
.ruler i { display: inline-block; inline-size: 16rem; }
[hidden] { display: none !important; }
.drop {
  display: grid; place-items: center; align-content: center; gap: .35rem;
  min-block-size: 15rem; padding: 1.75rem 1.25rem; text-align: center;
  border: 1.5px dashed var(--_strong-line); border-radius: var(--_radius); background: var(--_sunken);
  transition: border-color .15s, background-color .15s;
}
.drop.over { border-color: var(--_accent); border-style: solid; background: color-mix(in srgb, var(--_accent) 12%, var(--_sunken)); }
.drop > .icon { inline-size: 2.5rem; block-size: 2.5rem; color: var(--_accent); stroke-width: 1.25; }
.drop strong { font-size: 1.125rem; font-weight: 600; }
.drop p { margin: 0; color: var(--_muted); }
.icon { inline-size: 1.25rem; block-size: 1.25rem; fill: none; stroke: currentColor; stroke-width: 1.6; stroke-linecap: round; stroke-linejoin: round; flex: none; }
.buttons { display: flex; flex-wrap: wrap; justify-content: center; gap: .5rem; margin-block-start: .9rem; }
button { font: inherit; color: inherit; cursor: pointer; }
.primary, .quiet {
  display: inline-flex; align-items: center; justify-content: center; gap: .5rem; min-block-size: 2.75rem;
  padding: .5rem 1.15rem; border-radius: 999px; border: 1px solid transparent; font-weight: 600;
}
.primary { background: var(--_accent); color: var(--_on-accent); }
.primary:hover { background: color-mix(in srgb, var(--_accent) 86%, var(--_ink)); }
.quiet { background: transparent; border-color: var(--_strong-line); color: var(--_ink); }
.quiet:hover { border-color: var(--_ink); }
:focus-visible { outline: 3px solid var(--_accent); outline-offset: 2px; }
@media (prefers-reduced-motion: reduce) { *, ::before, ::after { transition: none !important; animation: none !important; } }
`;

/** The elements in the page, in the order in which they came. @type {Set<LookAlike>} */
const inPage = new Set();
/** The one that was used last. @type {LookAlike|null} */
let inUse = null;

/**
 * Finds similar products from a photo, in the browser. The photo goes nowhere.
 *
 * @tag look-alike
 *
 * @attr {string} manifest - URL of the catalogue's manifest.json
 * @attr {string} product-id - start from this product instead of a photo; no model is downloaded
 * @attr {string} src - URL of a photo to start from
 * @attr {number} [k=20] - how many results at first, 1 to 1000
 * @attr {"lazy"|"visible"|"eager"} [loading="lazy"] - download on intent, when scrolled near, or at once
 * @attr {"ignore"|"only"} [intent="ignore"] - what the paint means
 * @attr {boolean} browse - offers products of the catalogue to start from
 * @attr {boolean} compact - no photo area until there is a photo
 * @attr {"focus"|"page"} [paste="focus"] - takes pictures that are pasted while it has the focus, or also while nothing on the page has
 * @attr {boolean} scores - shows similarities as numbers
 * @attr {string} pkg - URL of lookalike.js, the engine; default ../pkg/lookalike.js beside this module
 * @attr {string} worker - URL of worker.js; default beside this module
 *
 * @fires {CustomEvent<{manifest: Manifest}>} ready - the catalogue can be searched
 * @fires {CustomEvent<Progress>} progress - fraction, 0 to 1, of all downloads under way
 * @fires {CustomEvent<{whole: Answer|null, masked: Answer|null, product: Answer|null}>} results - lists are about to be shown; cancelable
 * @fires {CustomEvent<{product: Product, score?: number}>} select - a result was chosen, or without a score a variant of one; cancelable, else its details open
 * @fires {CustomEvent<{kind: ErrorKind, message: string}>} error - something failed; cancelable, else a message is shown
 * @fires {CustomEvent<Query>} querychange - filters, directions or likes changed
 * @fires {CustomEvent<{width: number, height: number}|null>} photochange - a photo was given or removed
 *
 * @slot placeholder - words in the empty photo area
 * @slot samples - below the empty photo area, such as sample photos
 * @slot empty - where results will be, before there are any
 *
 * @csspart drop - the empty photo area
 * @csspart choose - the button that chooses a photo
 * @csspart app - everything, once loaded
 * @csspart stage - the photo with its mask
 * @csspart tools - the mask tools
 * @csspart list - a list of results
 * @csspart card - a result
 * @csspart picture - a result's picture
 * @csspart name - a result's name
 * @csspart score - a result's score
 * @csspart selection - the box around what is selected
 * @csspart dot - what marks a thing in the photo that the catalogue has something like
 * @csspart likeness - what a result's score means, in words
 * @csspart nothing - the note that nothing is much like what was asked for
 * @csspart price - a result's price
 * @csspart availability - whether a result can be had
 * @csspart more - the button that gives more results
 * @csspart message - an error message
 * @csspart progress - the download's progress
 * @csspart attribution - whose pictures these are
 *
 * @cssprop --look-alike-accent - buttons and marks
 * @cssprop --look-alike-on-accent - text on the accent
 * @cssprop --look-alike-ink - text
 * @cssprop --look-alike-muted - quiet text
 * @cssprop --look-alike-surface - cards and panels
 * @cssprop --look-alike-sunken - the photo area
 * @cssprop --look-alike-line - hairlines
 * @cssprop --look-alike-tile - behind product pictures
 * @cssprop --look-alike-radius - corners
 * @cssprop --look-alike-font - font family
 * @cssprop --look-alike-top - height of what stays at the top of the page, such as its header
 */
export class LookAlike extends Base {
  static observedAttributes = ['manifest', 'product-id', 'src', 'k', 'loading', 'intent', 'browse', 'compact', 'paste', 'pkg', 'scores', 'worker'];

  /** @type {Widget|null} */
  #widget = null;
  /** @type {Promise<Widget>|null} */
  #loading = null;
  /** Whose words are used: the facade has few. */
  #words = /** @type {Labels} */ (WORDS);
  /** @type {Partial<Labels>} */
  #ownWords = {};
  /** @type {HTMLElement|null} */
  #facade = null;
  /** @type {AbortController|null} ends the listeners outside of the element */
  #connection = null;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #hover;
  /** @type {Query} */
  #query = {};
  /** Counts photos that were set or cleared: the last one counts. */
  #photos = 0;
  /** Who waits for the element to be in the page. @type {(() => void)[]} */
  #waiting = [];

  /** @returns {string} URL of manifest.json */
  get manifest() { return this.getAttribute('manifest') ?? ''; }
  set manifest(value) { this.setAttribute('manifest', value); }

  /** @returns {string|null} the product to start from */
  get productId() { return this.getAttribute('product-id'); }
  set productId(value) { this.#set('product-id', value); }

  /** @returns {string|null} URL of a photo to start from */
  get src() { return this.getAttribute('src'); }
  set src(value) { this.#set('src', value); }

  /** @returns {number} how many results at first, 1 to 1000 */
  get k() {
    const k = Number(this.getAttribute('k') ?? 20);
    return Number.isInteger(k) && k >= 1 && k <= 1000 ? k : 20;
  }
  set k(value) { this.setAttribute('k', String(value)); }

  /** @returns {"lazy"|"visible"|"eager"} when to download */
  get loading() {
    const value = this.getAttribute('loading');
    return value === 'eager' || value === 'visible' ? value : 'lazy';
  }
  set loading(value) { this.setAttribute('loading', value); }

  /** @returns {"ignore"|"only"} what the paint means */
  get intent() { return this.getAttribute('intent') === 'only' ? 'only' : 'ignore'; }
  set intent(value) { this.setAttribute('intent', value); }

  /** @returns {boolean} whether products of the catalogue are offered to start from */
  get browse() { return this.hasAttribute('browse'); }
  set browse(value) { this.toggleAttribute('browse', value); }

  /** @returns {boolean} whether the photo area waits for a photo */
  get compact() { return this.hasAttribute('compact'); }
  set compact(value) { this.toggleAttribute('compact', value); }

  /** @returns {"focus"|"page"} when pasted pictures are meant for it */
  get paste() { return this.getAttribute('paste') === 'page' ? 'page' : 'focus'; }
  set paste(value) { this.setAttribute('paste', value); }

  /** @returns {boolean} whether similarities are shown as numbers */
  get scores() { return this.hasAttribute('scores'); }
  set scores(value) { this.toggleAttribute('scores', value); }

  /** @returns {string|null} URL of lookalike.js */
  get pkg() { return this.getAttribute('pkg'); }
  set pkg(value) { this.#set('pkg', value); }

  /** @returns {string|null} URL of worker.js */
  get worker() { return this.getAttribute('worker'); }
  set worker(value) { this.#set('worker', value); }

  /** @returns {Labels} the words in use, before it has loaded those of the empty photo area alone; assign an object with those that differ */
  get labels() {
    return { ...this.#words, ...this.#ownWords, errors: { ...this.#words.errors, ...this.#ownWords.errors } };
  }
  /** @param {Partial<Labels>} labels */
  set labels(labels) {
    this.#ownWords = labels;
    if (this.#widget) this.#widget.relabel();
    else if (this.shadowRoot) this.#renderFacade();
  }

  /** @returns {Query} filters, directions and likes, without the photo: what a link may hold */
  get query() { return this.#widget ? this.#widget.query : this.#query; }
  set query(query) {
    this.#query = query;
    if (this.#widget) this.#widget.query = query;
    else if (this.isConnected && Object.keys(query).length > 0) this.load().catch(() => {});
  }

  /** @returns {{whole: Answer|null, masked: Answer|null, product: Answer|null}} the lists that are shown */
  get results() { return this.#widget?.results ?? { whole: null, masked: null, product: null }; }

  /**
   * Loads the interface and starts the downloads; called by itself on intent. Out of the page, it waits until the element
   * is in it.
   * @param {{model?: boolean}} [options] whether the network is wanted too, which photos need
   */
  async load({ model = this.productId === null } = {}) {
    const widget = await this.#upgrade();
    await widget.warm(model);
  }

  /**
   * Searches with this photo. Out of the page, it waits until the element is in it.
   * @param {Blob|string} photo a file, or the URL of a picture
   * @returns {Promise<void>} resolves when the photo has taken the place of the one before; rejects with an error that has
   *   a `kind` where it cannot be read, or ("aborted") where another photo or the element's end came first
   */
  async setPhoto(photo) {
    const mine = ++this.#photos;
    const widget = await this.#upgrade();
    if (mine !== this.#photos) throw called('Another photo came first, or this one was removed.');
    await widget.setPhoto(photo);
  }

  /** Removes the photo and everything made of it. */
  async clearPhoto() {
    this.#photos++;
    await this.#widget?.clearPhoto();
  }

  /**
   * Products of the catalogue, spread over its categories.
   * @param {number} count
   * @returns {Promise<(Product & {thumb?: string})[]>} `thumb` is the absolute address of the main picture
   */
  async sample(count) {
    return (await this.#upgrade()).sample(count);
  }

  /**
   * Opens the file chooser.
   * @param {{camera?: boolean}} [options]
   */
  pick({ camera = false } = {}) {
    const input = h('input', { type: 'file', accept: 'image/*,.heic,.heif,.avif' });
    if (camera) input.setAttribute('capture', 'environment');
    input.addEventListener('change', () => {
      const file = input.files?.[0];
      if (file) this.setPhoto(file).catch(() => {});
    });
    this.#intent();
    input.click();
  }

  /**
   * What was dropped or pasted, through the same door as a chosen file.
   * @param {DataTransfer} data
   * @param {boolean} [aimed] whether it was meant for this element: else only a picture is taken
   * @returns {boolean} whether there was something to take
   */
  accept(data, aimed = true) {
    const files = [...data.files];
    const picture = files.find(({ type, name }) => type.startsWith('image/') || /\.(hei[cf]|avif)$/i.test(name));
    const address = data.getData('text/uri-list').split('\n').find((line) => /^https?:/.test(line))
      ?? data.getData('text/plain').trim().match(/^https?:\S+$/)?.[0];
    const photo = picture ?? (aimed ? files[0] ?? address : undefined);
    if (photo) this.setPhoto(photo).catch(() => {});
    return photo !== undefined;
  }

  connectedCallback() {
    if (!this.shadowRoot) {
      const root = this.attachShadow({ mode: 'open' });
      dress(root, CSS);
      for (const name of ['manifest', 'productId', 'src', 'k', 'loading', 'intent', 'browse', 'compact', 'paste', 'pkg', 'scores', 'worker', 'labels', 'query']) this.#adopt(name);
      // As wide in a row, a float or a dialog as it would be with its results, which do not count for its width.
      root.append(h('div', { class: 'ruler' }, h('i'), h('i'), h('i')));
      this.#renderFacade();
    }
    inPage.add(this);
    this.#connection = new AbortController();
    const { signal } = this.#connection;
    this.addEventListener('pointerenter', () => {
      inUse = this;
      this.#hover = setTimeout(() => this.#intent(), HOVER_MS);
    }, { signal });
    this.addEventListener('pointerleave', () => clearTimeout(this.#hover), { signal });
    this.addEventListener('focusin', () => {
      inUse = this;
      this.#intent();
    }, { signal });
    this.addEventListener('dragover', (event) => this.#dragOver(event), { signal });
    this.addEventListener('dragleave', (event) => {
      if (!event.relatedTarget || !this.contains(/** @type {Node} */ (event.relatedTarget))) this.#over(false);
    }, { signal });
    this.addEventListener('drop', (event) => {
      event.preventDefault();
      this.#over(false);
      if (event.dataTransfer && !this.accept(event.dataTransfer)) this.#refuse('no-picture');
    }, { signal });
    // On the way up, even from within a closed shadow root, it comes by here only if it was aimed at this element.
    this.addEventListener('paste', (event) => this.#paste(event, true), { signal });
    this.ownerDocument.addEventListener('paste', (event) => this.#paste(event, false), { signal });

    this.#widget?.attach();
    for (const go of this.#waiting.splice(0)) go();
    if (this.#widget?.isReady) return;
    if (this.loading === 'eager' || this.src) this.load().catch(() => {});
    else if (this.loading === 'visible' || this.productId !== null) this.#whenNear(signal);
  }

  disconnectedCallback() {
    this.#connection?.abort();
    inPage.delete(this);
    if (inUse === this) inUse = null;
    clearTimeout(this.#hover);
    this.#widget?.detach();
  }

  /** Moved into a frame's document, or a window's. */
  adoptedCallback() {
    if (this.shadowRoot) redress(this.shadowRoot);
  }

  /**
   * @param {string} name
   * @param {string|null} old
   * @param {string|null} value
   */
  attributeChangedCallback(name, old, value) {
    if (old === value || !this.isConnected) return;
    if (this.#widget) this.#widget.changed(name);
    else if ((name === 'src' && value) || (name === 'loading' && value === 'eager')) this.load().catch(() => {});
    else if (name === 'product-id' && value !== null && this.#connection) this.#whenNear(this.#connection.signal);
  }

  /**
   * @param {string} name
   * @param {string|null} value
   */
  #set(name, value) {
    if (value === null || value === undefined) this.removeAttribute(name);
    else this.setAttribute(name, value);
  }

  /**
   * A property that a framework set before this class was defined hides the accessor; hand it over.
   * @param {string} name
   */
  #adopt(name) {
    if (!Object.hasOwn(this, name)) return;
    const value = Reflect.get(this, name);
    Reflect.deleteProperty(this, name);
    Reflect.set(this, name, value);
  }

  /** Someone means to use it. */
  #intent() {
    /** @type {{saveData?: boolean}|undefined} */
    const connection = Reflect.get(navigator, 'connection');
    // On a metered line, wait for the photo before the large file.
    this.load({ model: this.productId === null && !connection?.saveData }).catch(() => {});
  }

  /** @param {AbortSignal} signal */
  #whenNear(signal) {
    const observer = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      observer.disconnect();
      this.load().catch(() => {});
    }, { rootMargin: '200px' });
    observer.observe(this);
    signal.addEventListener('abort', () => observer.disconnect(), { once: true });
  }

  /** The interface, when the element is in the page; called off where it was taken out meanwhile. */
  async #upgrade() {
    const wasThere = this.isConnected;
    let widget;
    do {
      if (!this.isConnected) {
        await new Promise((resolve, reject) => {
          this.#waiting.push(() => resolve(undefined));
          if (wasThere) setTimeout(() => reject(called('The element was taken out of the page.')), GRACE_MS);
        });
      }
      this.#loading ??= this.#start().catch((thrown) => {
        this.#loading = null;
        this.#refuse(navigator.onLine === false ? 'offline' : 'setup', thrown);
        throw thrown;
      });
      widget = await this.#loading;
    } while (!this.isConnected);
    return widget;
  }

  async #start() {
    const { LABELS, createWidget } = await import('./widget.js');
    this.#words = LABELS;
    const widget = await createWidget(this, this.#query);
    // Whoever had come as far as the facade goes on from there.
    const at = this.#facade?.contains(this.shadowRoot?.activeElement ?? null) ? this.shadowRoot?.activeElement : null;
    this.#facade?.remove();
    this.#widget = widget;
    if (this.isConnected) widget.attach();
    if (at) widget.focus(at.matches('[part=choose]'));
    return widget;
  }

  #renderFacade() {
    const { labels } = this;
    const choose = h('button', { type: 'button', class: 'primary', part: 'choose', onclick: () => this.pick() }, icon('photo'), labels.choose);
    // A click on it takes the focus, so that what is pasted next is meant for it.
    const facade = h('div', { class: 'drop', part: 'drop', tabIndex: -1, hidden: this.productId !== null || this.compact },
      icon('photo'),
      h('slot', { name: 'placeholder' }, h('strong', {}, labels.dropTitle), h('p', {}, labels.dropHint)),
      h('div', { class: 'buttons' }, choose),
      h('p', { role: 'alert' }));
    if (this.#facade) this.#facade.replaceWith(facade);
    else this.shadowRoot?.append(facade);
    this.#facade = facade;
  }

  /** @param {DragEvent} event */
  #dragOver(event) {
    const types = event.dataTransfer?.types ?? [];
    if (!types.includes('Files') && !types.includes('text/uri-list')) return;
    event.preventDefault();
    if (event.dataTransfer) event.dataTransfer.dropEffect = 'copy';
    this.#over(true);
    this.#intent();
  }

  /** @param {boolean} over */
  #over(over) {
    for (const area of this.shadowRoot?.querySelectorAll('.drop') ?? []) area.classList.toggle('over', over);
  }

  /**
   * @param {ClipboardEvent} event
   * @param {boolean} aimed whether the focus is in this element
   */
  #paste(event, aimed) {
    const [target] = event.composedPath();
    if (event.defaultPrevented || !event.clipboardData || isForWords(target)) return;
    if (!aimed) {
      // Someone else has the focus, maybe within a shadow root that lets nobody look in.
      const { ownerDocument } = this;
      const { body, documentElement } = ownerDocument;
      if (![body, documentElement, ownerDocument, undefined].includes(/** @type {any} */ (target))) return;
      const here = [...inPage].filter((each) => each.ownerDocument === ownerDocument);
      const takers = here.filter((each) => each.paste === 'page' && each.checkVisibility());
      if (this !== (inUse && takers.includes(inUse) ? inUse : takers[0])) return;
    }
    if (this.accept(event.clipboardData, aimed)) event.preventDefault();
  }

  /**
   * @param {"no-picture"|"setup"|"offline"} kind
   * @param {unknown} [cause]
   */
  #refuse(kind, cause) {
    if (this.#widget) {
      this.#widget.refuse(kind);
      return;
    }
    const [title, advice] = this.labels.errors[kind];
    const detail = { kind, message: `${title}. ${advice}`, cause };
    if (!this.dispatchEvent(new CustomEvent('error', { detail, bubbles: true, composed: true, cancelable: true }))) return;
    const line = this.#facade?.querySelector('[role=alert]');
    if (line) line.textContent = detail.message;
    if (this.#facade) this.#facade.hidden = false;
  }
}

/** @param {string} why that was called off */
function called(why) {
  return Object.assign(new Error(why), { kind: 'aborted' });
}

/**
 * Whether what is pasted here becomes text. Another document's elements are of other classes.
 * @param {EventTarget|undefined} target
 */
function isForWords(target) {
  const { isContentEditable, matches } = /** @type {Partial<HTMLElement>} */ (target ?? {});
  return isContentEditable
    || (matches?.call(target, 'input:not([type=range], [type=radio], [type=checkbox]), textarea, select') ?? false);
}

if (globalThis.customElements && !customElements.get('look-alike')) customElements.define('look-alike', LookAlike);
