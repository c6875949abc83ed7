// The loudness of both voices, as the page shows it.

/** What counts as silence on a meter. */
const FLOOR_DBFS = -60;
/** A meter falls this fast, so that words stay readable as one movement. */
const FALL_DB_PER_S = 60;

/** RMS level of samples in -1 to 1, in dB relative to full scale; `FLOOR_DBFS` at least. */
export function levelDbfs(samples) {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  const rms = Math.sqrt(sum / Math.max(1, samples.length));
  return Math.max(FLOOR_DBFS, 20 * Math.log10(rms || 1e-9));
}

/** A level as a part of the meter's length, 0 to 1. Speech at -20 dBFS fills three quarters. */
export function fraction(dbfs) {
  return Math.min(1, Math.max(0, (dbfs - FLOOR_DBFS) / -FLOOR_DBFS) * 1.12);
}

/** Rises at once and falls slowly. */
export class Ballistics {
  #dbfs = FLOOR_DBFS;

  step(dbfs, elapsedMs) {
    this.#dbfs = Math.max(dbfs, this.#dbfs - (FALL_DB_PER_S * elapsedMs) / 1000, FLOOR_DBFS);
    return this.#dbfs;
  }
}

/** Listens to one stream. */
export class Listener {
  #source;
  #analyser;
  #samples;

  constructor(context, stream) {
    this.#analyser = context.createAnalyser();
    this.#analyser.fftSize = 1024;
    this.#samples = new Float32Array(this.#analyser.fftSize);
    this.#source = context.createMediaStreamSource(stream);
    this.#source.connect(this.#analyser);
  }

  dbfs() {
    this.#analyser.getFloatTimeDomainData(this.#samples);
    return levelDbfs(this.#samples);
  }

  close() {
    this.#source.disconnect();
  }
}
