// Shows where the time of a turn went and what it used, and the turns before it.

import { element } from './dom.js';
import { axis, bars, duration } from './latency.js';

/** Older turns are forgotten. */
const TURNS_MAX = 50;

export class Waterfall {
  #parts;
  #turns = [];
  #chosen = null;
  #usage = null;

  /** @param {Record<'chart' | 'figure' | 'empty' | 'turns' | 'used', HTMLElement>} parts */
  constructor(parts) {
    this.#parts = parts;
  }

  /** Begins anew; `usage` will know what each turn used. */
  clear(usage) {
    this.#usage = usage;
    this.#turns = [];
    this.#chosen = null;
    this.#parts.empty.hidden = false;
    for (const part of ['chart', 'figure', 'turns', 'used']) this.#parts[part].replaceChildren();
  }

  /** Shows a turn, or what is now known better of the newest one. */
  show(turn, network) {
    const shown = { turn, bars: bars(turn, network) };
    if (shown.bars.length === 0) return;
    const wasNewest = this.#chosen === null || this.#chosen === this.#turns.at(-1);
    if (this.#turns.at(-1)?.turn === turn) this.#turns.pop();
    this.#turns.push(shown);
    if (this.#turns.length > TURNS_MAX) this.#turns.shift();
    if (wasNewest) this.#chosen = shown;
    this.#parts.empty.hidden = true;
    this.#draw();
  }

  /** More is known of what a turn used. */
  used(turn) {
    if (this.#chosen?.turn.turn === turn) this.#drawUsed();
  }

  #drawUsed() {
    const stages = this.#usage.stages(this.#chosen.turn.turn);
    this.#parts.used.replaceChildren(
      ...stages.flatMap(({ label, amount, cost }) => [
        element('dt', {}, label),
        element('dd', {}, amount),
        element('dd', { class: 'cost', title: 'In the currency of the configured prices' }, cost),
      ]),
    );
  }

  #draw() {
    const { chart, figure, turns } = this.#parts;
    const total = end(this.#chosen);
    const { endMs, ticks } = axis(total);
    chart.replaceChildren(
      ...this.#chosen.bars.flatMap((bar) => row(bar, endMs, ticks)),
      element('div', { class: 'axis' }, ...ticks.map((ms) => tick(ms, endMs))),
    );
    figure.replaceChildren(
      duration(total),
      element(
        'small',
        {},
        ` ${this.#chosen.bars.at(-1).label.toLowerCase()}, turn ${this.#chosen.turn.turn}`,
      ),
    );
    this.#drawUsed();
    const longest = Math.max(...this.#turns.map(end));
    const items =
      this.#turns.length > 1 ? this.#turns.map((shown) => this.#item(shown, longest)) : [];
    turns.replaceChildren(...items.reverse());
  }

  #item(shown, longest) {
    const lanes = shown.bars.map((bar) => lane(bar, longest));
    const button = element(
      'button',
      { class: 'turn', type: 'button' },
      element('span', {}, `Turn ${shown.turn.turn}`),
      element('span', { class: 'turn-bar' }, ...lanes),
      element('span', { class: 'turn-time' }, duration(end(shown))),
    );
    button.setAttribute('aria-current', String(shown === this.#chosen));
    button.addEventListener('click', () => {
      this.#chosen = shown;
      this.#draw();
    });
    return element('li', {}, button);
  }
}

function end({ bars: shown }) {
  return Math.max(...shown.map(({ toMs }) => toMs));
}

function row(bar, endMs, ticks) {
  const name = element('span', { class: 'step-name', title: bar.about }, bar.label);
  const space = element(
    'div',
    { class: 'lane', vars: { tick: `${100 / (ticks.length - 1)}%` } },
    lane(bar, endMs),
  );
  const time = element('span', { class: 'step-time' }, duration(bar.toMs));
  return [name, space, time];
}

function lane({ key, fromMs, toMs }, endMs) {
  return element('span', {
    class: `lane-bar step-${key}`,
    vars: { from: fromMs / endMs, to: toMs / endMs },
  });
}

function tick(ms, endMs) {
  // One unit for the whole axis, said once, at its end.
  const [value, unit] = endMs >= 2_000 ? [ms / 1000, 's'] : [ms, 'ms'];
  const text = ms === endMs ? `${value} ${unit}` : `${value}`;
  return element('span', { vars: { from: ms / endMs } }, text);
}
