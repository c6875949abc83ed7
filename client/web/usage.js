// What a turn used and what it cost, by stage. Pure.

/** The stages of a backend, in the order of their work. */
const STAGES = [
  { key: 'asr', label: 'Recognition' },
  { key: 'llm', label: 'Model' },
  { key: 'tts', label: 'Voice' },
];

/** How many turns are remembered. */
const TURNS_MAX = 50;

/** What each turn used: it is told in parts, some before the turn's times and some after them. */
export class Usage {
  #turns = new Map();

  /** Takes a `used` message. */
  add({ turn, cost_by_stage: cost, ...counts }) {
    const sum = this.#turns.get(turn) ?? {};
    const parts = { ...counts, asr: cost.asr, llm: cost.llm, tts: cost.tts };
    for (const [key, count] of Object.entries(parts)) sum[key] = (sum[key] ?? 0) + count;
    this.#turns.set(turn, sum);
    if (this.#turns.size > TURNS_MAX) this.#turns.delete(this.#turns.keys().next().value);
  }

  /**
   * A line for each stage that did something in a turn.
   *
   * @returns {{key: string, label: string, amount: string, cost: string}[]}
   */
  stages(turn) {
    const sum = this.#turns.get(turn);
    if (sum === undefined) return [];
    return STAGES.map(({ key, label }) => ({
      key,
      label,
      amount: amounts(key, sum).join(', '),
      cost: money(sum[key]),
    })).filter(({ amount }) => amount !== '');
  }
}

function amounts(stage, sum) {
  const counted = (count, text) => (count > 0 ? [text(count.toLocaleString('en'))] : []);
  switch (stage) {
    case 'asr':
      return sum.heard_ms > 0 ? [`${(sum.heard_ms / 1000).toFixed(1)} s heard`] : [];
    case 'llm':
      return [
        ...counted(sum.speech_in + sum.text_in, (count) => `${count} tokens read`),
        ...counted(sum.speech_out + sum.text_out, (count) => `${count} written`),
      ];
    default:
      return counted(sum.spoken_chars, (count) => `${count} characters spoken`);
  }
}

/** In the currency of the configured prices, which the page does not know; nothing where none are set. */
function money(cost) {
  if (!cost) return '';
  return cost < 0.01 ? cost.toFixed(5) : cost.toFixed(3);
}
