/** The keys that do what a button does. */

/** @import { MaskEditor } from './editor.js' */

/** @type {Record<string, (editor: MaskEditor) => void>} */
export const KEYS = {
  Delete: (editor) => editor.clear(),
  Backspace: (editor) => editor.clear(),
  b: (editor) => { editor.tool = 'brush'; },
  e: (editor) => { editor.tool = 'eraser'; },
  r: (editor) => { editor.tool = 'rectangle'; },
  l: (editor) => { editor.tool = 'lasso'; },
  i: (editor) => editor.invert(),
  x: (editor) => { editor.intent = editor.intent === 'ignore' ? 'only' : 'ignore'; },
  '[': (editor) => { editor.size /= 1.2; },
  ']': (editor) => { editor.size *= 1.2; },
  '+': (editor) => editor.zoomBy(1.4),
  '=': (editor) => editor.zoomBy(1.4),
  '-': (editor) => editor.zoomBy(1 / 1.4),
  0: (editor) => editor.zoomFit(),
};
