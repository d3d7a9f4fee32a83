/** Two lists or more, of which one is shown: a tab for each, as the ARIA practices have them. */
import { h } from './dom.js';

/** @import { ResultList } from './results.js' */

let made = 0;

export class Tabs {
  #lists;
  #tabs;
  #chosen = 0;
  #changed;

  /**
   * @param {string} name
   * @param {ResultList[]} lists the first is shown at first
   * @param {() => void} changed
   */
  constructor(name, lists, changed) {
    this.#lists = lists;
    this.#changed = changed;
    const id = `list-${++made}`;
    this.#tabs = lists.map(({ element }, index) => {
      element.id = `${id}-${index}`;
      return h('button', { type: 'button', class: 'tab', role: 'tab', 'aria-controls': element.id, onclick: () => this.choose(index) });
    });
    this.element = h('div', { class: 'tabs', role: 'tablist', 'aria-label': name }, ...this.#tabs);
    this.element.addEventListener('keydown', (event) => {
      const last = lists.length - 1;
      /** @type {Record<string, number>} */
      const steps = { ArrowLeft: -1, ArrowRight: 1, Home: -this.#chosen, End: last - this.#chosen };
      const step = steps[event.key];
      if (step === undefined) return;
      event.preventDefault();
      const turned = this.element.matches(':dir(rtl)') && event.key.startsWith('Arrow') ? -step : step;
      this.choose((this.#chosen + turned + lists.length) % lists.length);
      this.#tabs[this.#chosen].focus();
    });
  }

  /** @param {number} index */
  choose(index) {
    this.#chosen = index;
    this.#changed();
  }

  /** The first one again, without a word. */
  first() {
    this.#chosen = 0;
  }

  /**
   * @param {boolean} inUse whether one of the lists is chosen here
   * @param {string[]} names
   */
  render(inUse, names) {
    this.element.hidden = !inUse;
    this.#lists.forEach((list, index) => {
      const tab = this.#tabs[index];
      const isChosen = index === this.#chosen;
      tab.textContent = names[index];
      tab.setAttribute('aria-selected', String(isChosen));
      tab.tabIndex = isChosen ? 0 : -1;
      list.asPanel(inUse);
      if (inUse) list.element.hidden = !isChosen;
    });
  }
}
