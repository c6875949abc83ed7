// Shows a conversation as it grows.

import { element, follow } from './dom.js';

const NAMES = { user: 'You', agent: 'Agent' };

export class Transcript {
  #list;
  #empty;
  #announce;
  #items = new Map();

  /**
   * @param {HTMLElement} list
   * @param {HTMLElement} empty is shown as long as there is nothing else
   * @param {HTMLElement} announce a live region for finished lines
   */
  constructor(list, empty, announce) {
    this.#list = list;
    this.#empty = empty;
    this.#announce = announce;
  }

  clear() {
    this.#items.clear();
    this.#list.replaceChildren();
    this.#empty.hidden = false;
  }

  /** Shows an entry of the conversation as it is now. */
  show(entry) {
    const children = [
      element(
        'span',
        { class: 'entry-who' },
        NAMES[entry.who] + (entry.typed ? ', in writing' : ''),
      ),
      ...words(entry),
    ];
    follow(this.#list, () => {
      let item = this.#items.get(entry.id);
      if (!item) {
        item = element('li', { class: `entry ${entry.who}` });
        this.#items.set(entry.id, item);
        this.#list.append(item);
        this.#empty.hidden = true;
      }
      item.replaceChildren(...children);
    });
  }

  /** Says a finished line to those who listen to the page. */
  announce(entry) {
    const said = entry.parts.filter(({ state }) => state !== 'unheard').map(({ text }) => text);
    if (said.length > 0) this.#announce.textContent = `${NAMES[entry.who]}: ${said.join(' ')}`;
  }
}

function words({ who, parts, soundMs, interrupted }) {
  const shown = parts.flatMap(({ text, state }, index) => {
    const tag = state === 'unheard' ? 's' : 'span';
    const part = element(tag, { class: state }, text.trim());
    return index === 0 ? [part] : [' ', part];
  });
  if (shown.length === 0)
    shown.push(element('span', { class: 'entry-note' }, silence(who, soundMs)));
  if (interrupted) shown.push(element('span', { class: 'entry-note' }, ' – interrupted'));
  return shown;
}

/** What stands for speech without words. */
function silence(who, soundMs) {
  if (who === 'user') return '…';
  return soundMs === null ? '…' : `sound without words, ${(soundMs / 1000).toFixed(1)} s`;
}
