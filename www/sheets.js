/**
 * Styles of shadow roots as constructed sheets, which any style-src allows. A sheet serves all roots of the document
 * that it was constructed in and no other, so a root that moves to another document has to be dressed again.
 */

/** By text. @type {WeakMap<Document, Map<string, CSSStyleSheet>>} */
const sheets = new WeakMap();
/** What each root wears. @type {WeakMap<ShadowRoot, string[]>} */
const worn = new WeakMap();

/**
 * @param {ShadowRoot} root
 * @param {string} css on top of what it wears already
 */
export function dress(root, css) {
  worn.set(root, [...worn.get(root) ?? [], css]);
  redress(root);
}

/** Once a root is in another document. @param {ShadowRoot} root */
export function redress(root) {
  const { ownerDocument } = root;
  // A document without a window shows nothing, and constructs nothing.
  const view = ownerDocument.defaultView;
  if (!view) return;
  let own = sheets.get(ownerDocument);
  if (!own) sheets.set(ownerDocument, own = new Map());
  root.adoptedStyleSheets = (worn.get(root) ?? []).map((css) => {
    let sheet = own.get(css);
    if (!sheet) {
      sheet = new view.CSSStyleSheet();
      sheet.replaceSync(css);
      own.set(css, sheet);
    }
    return sheet;
  });
}
