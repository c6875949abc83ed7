// Shows the numbers of the connection.

import { element } from './dom.js';
import { duration } from './latency.js';

const percent = (value) => (value === null ? '–' : `${value.toFixed(1)} %`);
const rate = (value) => (value === null ? '–' : `${Math.round(value)} kb/s`);

/** What is shown, in order: a name and how its value comes out of a digest and the call's timing. */
const ROWS = [
  ['Round trip', (digest) => duration(digest.rttMs)],
  ['Jitter', (digest) => duration(digest.jitterMs)],
  ['Jitter buffer', (digest) => duration(digest.bufferMs)],
  ['Loss, down', (digest) => percent(digest.lossDownPercent)],
  ['Loss, up', (digest) => percent(digest.lossUpPercent)],
  ['Rate, down / up', (digest) => `${rate(digest.kbpsDown)} / ${rate(digest.kbpsUp)}`],
  ['Codec', (digest) => digest.codec ?? '–'],
  ['Connected in', (_, timing) => duration(timing.connect)],
  ['Packets', ({ totals }) => `${totals.received}, ${totals.lost} lost`],
  [
    'Path',
    ({ path }) => (path ? `${path.local} → ${path.remote} (${path.protocol})` : '–'),
    'wide',
  ],
];

export class Connection {
  #values;

  constructor(list) {
    this.#values = ROWS.map(([name, , className]) => {
      const value = element('dd', {}, '–');
      list.append(element('div', { class: className ?? '' }, element('dt', {}, name), value));
      return value;
    });
  }

  show(digest, timing) {
    ROWS.forEach(([, text], index) => {
      this.#values[index].textContent = text(digest, timing);
    });
  }
}
