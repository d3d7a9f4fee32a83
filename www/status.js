/** What the element says: progress of downloads, messages, being offline, and a line for screen readers. */
import { h, icon } from './dom.js';
import { fill } from './labels.js';

/**
 * @import { Progress } from './types.js'
 * @import { Labels } from './labels.js'
 * @import { Session } from './session/session.js'
 */

/** What a shopper can mend by trying again. */
const RETRYABLE = new Set(['network', 'offline', 'missing', 'bad-file', 'setup', 'worker', 'internal', 'io', 'bad-index', 'bad-model', 'bad-catalog', 'mismatch']);

export class Status {
  /** The failure that is shown. @type {unknown} */
  #shown = null;

  /**
   * @param {Labels} labels
   * @param {Session} session
   */
  constructor(labels, session) {
    this.labels = labels;
    this.session = session;
    this.line = h('p', { class: 'sr-only', role: 'status' });
    this.offline = h('p', { class: 'offline', hidden: true }, icon('warning'), labels.offlineNow);
    this.message = h('div', { class: 'message', part: 'message', role: 'alert', hidden: true });
    this.#bar = h('progress', { max: 1, value: 0, 'aria-label': labels.loading });
    this.#bytes = h('span', {});
    this.progress = h('div', { class: 'progress', part: 'progress', hidden: true },
      h('div', { class: 'progress-text' }, h('strong', {}, labels.loading), this.#bytes), this.#bar);
  }

  #bar;
  #bytes;

  /** @param {string} text for screen readers */
  announce(text) {
    this.line.textContent = text;
  }

  /** @param {Progress} progress */
  showProgress({ fraction, loaded, total, done }) {
    const mb = (/** @type {number} */ bytes) => (bytes / 1e6).toFixed(1);
    this.progress.hidden = done;
    this.#bar.value = fraction;
    this.#bytes.textContent = loaded < total
      ? fill(this.labels.loadingBytes, { loaded: mb(loaded), total: mb(total) })
      : this.labels.preparing;
  }

  render() {
    const { failure } = this.session;
    this.offline.hidden = navigator.onLine;
    if (this.#shown === failure) return;
    this.#shown = failure;
    this.message.hidden = failure === null;
    this.message.replaceChildren(...(failure ? this.#words(failure) : []));
    if (failure) this.progress.hidden = true;
  }

  /** @param {NonNullable<Session["failure"]>} failure */
  #words({ error, again }) {
    const { labels, session } = this;
    /** @type {Record<string, string[]>} */
    const known = labels.errors;
    const [title, advice] = known[error.kind] ?? labels.errors.internal;
    this.message.dataset.kind = error.kind;
    const retry = again && RETRYABLE.has(error.kind)
      && h('button', { type: 'button', class: 'quiet', onclick: () => (session.calm(), again()) }, labels.retry);
    return [
      icon('warning'),
      h('div', { class: 'message-words' }, h('strong', {}, title), h('p', {}, advice), h('p', { class: 'message-detail' }, error.message)),
      h('div', { class: 'message-actions' }, retry,
        h('button', { type: 'button', class: 'mini', 'aria-label': labels.dismiss, title: labels.dismiss, onclick: () => session.calm() }, icon('close'))),
    ];
  }
}
