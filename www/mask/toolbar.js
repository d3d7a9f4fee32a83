/**
 * The buttons on the photo, the rare ones behind one of them; on a phone, where they would hide what was tapped, all but
 * undo are behind another. Each does what its key does, through the editor's methods.
 */
import { h, icon } from '../dom.js';
import { SIZE } from './editor.js';

/**
 * @import { MaskEditor } from './editor.js'
 * @import { Labels } from '../labels.js'
 * @import { ToolName } from './tools.js'
 */

/** @type {ToolName[]} */
const TOOLS = ['brush', 'eraser', 'rectangle', 'lasso'];
const TOOL_KEYS = { brush: 'B', eraser: 'E', rectangle: 'R', lasso: 'L' };

/**
 * @param {MaskEditor} editor
 * @param {Labels} labels
 * @returns {HTMLElement[]} what floats on the photo, and the help
 */
export function maskToolbar(editor, labels) {
  /**
   * @param {keyof Parameters<typeof icon>|any} name
   * @param {string} label
   * @param {() => void} act
   * @param {string} [key]
   */
  const button = (name, label, act, key) => h('button', {
    type: 'button',
    class: 'tool',
    part: 'tool',
    title: key ? `${label} (${key})` : label,
    'aria-label': label,
    'aria-keyshortcuts': key,
    onclick: act,
  }, icon(name));

  const tools = TOOLS.map((name) => button(name, labels[name], () => { editor.tool = name; }, TOOL_KEYS[name]));
  const size = h('input', {
    type: 'range',
    min: String(SIZE.min),
    max: String(SIZE.max),
    'aria-label': labels.size,
    title: `${labels.size} ([ ])`,
    oninput: () => { editor.size = Number(size.value); },
  });
  const invert = button('invert', labels.invert, () => editor.invert(), 'I');
  const clear = button('clear', labels.clear, () => editor.clear(), 'Delete');
  const undo = button('undo', labels.undo, () => editor.undo(), 'Control+Z');
  const redo = button('redo', labels.redo, () => editor.redo(), 'Control+Shift+Z');
  const zoomOut = button('zoomOut', labels.zoomOut, () => editor.zoomBy(1 / 1.4), '-');
  const zoomIn = button('zoomIn', labels.zoomIn, () => editor.zoomBy(1.4), '+');
  const zoomFit = button('fit', labels.zoomFit, () => editor.zoomFit(), '0');
  const help = button('help', labels.help, () => openHelp(), '?');

  const group = `intent-${Math.random().toString(36).slice(2)}`;
  const intents = /** @type {const} */ (['ignore', 'only']).map((value) => h('input', {
    type: 'radio',
    name: group,
    value,
    onchange: () => { editor.intent = value; },
  }));
  const intent = h('fieldset', { class: 'segments', part: 'intent' },
    h('legend', { class: 'sr-only' }, labels.intent),
    h('label', {}, intents[0], h('span', {}, labels.ignore)),
    h('label', {}, intents[1], h('span', {}, labels.onlyThis)));

  const dialog = helpDialog(labels);
  const openHelp = () => {
    dialog.showModal();
    // On the button at its end, the focus would show a small screen the end first.
    dialog.focus();
    dialog.scrollTop = 0;
  };
  const rare = h('div', { class: 'tool-panel', role: 'group', 'aria-label': labels.moreTools, hidden: true },
    h('label', { class: 'tool-size' }, h('span', {}, labels.size), size),
    h('div', { class: 'tool-group' }, invert, clear, zoomOut, zoomIn, zoomFit, help));
  const more = button('more', labels.moreTools, () => unfold(rare.hidden === true));
  const unfold = (/** @type {boolean} */ open) => {
    rare.hidden = !open;
    more.setAttribute('aria-expanded', String(open));
  };
  unfold(false);
  undo.classList.add('undo');
  const fold = h('button', {
    type: 'button', class: 'tool fold', part: 'tool', title: labels.openTools, 'aria-label': labels.openTools, 'aria-expanded': 'false',
    onclick: () => {
      const isOpen = bar.classList.toggle('open');
      fold.setAttribute('aria-expanded', String(isOpen));
      fold.replaceChildren(icon(isOpen ? 'close' : 'brush'));
      if (!isOpen) unfold(false);
    },
  }, icon('brush'));
  const bar = h('div', { class: 'tool-bar', role: 'toolbar', 'aria-label': labels.tools }, ...tools, undo, redo, more, fold);
  const floor = h('div', { class: 'float floor', part: 'tools' }, rare, bar);
  floor.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape' || rare.hidden) return;
    event.stopPropagation();
    unfold(false);
    more.focus();
  });
  // Where it lies on the photo, who paints is done with it.
  editor.canvas.addEventListener('pointerdown', () => {
    if (getComputedStyle(floor).position === 'absolute') unfold(false);
  });

  const show = () => {
    TOOLS.forEach((name, i) => tools[i].setAttribute('aria-pressed', String(editor.tool === name)));
    intents[0].checked = editor.intent === 'ignore';
    intents[1].checked = editor.intent === 'only';
    size.value = String(editor.size);
    size.disabled = editor.tool !== 'brush' && editor.tool !== 'eraser';
    undo.disabled = !editor.canUndo;
    redo.disabled = !editor.canRedo;
    zoomOut.disabled = zoomFit.disabled = editor.zoom <= 1;
  };
  editor.addEventListener('state', show);
  editor.addEventListener('help', openHelp);
  show();
  return [h('div', { class: 'float ceiling' }, intent), floor, dialog];
}

/** @param {Labels} labels */
function helpDialog(labels) {
  /** @param {string[][]} rows */
  const list = (rows) => h('dl', { class: 'keys' }, ...rows.map(([keys, does]) => h('div', {}, h('dt', {}, keys), h('dd', {}, does))));
  const close = h('button', { type: 'button', class: 'quiet', onclick: () => dialog.close() }, labels.close);
  const dialog = h('dialog', { class: 'dialog help', part: 'help', 'aria-label': labels.help, tabIndex: -1 },
    h('h2', {}, labels.help),
    list(labels.helpKeys),
    list(labels.helpGestures),
    h('div', { class: 'dialog-foot' }, close));
  dialog.addEventListener('click', (event) => {
    if (event.target === dialog) dialog.close();
  });
  return dialog;
}
