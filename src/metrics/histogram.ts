// Logarithmic buckets with a bounded relative error (DDSketch: Masson, Rim and Lee, 2019): bucket i holds what lies above
// GAMMA^(i-1) and up to GAMMA^i microseconds, and its value is within 2 % of all of it.

const ERROR = 0.02;
const GAMMA = (1 + ERROR) / (1 - ERROR);
const BUCKETS_PER_E = 1 / Math.log(GAMMA);
const MICROSECONDS_PER_MS = 1000;
/** What takes longer, an hour, is counted in the last bucket; sums and maxima are exact nevertheless. */
const LONGEST_US = 3.6e9;

export const BUCKETS = Math.ceil(Math.log(LONGEST_US) * BUCKETS_PER_E) + 1;

/** The bucket of a duration; 0 for what is no more than a microsecond, or no duration. */
export function bucketOf(ms: number): number {
  const us = ms * MICROSECONDS_PER_MS;
  if (!(us > 1)) return 0;
  const bucket = Math.ceil(Math.log(us) * BUCKETS_PER_E);
  return bucket < BUCKETS ? bucket : BUCKETS - 1;
}

/** The milliseconds that a bucket stands for. */
export function durationOf(bucket: number): number {
  return (2 * GAMMA ** bucket) / (GAMMA + 1) / MICROSECONDS_PER_MS;
}

/** Latencies of some series, summed up. Reusable: it holds the counts of the last that were added. Milliseconds. */
export class Distribution {
  readonly #counts = new Float64Array(BUCKETS);
  #total = 0;
  sum = 0;
  max = 0;

  clear(): void {
    this.#counts.fill(0);
    this.#total = 0;
    this.sum = 0;
    this.max = 0;
  }

  /** Adds `BUCKETS` counts from `counts[start]` on. */
  add(counts: Uint32Array, start: number, sum: number, max: number): void {
    for (let i = 0; i < BUCKETS; i++) {
      const count = counts[start + i]!;
      this.#counts[i]! += count;
      this.#total += count;
    }
    this.sum += sum;
    if (max > this.max) this.max = max;
  }

  /** The duration that this share (0 to 1) of the calls did not exceed, within 2 %; 0 when there are none. */
  quantile(share: number): number {
    if (this.#total === 0) return 0;
    const rank = Math.max(1, Math.ceil(share * this.#total));
    let seen = 0;
    for (let i = 0; i < BUCKETS; i++) {
      seen += this.#counts[i]!;
      if (seen >= rank) return Math.min(durationOf(i), this.max);
    }
    return this.max;
  }
}
