// The event log.

import { element, follow } from './dom.js';

/** Older lines are forgotten. */
const LINES_MAX = 500;

export class Log {
  #list;
  #startMs = performance.now();

  constructor(list) {
    this.#list = list;
  }

  /** Times count from here. */
  restart() {
    this.#startMs = performance.now();
    this.#list.replaceChildren();
  }

  /** @param {'user'|'agent'|'bad'|''} [kind] */
  add(text, kind = '') {
    const seconds = ((performance.now() - this.#startMs) / 1000).toFixed(2);
    follow(this.#list, () => {
      this.#list.append(
        element(
          'li',
          { class: kind },
          element('time', {}, `${seconds} s`),
          element('span', {}, text),
        ),
      );
      if (this.#list.childElementCount > LINES_MAX) this.#list.firstElementChild.remove();
    });
  }
}
