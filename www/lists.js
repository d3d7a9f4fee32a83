/**
 * The pane of the results: one list at a time, of what is selected or of the whole photo; side by side, with what differs,
 * where the shopper compares; and the states without any.
 */
import { h, icon } from './dom.js';
import { fill } from './labels.js';
import { isNothingAlike } from './likeness.js';
import { ResultList, changes, departures } from './results.js';
import { Tabs } from './tabs.js';

/**
 * @import { Labels } from './labels.js'
 * @import { Answer, Hit } from './types.js'
 * @import { Refine } from './refine.js'
 * @import { CardActions } from './results.js'
 * @import { Scores } from './likeness.js'
 * @import { Results } from './session/answers.js'
 * @import { Session } from './session/session.js'
 */

export class Lists {
  #title;
  #lists;
  #none;
  #nothing;
  #wholePhoto;
  #unfiltered;
  #empty;
  #shelf;

  /**
   * @param {Labels} labels
   * @param {Session} session
   * @param {Refine} refine
   * @param {Omit<CardActions, "like"|"unlike"> & {whole: () => void, browse: () => void}} act `whole` takes the paint away,
   *   `browse` the photo
   */
  constructor(labels, session, refine, act) {
    this.labels = labels;
    this.session = session;
    this.refine = refine;
    // Votes need the algebra, which the engine is asked about only when it is here.
    this.left = new ResultList(labels, { ...act, like: null, unlike: null });
    this.right = new ResultList(labels, { ...act, like: null, unlike: null });
    this.#shelf = new ResultList(labels, { ...act, open: act.similar, like: null, unlike: null }, 'h2');
    this.#shelf.element.hidden = true;
    this.#shelf.element.classList.add('shelf');
    this.#title = h('h2', { class: 'results-title' });
    this.#tabs = new Tabs(labels.lists, [this.right, this.left], () => this.render());
    this.#compare = h('button', { type: 'button', class: 'switch', role: 'switch', 'aria-checked': 'false', onclick: () => this.#setComparing(!this.isComparing) },
      h('span', { class: 'knob', 'aria-hidden': 'true' }), labels.compare);
    this.#refining = h('button', {
      type: 'button', class: 'tool refining', 'aria-label': labels.refine, title: labels.refine, 'aria-expanded': 'false', onclick: () => this.#setRefining(),
    }, icon('filter'));
    this.#bar = h('div', { class: 'results-bar' }, this.#tabs.element, this.#compare, this.#refining);
    this.#handle = h('button', { type: 'button', class: 'handle', onclick: () => this.#pull() }, icon('grip'));
    this.#lists = h('div', { class: 'lists' }, this.left.element, this.right.element);
    this.#more = h('button', { type: 'button', class: 'quiet more', part: 'more', onclick: () => void session.more() }, labels.moreResults);
    this.#none = h('div', { class: 'none', hidden: true }, h('h3', {}, labels.noneTitle), h('p', {}, labels.noneText),
      h('button', { type: 'button', class: 'quiet', onclick: () => refine.resetFilters() }, labels.resetFilters));
    const way = (/** @type {string} */ text, /** @type {() => void} */ onclick) => h('button', { type: 'button', class: 'quiet', onclick }, text);
    this.#wholePhoto = way(labels.showWhole, act.whole);
    this.#unfiltered = way(labels.resetFilters, () => refine.resetFilters());
    this.#nothing = h('div', { class: 'nothing', part: 'nothing', hidden: true }, h('h3', {}, labels.nothingTitle), h('p', {}, labels.nothingText),
      h('div', { class: 'ways' }, this.#wholePhoto, this.#unfiltered, way(labels.browse, act.browse)));
    this.#empty = h('div', { class: 'empty' },
      h('slot', { name: 'empty' }, h('div', { class: 'empty-words' }, h('h2', {}, labels.emptyTitle), h('p', {}, labels.emptyText))),
      this.#shelf.element);
    this.element = h('section', { class: 'results-pane', 'aria-label': labels.resultsRegion },
      this.#handle, this.#title, this.#bar, refine.element, this.#none, this.#nothing, this.#lists, this.#more, this.#empty);
  }

  /** Whether both lists are shown, with what differs between them. */
  isComparing = false;
  #tabs;
  #compare;
  #refining;
  #bar;
  #handle;
  #more;

  /** @param {boolean} on */
  #setComparing(on) {
    this.isComparing = on;
    this.#compare.setAttribute('aria-checked', String(on));
    void this.session.refresh();
  }

  /** On a small screen, the query's controls unfold when they are wanted. */
  #setRefining() {
    const on = this.element.classList.toggle('refine-open');
    this.#refining.setAttribute('aria-expanded', String(on));
  }

  /** On a small screen, this pane is a sheet that is pulled up over the photo, by scrolling or by its handle. */
  #pull() {
    const isUp = this.element.getBoundingClientRect().top < 40;
    const behavior = matchMedia('(prefers-reduced-motion: reduce)').matches ? 'auto' : 'smooth';
    (isUp ? this.element.closest('.app') : this.element)?.scrollIntoView({ block: 'start', behavior });
  }

  /** Whether it lies over the photo, so that nothing there can be seen or used. @param {HTMLElement} photo */
  covers(photo) {
    const [own, other] = [this.element.getBoundingClientRect(), photo.getBoundingClientRect()];
    return own.top < other.bottom - 1 && own.left < other.right && own.right > other.left;
  }

  /** The controls that this catalogue and engine have; products to start from. */
  useCatalog() {
    const { opened, catalog } = this.session.shop;
    if (!opened || !catalog) return;
    const { groups, facets, shelf } = catalog;
    this.refine.setCatalog(opened.features, groups, facets);
    if (opened.features.algebra) {
      for (const { actions } of [this.left, this.right]) {
        actions.like = (hit) => this.refine.like(hit.id);
        actions.unlike = (hit) => this.refine.unlike(hit.id);
      }
    }
    if (shelf.length === 0) return;
    this.#shelf.element.hidden = false;
    this.#shelf.show(this.labels.shelfTitle, shelf.map((product, row) => ({ row, id: product.id, score: 0, product })));
  }

  /**
   * @param {Results} results
   * @param {AbortSignal} signal
   * @returns {Promise<string>} what a screen reader is told
   */
  async show({ whole, masked, product }, signal) {
    const answer = product ?? whole;
    if (whole && masked) return this.#showBoth(whole, masked, signal);
    return answer ? this.#showOne(answer) : '';
  }

  /** @param {Answer} answer */
  #showOne({ hits }) {
    const { labels } = this;
    const had = this.left.size;
    this.left.scores = this.#scores;
    this.left.show(labels.similar, hits, new Map(), this.#votes);
    this.left.note.textContent = fill(labels.count, { count: hits.length });
    this.refine.setNear(hits);
    if (had > 0 && hits.length > this.session.firstK) return fill(labels.foundMore, { count: hits.length });
    return this.#found(hits);
  }

  /** What a screen reader is told of a list. @param {Hit[]} hits */
  #found(hits) {
    const { labels } = this;
    if (hits.length === 0) return labels.noneTitle;
    if (isNothingAlike(hits, this.#scores)) return `${labels.nothingTitle}. ${labels.nothingText}`;
    return fill(labels.found, { count: hits.length, title: hits[0].product.title });
  }

  /** What scores mean where a photo asks by itself: they are learnt from such queries. @returns {Scores|undefined} */
  get #scores() {
    const { state, query, shop } = this.session;
    const { toward = [], like = [], unlike = [], walk = 1 } = query;
    const byItself = state === 'photo' && toward.length + like.length + unlike.length === 0 && walk <= 1;
    return byItself ? shop.opened?.manifest.scores : undefined;
  }

  /**
   * The new list first; the other one in a task of its own, so that a stroke that has begun is not held up.
   * @param {Answer} whole
   * @param {Answer} masked
   * @param {AbortSignal} signal
   */
  async #showBoth(whole, masked, signal) {
    const { labels, isComparing } = this;
    const marks = changes(masked.hits, whole.hits);
    const gone = departures(whole.hits, masked.hits);
    const count = (/** @type {string[]} */ ...kinds) => [...marks.values()].filter(({ change }) => kinds.includes(change)).length;
    const compared = fill(labels.compared, { added: count('new'), moved: count('up', 'down'), gone: gone.size });
    const counted = (/** @type {Answer} */ { hits }) => fill(labels.count, { count: hits.length });
    this.left.scores = this.right.scores = this.#scores;
    this.right.show(this.#maskedTitle, masked.hits, isComparing ? marks : new Map(), this.#votes);
    this.right.note.textContent = isComparing ? compared : counted(masked);
    this.render();
    await new Promise((resolve) => setTimeout(resolve));
    if (signal.aborted) return '';
    this.left.show(labels.whole, whole.hits, isComparing ? gone : new Map(), this.#votes);
    this.left.note.textContent = counted(whole);
    this.refine.setNear(masked.hits);
    return isComparing ? compared : this.#found(masked.hits);
  }

  /** What is visible in this state. */
  render() {
    const { session } = this;
    const { state, start, answer, isBusy, isSlow, isSelecting } = session;
    const isEmpty = state === 'empty';
    const waiting = isSlow || (answer === null && !isEmpty && session.failure === null);
    const none = answer !== null && answer.hits.length === 0;
    this.#empty.hidden = !isEmpty;
    this.#none.hidden = !none;
    this.#lists.hidden = isEmpty || none || (answer === null && !waiting);
    this.#nothing.hidden = isEmpty || !isNothingAlike(answer?.hits ?? [], this.#scores);
    this.#wholePhoto.hidden = !isSelecting;
    this.#unfiltered.hidden = session.query.filter === undefined && session.query.minScore === undefined;
    // The whole photo's list alone, until there is one of what is selected.
    const both = state === 'photo' && isSelecting && this.right.size > 0 && session.results.masked !== null;
    const comparing = both && this.isComparing;
    this.#tabs.render(both && !comparing, [this.onlyThis ? this.labels.tabOnly : this.labels.tabWithout, this.labels.whole]);
    if (comparing) this.left.element.hidden = this.right.element.hidden = false;
    else if (!both) {
      this.left.element.hidden = false;
      this.right.element.hidden = true;
      this.#tabs.first();
    }
    this.#lists.classList.toggle('two', comparing);
    this.#compare.hidden = !both;
    this.#bar.hidden = isEmpty || answer === null;
    this.#handle.hidden = state !== 'photo';
    this.#handle.setAttribute('aria-label', this.labels.allResults);
    this.#more.hidden = !session.hasMore || none;
    this.#title.hidden = !(state === 'product' && start);
    this.#title.textContent = start ? fill(this.labels.similarTo, { title: start.title }) : '';
    this.refine.element.hidden = isEmpty || answer === null;
    if (isSlow) (both ? this.right : this.left).wait(session.firstK);
    else if (answer === null && waiting && this.left.grid.childElementCount === 0) this.left.wait(session.firstK);
    if (!isBusy) for (const list of [this.left, this.right]) list.grid.classList.remove('waiting');
  }

  get #maskedTitle() {
    const { labels, session } = this;
    const { walk = 1 } = session.query;
    if (walk < 1) return fill(labels.between, { percent: Math.round(walk * 100) });
    if (walk > 1) return fill(labels.beyond, { percent: Math.round((walk - 1) * 100) });
    return this.onlyThis ? labels.only : labels.without;
  }

  /** Whether the paint means what is looked for. */
  onlyThis = false;

  get #votes() {
    const { like, unlike } = this.session.query;
    return { likes: like, unlikes: unlike };
  }
}
