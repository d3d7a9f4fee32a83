/** The pane of the results: one list or two, what differs between them, and the states without any. */
import { h } from './dom.js';
import { fill } from './labels.js';
import { ResultList, changes, departures } from './results.js';

/**
 * @import { Labels } from './labels.js'
 * @import { Answer } from './types.js'
 * @import { Refine } from './refine.js'
 * @import { CardActions } from './results.js'
 * @import { Results } from './session/answers.js'
 * @import { Session } from './session/session.js'
 */

export class Lists {
  #title;
  #lists;
  #none;
  #empty;
  #shelf;

  /**
   * @param {Labels} labels
   * @param {Session} session
   * @param {Refine} refine
   * @param {Omit<CardActions, "like"|"unlike">} act
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
    this.#lists = h('div', { class: 'lists' }, this.left.element, this.right.element);
    this.#none = h('div', { class: 'none', hidden: true }, h('h3', {}, labels.noneTitle), h('p', {}, labels.noneText),
      h('button', { type: 'button', class: 'quiet', onclick: () => refine.resetFilters() }, labels.resetFilters));
    this.#empty = h('div', { class: 'empty' },
      h('slot', { name: 'empty' }, h('div', { class: 'empty-words' }, h('h2', {}, labels.emptyTitle), h('p', {}, labels.emptyText))),
      this.#shelf.element);
    this.element = h('section', { class: 'results-pane', 'aria-label': labels.resultsRegion }, this.#title, refine.element, this.#none, this.#lists, this.#empty);
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
    this.#lists.classList.remove('two');
    this.left.show(labels.similar, hits, new Map(), this.#votes);
    this.left.note.textContent = fill(labels.count, { count: hits.length });
    this.refine.setNear(hits);
    return hits.length > 0 ? fill(labels.found, { count: hits.length, title: hits[0].product.title }) : labels.noneTitle;
  }

  /**
   * The new list first; the other one in a task of its own, so that a stroke that has begun is not held up.
   * @param {Answer} whole
   * @param {Answer} masked
   * @param {AbortSignal} signal
   */
  async #showBoth(whole, masked, signal) {
    const { labels } = this;
    const marks = changes(masked.hits, whole.hits);
    const gone = departures(whole.hits, masked.hits);
    const count = (/** @type {string[]} */ ...kinds) => [...marks.values()].filter(({ change }) => kinds.includes(change)).length;
    const compared = fill(labels.compared, { added: count('new'), moved: count('up', 'down'), gone: gone.size });
    this.right.element.hidden = false;
    this.#lists.classList.add('two');
    this.right.show(this.#maskedTitle, masked.hits, marks, this.#votes);
    this.right.note.textContent = compared;
    await new Promise((resolve) => setTimeout(resolve));
    if (signal.aborted) return '';
    this.left.show(labels.whole, whole.hits, gone, this.#votes);
    this.left.note.textContent = fill(labels.count, { count: whole.hits.length });
    this.refine.setNear(masked.hits);
    return compared;
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
    if (state !== 'photo' || !isSelecting) {
      this.right.element.hidden = true;
      this.#lists.classList.remove('two');
    }
    this.#title.hidden = !(state === 'product' && start);
    this.#title.textContent = start ? fill(this.labels.similarTo, { title: start.title }) : '';
    this.refine.element.hidden = isEmpty || answer === null;
    if (isSlow) (state === 'photo' && isSelecting ? this.right : this.left).wait(session.k);
    else if (answer === null && waiting && this.left.grid.childElementCount === 0) this.left.wait(session.k);
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
