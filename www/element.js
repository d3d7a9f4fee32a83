/**
 * `<look-alike>`: the facade. It shows where a photo goes, takes it by click, drop or paste, and loads the rest
 * only when someone means to use it. Importing this file on a server does nothing.
 *
 * @import { Answer, Product, Query } from './types.js'
 * @import { Labels } from './labels.js'
 * @import { Widget } from './widget.js'
 */
import { h, icon } from './dom.js';
import { LABELS } from './labels.js';

/** Makes importing safe where there is no DOM. */
const Base = /** @type {typeof HTMLElement} */ (globalThis.HTMLElement ?? class {});

/** A pointer that crosses the element on its way elsewhere means nothing yet. */
const HOVER_MS = 120;

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

/** @type {CSSStyleSheet|undefined} */
let sheet;

/**
 * Finds similar products from a photo, in the browser. The photo goes nowhere.
 *
 * @tag look-alike
 *
 * @attr {string} manifest - URL of the catalogue's manifest.json
 * @attr {string} product-id - start from this product instead of a photo; no model is downloaded
 * @attr {string} src - URL of a photo to start from
 * @attr {number} [k=20] - how many results
 * @attr {"lazy"|"visible"|"eager"} [loading="lazy"] - download on intent, when scrolled near, or at once
 * @attr {"ignore"|"only"} [intent="ignore"] - what the paint means
 * @attr {boolean} browse - offers products of the catalogue to start from
 * @attr {boolean} compact - no photo area until there is a photo
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
 */
export class LookAlike extends Base {
  static observedAttributes = ['manifest', 'product-id', 'src', 'k', 'loading', 'intent', 'browse', 'compact', 'pkg', 'worker'];

  /** @type {Widget|null} */
  #widget = null;
  /** @type {Promise<Widget>|null} */
  #loading = null;
  /** @type {Labels} */
  #labels = LABELS;
  /** @type {HTMLElement|null} */
  #facade = null;
  /** @type {AbortController|null} ends the listeners outside of the element */
  #connection = null;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #hover;
  /** @type {Query} */
  #query = {};

  /** @returns {string} URL of manifest.json */
  get manifest() { return this.getAttribute('manifest') ?? ''; }
  set manifest(value) { this.setAttribute('manifest', value); }

  /** @returns {string|null} the product to start from */
  get productId() { return this.getAttribute('product-id'); }
  set productId(value) { this.#set('product-id', value); }

  /** @returns {string|null} URL of a photo to start from */
  get src() { return this.getAttribute('src'); }
  set src(value) { this.#set('src', value); }

  /** @returns {number} how many results, 1 to 100 */
  get k() {
    const k = Number(this.getAttribute('k') ?? 20);
    return Number.isInteger(k) && k >= 1 && k <= 100 ? k : 20;
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

  /** @returns {string|null} URL of lookalike.js */
  get pkg() { return this.getAttribute('pkg'); }
  set pkg(value) { this.#set('pkg', value); }

  /** @returns {string|null} URL of worker.js */
  get worker() { return this.getAttribute('worker'); }
  set worker(value) { this.#set('worker', value); }

  /** @returns {Labels} the words in use; assign an object with those that differ */
  get labels() { return this.#labels; }
  /** @param {Partial<Labels>} labels */
  set labels(labels) {
    this.#labels = { ...LABELS, ...labels, errors: { ...LABELS.errors, ...labels.errors } };
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
   * Loads the interface and starts the downloads; called by itself on intent.
   * @param {{model?: boolean}} [options] whether the network is wanted too, which photos need
   */
  async load({ model = this.productId === null } = {}) {
    const widget = await this.#upgrade();
    await widget.warm(model);
  }

  /**
   * Searches with this photo.
   * @param {Blob|string} photo a file, or the URL of a picture
   */
  async setPhoto(photo) {
    await (await this.#upgrade()).setPhoto(photo);
  }

  /** Removes the photo and everything made of it. */
  async clearPhoto() {
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
   * @returns {boolean} whether there was something to take
   */
  accept(data) {
    const file = [...data.files].find((each) => each.type.startsWith('image/')) ?? data.files[0];
    const address = data.getData('text/uri-list').split('\n').find((line) => /^https?:/.test(line))
      ?? data.getData('text/plain').trim().match(/^https?:\S+$/)?.[0];
    const photo = file ?? address;
    if (photo) {
      this.setPhoto(photo).catch(() => {});
      return true;
    }
    return false;
  }

  connectedCallback() {
    if (!this.shadowRoot) {
      const root = this.attachShadow({ mode: 'open' });
      sheet ??= new CSSStyleSheet();
      if (sheet.cssRules.length === 0) sheet.replaceSync(CSS);
      root.adoptedStyleSheets = [sheet];
      for (const name of ['manifest', 'productId', 'src', 'k', 'loading', 'intent', 'browse', 'compact', 'pkg', 'worker', 'labels', 'query']) this.#adopt(name);
      this.#renderFacade();
    }
    this.#connection = new AbortController();
    const { signal } = this.#connection;
    this.addEventListener('pointerenter', () => {
      this.#hover = setTimeout(() => this.#intent(), HOVER_MS);
    }, { signal });
    this.addEventListener('pointerleave', () => clearTimeout(this.#hover), { signal });
    this.addEventListener('focusin', () => this.#intent(), { signal });
    this.addEventListener('dragover', (event) => this.#dragOver(event), { signal });
    this.addEventListener('dragleave', (event) => {
      if (!event.relatedTarget || !this.contains(/** @type {Node} */ (event.relatedTarget))) this.#over(false);
    }, { signal });
    this.addEventListener('drop', (event) => {
      event.preventDefault();
      this.#over(false);
      if (event.dataTransfer && !this.accept(event.dataTransfer)) this.#refuse('no-picture');
    }, { signal });
    document.addEventListener('paste', (event) => this.#paste(event), { signal });

    this.#widget?.attach();
    if (this.#widget?.isReady) return;
    if (this.loading === 'eager' || this.src) this.load().catch(() => {});
    else if (this.loading === 'visible' || this.productId !== null) this.#whenNear(signal);
  }

  disconnectedCallback() {
    this.#connection?.abort();
    clearTimeout(this.#hover);
    this.#widget?.detach();
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

  #upgrade() {
    this.#loading ??= this.#start().catch((thrown) => {
      this.#loading = null;
      this.#refuse('setup', thrown);
      throw thrown;
    });
    return this.#loading;
  }

  async #start() {
    const { createWidget } = await import('./widget.js');
    const widget = await createWidget(this, this.#query);
    this.#facade?.remove();
    this.#widget = widget;
    if (this.isConnected) widget.attach();
    return widget;
  }

  #renderFacade() {
    const { labels } = this;
    const choose = h('button', { type: 'button', class: 'primary', part: 'choose', onclick: () => this.pick() }, icon('photo'), labels.choose);
    const facade = h('div', { class: 'drop', part: 'drop', hidden: this.productId !== null || this.compact },
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

  /** @param {ClipboardEvent} event */
  #paste(event) {
    const target = event.composedPath()[0];
    if (target instanceof Element && target.closest('input:not([type=range], [type=radio], [type=checkbox]), textarea, [contenteditable]')) return;
    // Among several, the one in use; else the first.
    const all = /** @type {LookAlike[]} */ ([...document.querySelectorAll('look-alike')]);
    const chosen = all.find((each) => each.matches(':focus-within')) ?? all.find((each) => each.matches(':hover')) ?? all[0];
    if (chosen !== this || !event.clipboardData) return;
    if (this.accept(event.clipboardData)) event.preventDefault();
    else if (this.contains(document.activeElement) || all.length === 1) this.#refuse('no-picture');
  }

  /**
   * @param {"no-picture"|"setup"} kind
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

if (globalThis.customElements && !customElements.get('look-alike')) customElements.define('look-alike', LookAlike);
