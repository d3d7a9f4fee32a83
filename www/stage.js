/** The pane of the photo: where one goes, the photo with its paint, and the product that takes its place. */
import { h, icon, picture } from './dom.js';
import { MaskEditor } from './mask/editor.js';
import { maskToolbar } from './mask/toolbar.js';

/**
 * @import { Labels } from './labels.js'
 * @import { Product } from './types.js'
 * @import { Photo } from './session/photo.js'
 * @import { Session } from './session/session.js'
 *
 * @typedef {object} StageActions
 * @property {(options?: {camera?: boolean}) => void} pick
 * @property {(text: string) => void} announce
 * @property {(intent: "ignore"|"only") => void} intend
 * @property {(product: Product) => string|null} picture
 */

/** Side of the small photo that lies on the card which is looked at, in pixels. */
const PEEK = 96;

export class Stage {
  #drop;
  #samples;
  #anchor;
  #paint;
  #peek;

  /**
   * @param {Labels} labels
   * @param {Session} session
   * @param {StageActions} act
   * @param {HTMLElement} progress of the downloads
   */
  constructor(labels, session, act, progress) {
    this.labels = labels;
    this.session = session;
    this.act = act;
    this.editor = new MaskEditor(labels, act.announce, (x, y) => session.thingAt(x, y));
    const { editor } = this;
    // Where there is no camera to speak of, the button would open the same file chooser.
    const touch = matchMedia('(pointer: coarse)').matches;
    this.#drop = h('div', { class: 'drop', part: 'drop' },
      icon('photo'),
      h('slot', { name: 'placeholder' }, h('strong', {}, labels.dropTitle), h('p', {}, labels.dropHint)),
      h('div', { class: 'buttons' },
        h('button', { type: 'button', class: 'primary', part: 'choose', onclick: () => act.pick() }, icon('photo'), labels.choose),
        touch && h('button', { type: 'button', class: 'quiet', onclick: () => act.pick({ camera: true }) }, icon('camera'), labels.camera)),
      h('p', { class: 'privacy' }, icon('lock'), labels.privacy));
    this.#samples = h('div', {}, h('slot', { name: 'samples' }));
    this.#anchor = h('div', { class: 'anchor', part: 'anchor', hidden: true });
    const title = h('h2', {}, labels.maskTitle);
    this.#paint = h('div', { class: 'paint', hidden: true },
      h('div', { class: 'paint-head' }, title,
        h('div', { class: 'paint-actions' },
          h('button', { type: 'button', class: 'link', onclick: () => act.pick() }, labels.another),
          h('button', { type: 'button', class: 'link', onclick: () => void session.clearPhoto() }, labels.removePhoto))),
      h('div', { class: 'easel' }, editor.element, ...maskToolbar(editor, labels)));
    this.#peek = h('canvas', { class: 'peek', width: PEEK, height: PEEK, 'aria-hidden': 'true' });
    this.element = h('section', { class: 'photo-pane', 'aria-label': labels.photoRegion }, this.#anchor, this.#drop, this.#paint, progress, this.#samples);

    session.addEventListener('things', (event) => {
      editor.showThings(session.things, /** @type {CustomEvent} */ (event).detail.isAll);
    });
    editor.addEventListener('change', () => void session.select(editor.hasPaint ? () => editor.coverage() : null));
    editor.addEventListener('state', () => {
      title.textContent = editor.intent === 'only' ? labels.maskTitleOnly : labels.maskTitle;
      act.intend(editor.intent);
    });
  }

  /** @param {Photo} photo whose bitmap is the editor's from now on */
  show({ bitmap, width, height }) {
    this.editor.setPhoto(bitmap, { width, height });
    const context = this.#peek.getContext('2d');
    const side = PEEK / Math.min(bitmap.width, bitmap.height);
    context?.clearRect(0, 0, PEEK, PEEK);
    context?.drawImage(bitmap, (PEEK - bitmap.width * side) / 2, (PEEK - bitmap.height * side) / 2, bitmap.width * side, bitmap.height * side);
  }

  /** Nothing of the photo is left on the screen or in memory. */
  clear() {
    this.editor.clearPhoto();
    this.#peek.remove();
    this.#peek.getContext('2d')?.clearRect(0, 0, PEEK, PEEK);
  }

  /** @param {{compact: boolean, fixedProduct: boolean}} how the product to start from may be another's choice */
  render({ compact, fixedProduct }) {
    const { state, start } = this.session;
    this.#paint.hidden = state !== 'photo';
    this.#drop.hidden = state === 'photo' || (compact && state === 'product');
    this.#drop.classList.toggle('small', state === 'product');
    this.#samples.hidden = state !== 'empty';
    this.element.hidden = compact && state !== 'photo';
    this.#anchor.hidden = state !== 'product' || !start;
    if (state === 'product' && start) this.#showAnchor(start, fixedProduct);
  }

  /** The photo in the corner of the card that is looked at: both pictures side by side. @param {HTMLElement|null} card */
  peek(card) {
    if (!card || this.session.state !== 'photo') this.#peek.remove();
    else card.querySelector('.tile-box')?.append(this.#peek);
  }

  /**
   * @param {Product} product
   * @param {boolean} isFixed
   */
  #showAnchor(product, isFixed) {
    if (this.#anchor.dataset.id === product.id) return;
    this.#anchor.dataset.id = product.id;
    const again = h('button', { type: 'button', class: 'link', onclick: () => void this.session.startFrom(undefined) }, icon('close'), this.labels.startOver);
    this.#anchor.replaceChildren(
      h('span', { class: 'tile' }, picture(this.act.picture(product), { alt: '' })),
      h('div', {}, h('p', { class: 'name' }, product.title), h('p', { class: 'category' }, product.category ?? ''), isFixed ? '' : again));
  }
}
