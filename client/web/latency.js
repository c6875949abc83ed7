// Where the time of a turn went, as bars on an axis. Pure.
//
// All times are milliseconds after the end of the user's speech, as the server measured them.

/** The steps of a turn, in the order in which they are shown. */
export const STEPS = [
  { key: 'endpoint', label: 'End of turn', about: 'the pause was long enough' },
  { key: 'transcript', label: 'Transcript', about: 'the words were recognised' },
  { key: 'first_text', label: 'First text', about: 'the reply began to be written' },
  { key: 'first_audio', label: 'First audio', about: 'the reply began to be spoken' },
  { key: 'first_packet', label: 'First packet', about: 'sound left the server' },
  { key: 'heard', label: 'Heard', about: 'estimate: the network both ways and your jitter buffer' },
];

/**
 * When the reply came out of the loudspeaker: what the server took, the way of the user's last word
 * to it and of the reply's first sound back, and the wait in the jitter buffer.
 *
 * @param {object} turn a `turn` message
 * @param {{rttMs: number|null, bufferMs: number|null} | null} network
 * @returns {number|null}
 */
export function heardMs(turn, network) {
  if (turn.first_packet_ms === undefined || !network || network.rttMs === null) return null;
  return turn.first_packet_ms + network.rttMs + (network.bufferMs ?? 0);
}

/**
 * One bar for each step that happened: from the latest moment before it to its own.
 *
 * @returns {{key: string, label: string, about: string, fromMs: number, toMs: number}[]}
 */
export function bars(turn, network) {
  const heard = heardMs(turn, network);
  const steps = STEPS.map((step) => ({
    ...step,
    toMs: step.key === 'heard' ? heard : (turn[`${step.key}_ms`] ?? null),
  })).filter(({ toMs }) => toMs !== null);
  return steps.map((step, index) => {
    const earlier = steps.slice(0, index).map(({ toMs }) => toMs);
    const fromMs = Math.max(0, ...earlier.filter((ms) => ms <= step.toMs));
    return { ...step, fromMs };
  });
}

/**
 * An axis that holds `maxMs`, with three to six round steps.
 *
 * @returns {{endMs: number, ticks: number[]}}
 */
export function axis(maxMs) {
  const target = Math.max(maxMs, 100) / 4;
  const decade = 10 ** Math.floor(Math.log10(target));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * decade).find((ms) => ms >= target);
  const count = Math.ceil(Math.max(maxMs, 100) / step);
  const ticks = Array.from({ length: count + 1 }, (_, index) => index * step);
  return { endMs: count * step, ticks };
}

/** Milliseconds for people: `38 ms`, `1.24 s`. */
export function duration(ms) {
  if (ms === null || ms === undefined) return '–';
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(2)} s`;
}
