/**
 * Makes an element. `on…` properties are listeners, `data` and `part` and ARIA go to attributes, the rest to
 * properties; so nothing here needs inline styles or handlers.
 *
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, unknown>} [properties]
 * @param {...(Node|string|null|undefined|false)} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    else if (name === 'class') element.className = String(value);
    else if (name in element && !name.includes('-') && name !== 'part' && name !== 'list') Reflect.set(element, name, value);
    else if (value === true) element.setAttribute(name, '');
    else if (value !== false || name.startsWith('aria-')) element.setAttribute(name, String(value));
  }
  for (const child of children) if (child !== null && child !== undefined && child !== false) element.append(child);
  return element;
}

/**
 * A product's picture; the icon of one where there is none, or it cannot be had.
 * @param {string|null} source
 * @param {Record<string, unknown>} properties
 */
export function picture(source, properties) {
  if (!source) return icon('photo');
  const image = h('img', { ...properties, src: source });
  image.addEventListener('error', () => image.replaceWith(icon('photo')), { once: true });
  return image;
}

const SVG = 'http://www.w3.org/2000/svg';

/**
 * A 24-unit line icon; decoration only, so hidden from assistive technology.
 * @param {keyof typeof ICONS} name
 */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  svg.classList.add('icon');
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', ICONS[name]);
  svg.append(path);
  return svg;
}

const ICONS = {
  brush: 'M4 20c3 .5 5-.5 5-3 0-1.5-1-2.5-2.5-2.5S4 15.5 4 17c0 1.200-.4 2.300-1 3zM9.5 14.5 19 5a1.800 1.800 0 0 1 2.5 2.5L12 17',
  eraser: 'M8 20h12M5.5 17.5 3.700 15.700a2 2 0 0 1 0-2.800L13 3.600a2 2 0 0 1 2.800 0l4.600 4.600a2 2 0 0 1 0 2.800L11.5 20H8zM8.5 8l7.5 7.5',
  rectangle: 'M4 6h16v12H4zM4 6v0M20 6v0',
  lasso: 'M7 15.5C4.5 14.400 3 12.600 3 10.5 3 6.900 7 4 12 4s9 2.900 9 6.5S17 17 12 17c-1 0-2-.1-2.900-.3M7 15.5a2 2 0 1 0 2 2c0-1-.9-2-2-2zM8 19.300c0 1.200-.6 2-2 2.200',
  invert: 'M12 3a9 9 0 1 0 0 18zM12 3a9 9 0 0 1 0 18M12 8h8M12 12h9M12 16h8',
  clear: 'M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13M10.5 11v5.5M13.5 11v5.5',
  undo: 'M9 7 4 12l5 5M4 12h10a6 6 0 0 1 6 6v1',
  redo: 'M15 7l5 5-5 5M20 12H10a6 6 0 0 0-6 6v1',
  zoomIn: 'M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM15.5 15.5 20 20M10.5 7.5v6M7.5 10.5h6',
  zoomOut: 'M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM15.5 15.5 20 20M7.5 10.5h6',
  fit: 'M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5',
  help: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM9.5 9.5c.2-1.5 1.200-2.300 2.600-2.300 1.5 0 2.600.9 2.600 2.300 0 1.900-2.600 2.100-2.600 4M12 16.800v.2',
  up: 'M7 21V10l4-7c1.5 0 2.300 1 2 2.5L12.300 9H18a2 2 0 0 1 2 2.400l-1.400 7A2 2 0 0 1 16.600 20H7M7 10H4v10h3',
  down: 'M17 3v11l-4 7c-1.5 0-2.300-1-2-2.5l.7-3.5H6a2 2 0 0 1-2-2.400l1.400-7A2 2 0 0 1 7.400 4H17M17 14h3V4h-3',
  similar: 'M4 4h9v9H4zM16 8h4v12H8v-4',
  camera: 'M4 8h3.5L9 5.5h6L16.5 8H20v11H4zM12 10a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7z',
  photo: 'M4 5h16v14H4zM4 16l4.5-5 4 4.5L15 13l5 5M15.5 8.5a1 1 0 1 0 0 2 1 1 0 0 0 0-2z',
  lock: 'M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3M12 14.5v2',
  close: 'M6 6l12 12M18 6 6 18',
  filter: 'M4 7h16M7 12h10M10 17h4',
  more: 'M5 11a1 1 0 1 0 0 2 1 1 0 0 0 0-2zM12 11a1 1 0 1 0 0 2 1 1 0 0 0 0-2zM19 11a1 1 0 1 0 0 2 1 1 0 0 0 0-2z',
  grip: 'M6 15l6-6 6 6',
  move: 'M12 3v18M3 12h18M9 6l3-3 3 3M9 18l3 3 3-3M6 9l-3 3 3 3M18 9l3 3-3 3',
  warning: 'M12 4 2.5 20h19zM12 10v4.5M12 17.200v.2',
  eye: 'M2.5 12C5 7.5 8.300 5.5 12 5.5s7 2 9.5 6.5c-2.5 4.5-5.800 6.5-9.5 6.5S5 16.5 2.5 12zM12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6z',
};
