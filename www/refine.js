/**
 * The controls that change a query without a new photo: the walk between the whole and the masked photo,
 * directions to other groups, likes, filters. Holds the state and its history; the widget searches.
 */
import { h, icon } from './dom.js';
import { availabilityName } from './facts.js';
import { fill } from './labels.js';

/**
 * @import { Facets, Features, Filter, Group, Hit, Query, Toward } from './types.js'
 * @import { Labels } from './labels.js'
 */

/** How far beyond the masked photo the slider goes. */
const WALK_MAX = 1.6;
/** A direction's strength when its chip is pressed: about half of the first results are then of its group. */
const START_STRENGTH = 0.5;
/** The columns whose groups are offered as directions, the first that has some: what kind of thing a product is. */
const KIND_COLUMNS = ['kind', 'product_type', 'type', 'category'];
/** How many directions are offered at a time. */
const CHIPS = 6;

export class Refine extends EventTarget {
  /** @type {Query} */
  #state = {};
  /** @type {string[]} */
  #past = [];
  /** @type {(Group & {count: number, offered: boolean})[]} */
  #groups = [];
  /** @type {Facets|null} */
  #facets = null;
  /** @type {Group[]} offered now */
  #near = [];
  /** @type {Group|null} where a new direction starts */
  #home = null;
  #hasMask = false;
  /** Nothing is offered that this engine cannot do. @type {Features} */
  #features = { algebra: false, filter: false, explain: false };

  /**
   * @param {Labels} labels
   */
  constructor(labels) {
    super();
    this.labels = labels;

    this.#walk = h('input', {
      type: 'range', min: '0', max: String(WALK_MAX), step: '0.05', 'aria-label': labels.walk,
      oninput: () => this.#set({ walk: Number(this.#walk.value) === 1 ? undefined : Number(this.#walk.value) }, 'walk'),
    });
    this.#walkRow = h('div', { class: 'walk', hidden: true },
      h('span', { class: 'row-label' }, labels.walk), this.#walk,
      h('div', { class: 'ticks', 'aria-hidden': 'true' }, h('span', {}, labels.walkWhole), h('span', {}, labels.walkMasked), h('span', {}, labels.walkBeyond)));
    this.#chips = h('div', { class: 'chips', role: 'group', 'aria-label': labels.moreLikeGroup });
    this.#chipRow = h('div', { class: 'chip-row', hidden: true }, h('span', { class: 'row-label' }, labels.moreLikeGroup), this.#chips);
    this.#strengths = h('div', { class: 'strengths' });
    this.#undo = h('button', { type: 'button', class: 'link', onclick: () => this.undo() }, icon('undo'), labels.undoStep);
    this.#reset = h('button', { type: 'button', class: 'link', onclick: () => this.#set(this.#state.productId ? { ...CLEARED, productId: this.#state.productId } : CLEARED, 'reset') }, labels.startOver);
    this.#votes = h('span', { class: 'votes' });
    this.#foot = h('div', { class: 'refine-foot', hidden: true }, this.#votes, this.#undo, this.#reset);
    this.#summary = h('summary', {}, icon('filter'), h('span', {}, labels.filters));
    this.#panel = h('div', { class: 'filter-panel' });
    this.#filters = h('details', { class: 'filters', hidden: true }, this.#summary, this.#panel);
    this.#note = h('p', { class: 'refine-note', role: 'status', hidden: true });
    this.element = h('div', { class: 'refine', part: 'refine' }, this.#note, this.#walkRow, this.#chipRow, this.#strengths, this.#filters, this.#foot);
  }

  #note;
  #walk;
  #walkRow;
  #chips;
  #chipRow;
  #strengths;
  #undo;
  #reset;
  #votes;
  #foot;
  #summary;
  #panel;
  #filters;

  /** What a search takes over, and a link may hold. @returns {Query} */
  get state() {
    return this.#state;
  }

  /** @param {Query} state from a link or a program: no step to undo */
  set state(state) {
    this.#state = tidy(state);
    this.#render();
  }

  get canUndo() {
    return this.#past.length > 0;
  }

  /** Forgets all but what the start is. */
  reset() {
    this.#past = [];
    this.state = {};
  }

  undo() {
    const last = this.#past.pop();
    if (last === undefined) return;
    this.#state = JSON.parse(last);
    this.#lastKind = '';
    this.#render();
    this.dispatchEvent(new Event('change'));
  }

  /** @param {string} id */
  like(id) {
    const { like = [], unlike = [] } = this.#state;
    this.#set({ like: toggled(like, id), unlike: unlike.filter((each) => each !== id) }, 'vote');
  }

  /** @param {string} id */
  unlike(id) {
    const { like = [], unlike = [] } = this.#state;
    this.#set({ unlike: toggled(unlike, id), like: like.filter((each) => each !== id) }, 'vote');
  }

  /** @param {Query} state that the search has come to by itself, as a step that can be undone */
  follow(state) {
    this.#step(state, 'start');
  }

  resetFilters() {
    this.#set({ filter: undefined, minScore: undefined }, 'filter');
  }

  /** @param {boolean} has */
  set hasMask(has) {
    if (has === this.#hasMask) return;
    this.#hasMask = has;
    this.#render();
  }

  /**
   * @param {Features} features
   * @param {(Group & {count: number, offered: boolean})[]} groups
   * @param {Facets} facets
   */
  setCatalog(features, groups, facets) {
    this.#features = features;
    this.#groups = groups;
    this.#facets = facets;
    this.#renderFilters();
    this.#render();
  }

  /** @param {Hit[]} hits the kinds near these are offered as directions */
  setNear(hits) {
    const offered = this.#groups.filter((group) => group.offered);
    const column = KIND_COLUMNS.find((name) => offered.filter((group) => group.column === name).length > 1);
    const kinds = offered.filter((group) => group.column === column);
    /** @type {Map<string, number>} */
    const weights = new Map();
    hits.slice(0, 10).forEach(({ product }, place) => {
      const value = column === 'category' ? product.category : product.attributes?.[column ?? ''];
      if (value) weights.set(value, (weights.get(value) ?? 0) + 1 / (place + 2));
    });
    const ranked = [...weights].sort((a, b) => b[1] - a[1]).map(([value]) => value);
    // While a direction is followed, its start stays what it was: the hits are no longer of that kind.
    const [followed] = this.#state.toward ?? [];
    const home = followed ? followed.from?.column === column && followed.from?.value : ranked[0];
    this.#home = kinds.find((group) => group.value === home) ?? (followed ? this.#home : null);
    kinds.sort((a, b) => rankIn(ranked, a.value) - rankIn(ranked, b.value) || b.count - a.count);
    this.#near = kinds.filter((group) => group.value !== this.#home?.value).slice(0, CHIPS);
    this.#render();
  }

  /** @param {string[]} what of a link or a program's query does not fit this catalogue and was left out */
  set leftOut(what) {
    this.#note.hidden = what.length === 0;
    this.#note.textContent = what.length === 0 ? '' : fill(this.labels.leftOut, { what: what.join(', ') });
  }

  #lastKind = '';
  #lastAt = 0;

  /**
   * @param {Partial<Query>} change
   * @param {string} kind changes of one kind in quick succession, such as of a slider, are one step
   */
  #set(change, kind) {
    if (this.#step({ ...this.#state, ...change }, kind)) this.dispatchEvent(new Event('change'));
  }

  /**
   * @param {Query} state
   * @param {string} kind
   * @returns {boolean} whether it differs from the last one
   */
  #step(state, kind) {
    const before = JSON.stringify(this.#state);
    const next = tidy(state);
    if (JSON.stringify(next) === before) return false;
    const now = performance.now();
    const drags = kind === 'walk' || kind.startsWith('strength') || kind === 'min';
    if (!(drags && kind === this.#lastKind && now - this.#lastAt < 1500)) this.#past.push(before);
    this.#lastKind = kind;
    this.#lastAt = now;
    this.#state = next;
    this.#render();
    return true;
  }

  #render() {
    const { labels } = this;
    const { walk = 1, toward = [], like = [], unlike = [], filter, minScore } = this.#state;
    const { algebra, filter: filters } = this.#features;

    this.#walkRow.hidden = !(algebra && this.#hasMask);
    this.#walk.value = String(walk);

    const active = new Set(toward.map(({ to }) => key(to)));
    const shown = algebra ? [...toward.map(({ to }) => to), ...this.#near.filter((group) => !active.has(key(group)))] : [];
    this.#chipRow.hidden = shown.length === 0;
    keepFocus(this.#chips, () => this.#chips.replaceChildren(...shown.map((group) => h('button', {
      type: 'button', class: 'chip', 'aria-pressed': String(active.has(key(group))), 'data-key': key(group),
      onclick: () => this.#toggle(group),
    }, group.value))));

    // A slider that is being dragged must stay the same element.
    const sliders = new Map([...this.#strengths.children].map((row) => [/** @type {HTMLElement} */ (row).dataset.key, row]));
    this.#strengths.replaceChildren(...toward.map(({ to, strength }) => {
      const row = sliders.get(key(to)) ?? this.#strengthRow(to);
      const input = row.querySelector('input');
      if (input) input.value = String(strength);
      const output = row.querySelector('output');
      if (output) output.textContent = strength.toFixed(1);
      return row;
    }));

    const parts = [];
    if (like.length > 0) parts.push(fill(labels.likes, { count: like.length }));
    if (unlike.length > 0) parts.push(fill(labels.unlikes, { count: unlike.length }));
    this.#votes.textContent = parts.join(' · ');
    this.#undo.hidden = !this.canUndo;
    const touched = toward.length > 0 || like.length > 0 || unlike.length > 0 || walk !== 1 || filter !== undefined || minScore !== undefined;
    this.#reset.hidden = !touched;
    this.#foot.hidden = !touched && !this.canUndo;

    this.#filters.hidden = !(filters && this.#facets);
    const count = filterCount(filter) + (minScore === undefined ? 0 : 1);
    const text = this.#summary.querySelector('span');
    if (text) text.textContent = count > 0 ? fill(labels.filtersOn, { count }) : labels.filters;
    for (const box of this.#panel.querySelectorAll('input')) {
      const { column, value, bound } = box.dataset;
      if (box.type === 'checkbox') box.checked = chosen(filter, column ?? '').includes(value ?? '');
      else if (bound === 'score') {
        box.value = String(minScore ?? 0);
        const output = box.nextElementSibling;
        if (output) output.textContent = minScore === undefined ? labels.any : minScore.toFixed(2);
      }
      else if (bound && box !== /** @type {ShadowRoot} */ (box.getRootNode()).activeElement) box.value = String(filter?.price?.[/** @type {"min"|"max"} */ (bound)] ?? '');
    }
  }

  /** @param {Group} to */
  #strengthRow(to) {
    const input = h('input', {
      type: 'range', min: '0.1', max: '0.9', step: '0.1', 'aria-label': fill(this.labels.strength, { value: to.value }),
      oninput: () => this.#set({
        toward: (this.#state.toward ?? []).map((each) => (key(each.to) === key(to) ? { ...each, strength: Number(input.value) } : each)),
      }, `strength ${key(to)}`),
    });
    return h('div', { class: 'strength', 'data-key': key(to) }, h('span', {}, fill(this.labels.strength, { value: to.value })), input, h('output', {}));
  }

  /** @param {Group} group */
  #toggle(group) {
    const { toward = [] } = this.#state;
    const without = toward.filter(({ to }) => key(to) !== key(group));
    /** @type {Toward} */
    const added = {
      from: this.#home && key(this.#home) !== key(group) ? { column: this.#home.column, value: this.#home.value } : null,
      to: { column: group.column, value: group.value },
      strength: START_STRENGTH,
    };
    this.#set({ toward: without.length < toward.length ? without : [...toward, added] }, 'toward');
  }

  #renderFilters() {
    const { labels } = this;
    if (!this.#facets) return;
    const { columns, price } = this.#facets;
    /** @type {Record<string, string>} */
    const names = { category: labels.category, availability: labels.availability };
    const groups = columns.map(({ column, values }) => h('fieldset', { class: 'facet' },
      h('legend', {}, names[column] ?? column),
      h('div', { class: 'facet-values', tabIndex: values.length > 6 ? 0 : -1, role: 'group', 'aria-label': names[column] ?? column }, ...values.map(({ value, count }) => {
        const box = h('input', { type: 'checkbox', onchange: () => this.#choose(column, value) });
        box.dataset.column = column;
        box.dataset.value = value;
        return h('label', {}, box, h('span', {}, column === 'availability' ? availabilityName(value, labels) : value), h('span', { class: 'facet-count' }, String(count)));
      }))));
    if (price) {
      const bound = (/** @type {"min"|"max"} */ end, /** @type {string} */ label) => {
        const input = h('input', {
          type: 'number', min: String(Math.floor(price.min)), max: String(Math.ceil(price.max)), step: 'any', inputMode: 'decimal',
          placeholder: String(end === 'min' ? Math.floor(price.min) : Math.ceil(price.max)), 'aria-label': `${labels.price} ${label}`,
          onchange: () => this.#setPrice(end, input.value === '' ? undefined : Number(input.value)),
        });
        input.dataset.bound = end;
        return h('label', {}, h('span', {}, label), input);
      };
      groups.push(h('fieldset', { class: 'facet' }, h('legend', {}, labels.price), h('div', { class: 'price-range' }, bound('min', labels.from), bound('max', labels.to))));
    }
    const score = h('input', {
      type: 'range', min: '0', max: '0.9', step: '0.05', 'aria-label': labels.minScore,
      oninput: () => this.#set({ minScore: Number(score.value) === 0 ? undefined : Number(score.value) }, 'min'),
    });
    score.dataset.bound = 'score';
    groups.push(h('fieldset', { class: 'facet' }, h('legend', {}, labels.minScore), h('div', { class: 'min-score' }, score, h('output', {}))));
    this.#panel.replaceChildren(...groups, h('button', { type: 'button', class: 'link', onclick: () => this.resetFilters() }, labels.resetFilters));
  }

  /**
   * @param {string} column
   * @param {string} value
   */
  #choose(column, value) {
    const filter = structuredClone(this.#state.filter ?? {});
    const values = toggled(chosen(filter, column), value);
    if (column === 'category' || column === 'availability') filter[column] = values;
    else filter.attributes = { ...filter.attributes, [column]: values };
    this.#set({ filter }, 'filter');
  }

  /**
   * @param {"min"|"max"} end
   * @param {number|undefined} value
   */
  #setPrice(end, value) {
    const filter = structuredClone(this.#state.filter ?? {});
    this.#set({ filter: { ...filter, price: { ...filter.price, [end]: value } } }, 'filter');
  }
}

/** @type {Query} */
const CLEARED = { productId: undefined, walk: undefined, toward: undefined, like: undefined, unlike: undefined, filter: undefined, minScore: undefined };

/** @param {Group} group */
function key({ column, value }) {
  return `${column}\t${value}`;
}

/**
 * @param {string[]} list
 * @param {string} item
 */
function toggled(list, item) {
  return list.includes(item) ? list.filter((each) => each !== item) : [...list, item];
}

/**
 * @param {string[]} ranked
 * @param {string} value
 */
function rankIn(ranked, value) {
  const place = ranked.indexOf(value);
  return place < 0 ? Infinity : place;
}

/**
 * @param {Filter|undefined} filter
 * @param {string} column
 */
function chosen(filter, column) {
  if (column === 'category' || column === 'availability') return filter?.[column] ?? [];
  return filter?.attributes?.[column] ?? [];
}

/** @param {Filter|undefined} filter */
function filterCount(filter) {
  if (!filter) return 0;
  const attributes = Object.values(filter.attributes ?? {}).reduce((sum, values) => sum + values.length, 0);
  return (filter.category?.length ?? 0) + (filter.availability?.length ?? 0) + attributes + (filter.price ? 1 : 0);
}

/**
 * Without what is empty, so that two equal queries are equal as JSON.
 * @param {Query} query
 * @returns {Query}
 */
function tidy(query) {
  /** @param {unknown} value @returns {unknown} */
  const clean = (value) => {
    if (Array.isArray(value)) return value.length > 0 ? value : undefined;
    if (value === null || typeof value !== 'object') return value ?? undefined;
    const entries = Object.entries(value).map(([name, each]) => [name, clean(each)]).filter(([, each]) => each !== undefined);
    return entries.length > 0 ? Object.fromEntries(entries) : undefined;
  };
  return /** @type {Query} */ (clean(query) ?? {});
}

/**
 * @param {HTMLElement} box
 * @param {() => void} change
 */
function keepFocus(box, change) {
  const root = box.getRootNode();
  const focused = root instanceof ShadowRoot || root instanceof Document ? root.activeElement : null;
  const held = focused instanceof HTMLElement && box.contains(focused) ? focused.dataset.key : undefined;
  change();
  if (held === undefined) return;
  for (const child of box.children) if (child instanceof HTMLElement && child.dataset.key === held) child.focus();
}
