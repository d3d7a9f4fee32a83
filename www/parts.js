/**
 * The interface's pieces and how they nest; what they do comes in as `act`.
 *
 * @import { Hit, Product } from './types.js'
 * @import { Labels } from './labels.js'
 */
import { h, icon } from './dom.js';
import { MaskEditor } from './mask/editor.js';
import { maskToolbar } from './mask/toolbar.js';
import { Refine } from './refine.js';
import { ResultList } from './results.js';

/**
 * @param {Labels} labels
 * @param {object} act
 * @param {(text: string) => void} act.announce
 * @param {(options?: {camera?: boolean}) => void} act.pick
 * @param {() => void} act.remove
 * @param {() => void} act.resetFilters
 * @param {(hit: Hit) => void} act.open
 * @param {(hit: Hit) => void} act.similar
 * @param {(hit: Hit, card: HTMLElement|null) => void} act.peek
 * @param {(product: Product) => string|null} act.picture
 */
export function makeParts(labels, act) {
  const status = h('p', { class: 'sr-only', role: 'status' });
  const editor = new MaskEditor(labels, act.announce);
  const refine = new Refine(labels);
  // Votes need the algebra, which the engine is asked about only when it is here.
  const left = new ResultList(labels, { ...act, like: null, unlike: null });
  const right = new ResultList(labels, { ...act, like: null, unlike: null });
  const shelf = new ResultList(labels, { ...act, open: act.similar, like: null, unlike: null }, 'h2');
  shelf.element.hidden = true;
  shelf.element.classList.add('shelf');

  const progressBar = h('progress', { max: 1, value: 0, 'aria-label': labels.loading });
  const progressText = h('span', {});
  const progress = h('div', { class: 'progress', part: 'progress', hidden: true },
    h('div', { class: 'progress-text' }, h('strong', {}, labels.loading), progressText), progressBar);
  const message = h('div', { class: 'message', part: 'message', role: 'alert', hidden: true });
  const offline = h('p', { class: 'offline', hidden: true }, icon('warning'), labels.offlineNow);

  // Where there is no camera to speak of, the button would open the same file chooser.
  const touch = matchMedia('(pointer: coarse)').matches;
  const drop = h('div', { class: 'drop', part: 'drop' },
    icon('photo'),
    h('slot', { name: 'placeholder' }, h('strong', {}, labels.dropTitle), h('p', {}, labels.dropHint)),
    h('div', { class: 'buttons' },
      h('button', { type: 'button', class: 'primary', part: 'choose', onclick: () => act.pick() }, icon('photo'), labels.choose),
      touch && h('button', { type: 'button', class: 'quiet', onclick: () => act.pick({ camera: true }) }, icon('camera'), labels.camera)),
    h('p', { class: 'privacy' }, icon('lock'), labels.privacy));
  const samples = h('div', {}, h('slot', { name: 'samples' }));
  const anchor = h('div', { class: 'anchor', part: 'anchor', hidden: true });
  const paintTitle = h('h2', {}, labels.maskTitle);
  const paint = h('div', { class: 'paint', hidden: true },
    h('div', { class: 'paint-head' }, paintTitle,
      h('div', { class: 'paint-actions' },
        h('button', { type: 'button', class: 'link', onclick: () => act.pick() }, labels.another),
        h('button', { type: 'button', class: 'link', onclick: () => act.remove() }, labels.removePhoto))),
    editor.element, maskToolbar(editor, labels));

  const title = h('h2', { class: 'results-title' });
  const lists = h('div', { class: 'lists' }, left.element, right.element);
  const none = h('div', { class: 'none', hidden: true }, h('h3', {}, labels.noneTitle), h('p', {}, labels.noneText),
    h('button', { type: 'button', class: 'quiet', onclick: () => act.resetFilters() }, labels.resetFilters));
  const empty = h('div', { class: 'empty' },
    h('slot', { name: 'empty' }, h('div', { class: 'empty-words' }, h('h2', {}, labels.emptyTitle), h('p', {}, labels.emptyText))),
    shelf.element);
  const photoPane = h('section', { class: 'photo-pane', 'aria-label': labels.photoRegion }, anchor, drop, paint, progress, samples);
  const attribution = h('p', { class: 'attribution', part: 'attribution', tabIndex: 0, hidden: true });
  const app = h('div', { class: 'app', part: 'app' },
    status, offline, message,
    h('div', { class: 'panes' }, photoPane,
      h('section', { class: 'results-pane', 'aria-label': labels.resultsRegion }, title, refine.element, none, lists, empty)),
    attribution);
  const peek = h('canvas', { class: 'peek', width: 96, height: 96, 'aria-hidden': 'true' });
  return {
    app, status, offline, message, progress, progressBar, progressText,
    photoPane, drop, samples, anchor, paint, paintTitle, editor,
    title, refine, none, lists, left, right, empty, shelf, attribution, peek,
  };
}
