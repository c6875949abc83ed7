// How much of a reply has come out of the loudspeaker. Pure: told the time and the counters.
//
//   server   |..reply starts|------ audio ------>
//   us                         |.. floor: agent |-- jitter buffer emits samples -->
//
// The counters of the jitter buffer say how many samples were played, but not of which reply. So the
// count taken last before the reply began is its zero. What is played can never be more than the time
// since then, whatever was still in the buffer from the reply before.
//
// While the agent is held (it may be interrupted), silence is emitted that is none of the reply's. The news
// of holding and of going on are both ahead of the audio by the depth of the buffer, so the time between
// them, moved by that much, is what is not counted.

/** The news of the floor may arrive this much after the first audio. */
const NEWS_DELAY_MS_MAX = 80;

/** Follows the playing of one reply after the other. */
export class PlayoutMeter {
  #generation = null;
  #startedAtMs = 0;
  #baseMs = 0;
  #emittedMs = 0;
  #playedMs = 0;
  /** When the agent was held, or `null`; and for how long it was before, in all. */
  #heldAtMs = null;
  #heldMs = 0;

  /** The agent began to speak, or goes on with the same reply. */
  replyStarted(generation, nowMs) {
    if (generation === this.#generation) {
      this.#goOn(nowMs);
      return;
    }
    this.#heldAtMs = null;
    this.#heldMs = 0;
    this.#generation = generation;
    this.#startedAtMs = nowMs;
    this.#baseMs = this.#emittedMs;
    this.#playedMs = 0;
  }

  /** The agent falls silent in the middle of the reply and may go on. */
  held(nowMs) {
    this.#heldAtMs ??= nowMs;
  }

  /** Whether it is silent in the middle of the reply. */
  get isHeld() {
    return this.#heldAtMs !== null;
  }

  #goOn(nowMs) {
    if (this.#heldAtMs === null) return;
    this.#heldMs += nowMs - this.#heldAtMs;
    this.#heldAtMs = null;
  }

  /** The jitter buffer has emitted so much audio since the call began. */
  counted(emittedMs, nowMs) {
    this.#emittedMs = emittedMs;
    // What lies in the buffer when the agent is held is still played.
    const held =
      this.#heldAtMs === null ? 0 : Math.max(0, nowMs - this.#heldAtMs - NEWS_DELAY_MS_MAX);
    const silent = this.#heldMs + held;
    const emitted = emittedMs - this.#baseMs - silent;
    const elapsed = nowMs - this.#startedAtMs + NEWS_DELAY_MS_MAX - silent;
    const played = Math.min(emitted, elapsed);
    // Counters start anew when a stream is replaced: never go back.
    this.#playedMs = Math.max(this.#playedMs, played);
  }

  /** What to tell the server, or `null` before the first reply. */
  report() {
    if (this.#generation === null) return null;
    return { generation: this.#generation, playedMs: this.#playedMs };
  }
}
