// How much of a reply has come out of the loudspeaker. Pure: told the time and the counters.
//
//   server   |..reply starts|------ audio ------>
//   us                         |.. floor: agent |-- jitter buffer emits samples -->
//
// The counters of the jitter buffer say how many samples were played, but not of which reply. So the
// count taken last before the reply began is its zero. What is played can never be more than the time
// since then, whatever was still in the buffer from the reply before.

/** The news of the floor may arrive this much after the first audio. */
const NEWS_DELAY_MS_MAX = 80;

/** Follows the playing of one reply after the other. */
export class PlayoutMeter {
  #generation = null;
  #startedAtMs = 0;
  #baseMs = 0;
  #emittedMs = 0;
  #playedMs = 0;

  /** The agent began to speak; a repetition for the same reply changes nothing. */
  replyStarted(generation, nowMs) {
    if (generation === this.#generation) return;
    this.#generation = generation;
    this.#startedAtMs = nowMs;
    this.#baseMs = this.#emittedMs;
    this.#playedMs = 0;
  }

  /** The jitter buffer has emitted so much audio since the call began. */
  counted(emittedMs, nowMs) {
    this.#emittedMs = emittedMs;
    const emitted = emittedMs - this.#baseMs;
    const elapsed = nowMs - this.#startedAtMs + NEWS_DELAY_MS_MAX;
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
