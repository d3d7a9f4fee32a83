/** Lists of products, and what differs between two of them. */
import { h, icon, picture } from './dom.js';
import { availabilityOf, priceOf } from './facts.js';
import { fill } from './labels.js';
import { likenessOf } from './likeness.js';

/**
 * @import { Hit, Product } from './types.js'
 * @import { Scores } from './likeness.js'
 * @import { Labels } from './labels.js'
 *
 * @typedef {"new"|"up"|"down"|"same"|"gone"} Change
 *
 * @typedef {object} CardActions
 * @property {(hit: Hit) => void} open
 * @property {(hit: Hit) => void} similar
 * @property {((hit: Hit) => void)|null} like null where the engine has no algebra
 * @property {((hit: Hit) => void)|null} unlike
 * @property {(hit: Hit, card: HTMLElement|null) => void} peek the pointer or the focus is on this card; null: gone
 * @property {(product: Product, index?: number) => string|null} picture its URL
 */

/** What each level is called. */
const LIKENESS = /** @type {const} */ ({ same: 'theSame', close: 'veryClose', similar: 'alike' });

/**
 * How each hit of `now` stands to its place in `before`.
 * @param {Hit[]} now
 * @param {Hit[]} before
 * @returns {Map<string, {change: Change, by: number}>} by id; `by` counts places
 */
export function changes(now, before) {
  const old = new Map(before.map((hit, place) => [hit.id, place]));
  /** @type {Map<string, {change: Change, by: number}>} */
  const marks = new Map();
  now.forEach((hit, place) => {
    const was = old.get(hit.id);
    if (was === undefined) marks.set(hit.id, { change: 'new', by: 0 });
    else marks.set(hit.id, { change: was > place ? 'up' : was < place ? 'down' : 'same', by: Math.abs(was - place) });
  });
  return marks;
}

/**
 * What left `before`.
 * @param {Hit[]} before
 * @param {Hit[]} now
 * @returns {Map<string, {change: Change, by: number}>}
 */
export function departures(before, now) {
  const here = new Set(now.map((hit) => hit.id));
  return new Map(before.filter((hit) => !here.has(hit.id)).map((hit) => [hit.id, { change: 'gone', by: 0 }]));
}

/** One list; keeps the cards of products that stay, and lets them glide to their new places. */
export class ResultList {
  /** @type {Map<string, HTMLLIElement>} */
  #cards = new Map();
  #motion = 0;
  /** As last shown. @type {Map<string, Hit>} */
  #hits = new Map();
  /** What scores mean, for the next that is shown; without it there are no words. @type {Scores|undefined} */
  scores;

  /**
   * @param {Labels} labels
   * @param {CardActions} actions
   * @param {"h2"|"h3"} [level] of the title
   */
  constructor(labels, actions, level = 'h3') {
    this.labels = labels;
    this.actions = actions;
    this.heading = h(level, { class: 'list-title' });
    this.note = h('p', { class: 'list-note' });
    this.grid = h('ol', { class: 'grid', part: 'list' });
    const head = h('header', { class: 'list-head' }, this.heading, this.note);
    this.element = h('section', { class: 'list' }, head, this.grid);
  }

  /** How many products are shown. */
  get size() {
    return this.#cards.size;
  }

  /** @param {boolean} is the panel of a tab, which has its title */
  asPanel(is) {
    this.heading.classList.toggle('sr-only', is);
    if (is) this.element.setAttribute('role', 'tabpanel');
    else this.element.removeAttribute('role');
    this.element.setAttribute('aria-label', this.heading.textContent ?? '');
  }

  /**
   * @param {string} title
   * @param {Hit[]} hits
   * @param {Map<string, {change: Change, by: number}>} [marks]
   * @param {{likes?: string[], unlikes?: string[]}} [votes]
   */
  show(title, hits, marks = new Map(), votes = {}) {
    this.heading.textContent = title;
    this.grid.setAttribute('aria-label', title);
    this.grid.classList.remove('waiting');
    const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
    const places = new Map([...this.#cards].map(([id, card]) => [id, card.getBoundingClientRect()]));
    /** @type {Map<string, HTMLLIElement>} */
    const cards = new Map();
    this.#hits = new Map(hits.map((hit) => [hit.id, hit]));
    hits.forEach((hit, place) => {
      const card = this.#cards.get(hit.id) ?? this.#card(hit);
      this.#update(card, hit, place, marks.get(hit.id), votes);
      cards.set(hit.id, card);
    });
    // Moving a node that has the focus loses it.
    const focused = /** @type {ShadowRoot|Document} */ (this.grid.getRootNode()).activeElement;
    this.grid.replaceChildren(...cards.values());
    if (focused instanceof HTMLElement && this.grid.contains(focused)) focused.focus({ preventScroll: true });
    this.#cards = cards;
    cancelAnimationFrame(this.#motion);
    // In the frame that lays the cards out in any case, so that nothing is laid out twice.
    if (!still) this.#motion = requestAnimationFrame(() => move(cards, places));
  }

  /** @param {number} count placeholders where nothing is shown yet, dimmed cards where there is */
  wait(count) {
    if (this.#cards.size > 0) {
      this.grid.classList.add('waiting');
      return;
    }
    const ghost = () => h('li', { class: 'card ghost', 'aria-hidden': 'true' },
      h('span', { class: 'tile' }), h('span', { class: 'bone' }), h('span', { class: 'bone short' }));
    this.grid.replaceChildren(...Array.from({ length: count }, ghost));
  }

  /** @param {Hit} hit */
  #card(hit) {
    const { product } = hit;
    const { labels, actions } = this;
    // A card outlives the answer that it was made for.
    const open = () => actions.open(this.#hits.get(hit.id) ?? hit);
    const tile = h('button', {
      type: 'button', class: 'tile', part: 'picture', 'aria-label': fill(labels.details, { title: product.title }),
      onclick: open,
    });
    const tools = h('div', { class: 'card-tools' });
    if (actions.like && actions.unlike) {
      const { like, unlike } = actions;
      tools.append(
        h('button', {
          type: 'button', class: 'mini like', title: labels.moreLike,
          'aria-label': `${labels.moreLike}: ${product.title}`,
          onclick: () => like(hit),
        }, icon('up')),
        h('button', {
          type: 'button', class: 'mini unlike', title: labels.lessLike,
          'aria-label': `${labels.lessLike}: ${product.title}`,
          onclick: () => unlike(hit),
        }, icon('down')),
      );
    }
    tools.append(h('button', {
      type: 'button', class: 'mini', title: labels.searchSimilar,
      'aria-label': fill(labels.similarToThis, { title: product.title }),
      onclick: () => actions.similar(hit),
    }, icon('similar')));
    const card = h('li', { class: 'card', part: 'card' },
      h('div', { class: 'tile-box' }, tile, h('span', { class: 'badge' }), tools,
        h('button', { type: 'button', class: 'variants', hidden: true, onclick: open })),
      h('p', { class: 'name', part: 'name' }, product.title),
      h('div', { class: 'facts' },
        h('span', { class: 'category' }, product.category ?? ''),
        h('span', { class: 'score', part: 'score' })),
      h('p', { class: 'likeness', part: 'likeness' }),
      h('p', { class: 'price', part: 'price' }, priceOf(product, labels)),
      h('p', {
        class: 'availability', part: 'availability', 'data-availability': product.availability ?? '',
      }, availabilityOf(product, labels)));
    card.dataset.id = hit.id;
    card.addEventListener('pointerenter', () => actions.peek(hit, card));
    card.addEventListener('pointerleave', () => actions.peek(hit, null));
    card.addEventListener('focusin', () => actions.peek(hit, card));
    card.addEventListener('focusout', () => actions.peek(hit, null));
    return card;
  }

  /**
   * @param {HTMLLIElement} card
   * @param {Hit} hit
   * @param {number} place
   * @param {{change: Change, by: number}|undefined} mark
   * @param {{likes?: string[], unlikes?: string[]}} votes
   */
  #update(card, hit, place, mark, votes) {
    const { labels, actions } = this;
    // Another answer may have found the product by another of its pictures.
    const shown = String(hit.image ?? 0);
    const tile = card.querySelector('.tile');
    if (tile && card.dataset.image !== shown) {
      card.dataset.image = shown;
      const source = actions.picture(hit.product, hit.image);
      tile.replaceChildren(picture(source, { alt: '', loading: 'lazy', decoding: 'async', draggable: false }));
    }
    const score = card.querySelector('.score');
    if (score instanceof HTMLElement) {
      score.textContent = hit.score.toFixed(2);
      score.title = fill(labels.score, { score: hit.score.toFixed(3) });
      score.setAttribute('aria-label', fill(labels.score, { score: hit.score.toFixed(2) }));
      score.setAttribute('role', 'img');
      score.style.setProperty('--score', String(Math.max(0, Math.min(1, hit.score))));
    }
    const level = this.scores ? likenessOf(hit.score, this.scores) : null;
    card.dataset.likeness = level ?? '';
    const likeness = card.querySelector('.likeness');
    if (likeness) likeness.textContent = level ? labels[LIKENESS[level]] : '';
    card.dataset.place = String(place + 1);
    const badge = card.querySelector('.badge');
    if (badge) {
      const change = mark?.change ?? 'same';
      card.dataset.change = mark ? change : '';
      badge.textContent = !mark || change === 'same' ? ''
        : change === 'new' ? labels.new
        : change === 'gone' ? labels.gone
        : `${change === 'up' ? '↑' : '↓'} ${mark.by}`;
      if (mark && (change === 'up' || change === 'down')) {
        badge.setAttribute('role', 'img');
        badge.setAttribute('aria-label', fill(labels[change], { by: mark.by }));
      } else {
        badge.removeAttribute('role');
        badge.removeAttribute('aria-label');
      }
    }
    const variants = card.querySelector('.variants');
    if (variants instanceof HTMLElement) {
      const count = hit.variants?.length ?? 0;
      variants.hidden = count === 0;
      variants.textContent = `+${count}`;
      const name = fill(count === 1 ? labels.variantOf : labels.variantsOf, { count, title: hit.product.title });
      variants.setAttribute('aria-label', name);
      variants.title = name;
    }
    card.querySelector('.like')?.setAttribute('aria-pressed', String(votes.likes?.includes(hit.id) ?? false));
    card.querySelector('.unlike')?.setAttribute('aria-pressed', String(votes.unlikes?.includes(hit.id) ?? false));
  }
}

/**
 * Cards glide from where they were, new ones rise; what nobody sees stays at rest.
 * @param {Map<string, HTMLElement>} cards
 * @param {Map<string, DOMRect>} places that they had, by id
 */
function move(cards, places) {
  // All places are read before anything is set in motion.
  const moves = [...cards].map(([id, card]) => ({ card, from: places.get(id), to: card.getBoundingClientRect() }));
  const seen = (/** @type {DOMRect} */ { top, bottom }) => bottom > 0 && top < innerHeight;
  for (const { card, from, to } of moves) {
    if (!seen(to) && !(from && seen(from))) continue;
    if (!from) {
      card.animate({ opacity: [0, 1], transform: ['translateY(8px)', 'none'] }, { duration: 220, easing: 'ease-out' });
    } else if (from.left !== to.left || from.top !== to.top) {
      const start = `translate(${from.left - to.left}px, ${from.top - to.top}px)`;
      card.animate({ transform: [start, 'none'] }, { duration: 320, easing: 'cubic-bezier(.2, .7, .2, 1)' });
    }
  }
}
