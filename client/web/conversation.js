// What was said in a call, by whom, and what of it was heard. Pure: messages in, entries out.

/** Older entries are forgotten. */
const ENTRIES_MAX = 300;

/**
 * @typedef {object} Entry one turn of one side
 * @property {number} id
 * @property {'user'|'agent'} who
 * @property {{id: number, text: string, state: 'said'|'partial'|'pending'|'heard'|'unheard'}[]} parts
 * @property {boolean} typed
 * @property {boolean} interrupted
 * @property {number|null} soundMs how much of a reply was heard, once it ended
 */

export class Conversation {
  /** @type {Entry[]} */
  entries = [];
  #made = 0;
  #user = null;
  #agent = null;

  /** The user began to speak: the words may come much later, but their place is here. */
  userStarted() {
    if (this.entries.at(-1) !== this.#user || this.#user === null) this.#user = this.#add('user');
    return this.#user;
  }

  /** A transcript; a partial one replaces the partial one before it. */
  userSaid({ text, final }) {
    const entry = this.#user ?? this.userStarted();
    entry.parts = entry.parts.filter(({ state }) => state !== 'partial');
    entry.parts.push({ id: entry.parts.length, text, state: final ? 'said' : 'partial' });
    return entry;
  }

  userTyped(text) {
    const entry = this.#add('user');
    entry.typed = true;
    entry.parts.push({ id: 0, text, state: 'said' });
    this.#user = null;
    return entry;
  }

  /**
   * A new reply: what it says goes to an entry of its own. A reply before it that was given up before
   * it sounded was not heard.
   *
   * @returns {Entry|null} the reply before, if it changed
   */
  replyStarted() {
    const before = this.#agent;
    this.#agent = null;
    if (before === null) return null;
    this.#conclude(before, true);
    return before;
  }

  /** A segment of the reply, new or with news of how much of it was spoken. */
  agentSaid({ text, segment_id: id, spoken_status: status, spoken_progress: progress }) {
    this.#agent ??= this.#add('agent');
    const entry = this.#agent;
    const fresh = this.#spoken(id, text, status, progress);
    const at = entry.parts.findIndex((part) => part.id === id);
    if (at === -1) entry.parts.push(...fresh);
    else {
      const count = entry.parts.filter((part) => part.id === id).length;
      entry.parts.splice(at, count, ...fresh);
    }
    return entry;
  }

  /** The reply ended. What was not reported as heard of an interrupted one was not. */
  heard({ heard_ms: soundMs, interrupted }) {
    this.#agent ??= this.#add('agent');
    const entry = this.#agent;
    entry.soundMs = soundMs;
    this.#conclude(entry, interrupted);
    this.#agent = null;
    return entry;
  }

  #conclude(entry, interrupted) {
    entry.interrupted = interrupted;
    for (const part of entry.parts) {
      if (part.state === 'pending') part.state = interrupted ? 'unheard' : 'heard';
    }
  }

  #spoken(id, text, status, progress) {
    if (status === 'completed') return [{ id, text, state: 'heard' }];
    if (!progress) return [{ id, text, state: 'pending' }];
    return [
      { id, text: progress.accumulated_text, state: 'heard' },
      { id, text: progress.remaining_text, state: 'pending' },
    ].filter((part) => part.text !== '');
  }

  #add(who) {
    this.#made += 1;
    const entry = {
      id: this.#made,
      who,
      parts: [],
      typed: false,
      interrupted: false,
      soundMs: null,
    };
    this.entries.push(entry);
    if (this.entries.length > ENTRIES_MAX) this.entries.shift();
    return entry;
  }
}
