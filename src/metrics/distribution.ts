import { BUCKETS, durationOf } from './buckets.ts';

/** Latencies of some series, summed up. Reusable: it holds what was added since it was last cleared. Milliseconds. */
export class Distribution {
  readonly #counts = new Float64Array(BUCKETS);
  #count = 0;
  #lowest = BUCKETS;
  #highest = -1;
  sum = 0;
  max = 0;

  /** Durations that were added. */
  get count(): number {
    return this.#count;
  }

  /** Within 2 %; where `max` is not known. */
  get longest(): number {
    return this.#highest < 0 ? 0 : durationOf(this.#highest);
  }

  clear(): void {
    if (this.#highest >= this.#lowest) this.#counts.fill(0, this.#lowest, this.#highest + 1);
    this.#count = 0;
    this.#lowest = BUCKETS;
    this.#highest = -1;
    this.sum = 0;
    this.max = 0;
  }

  /** Adds `count` durations of a bucket. An arrow function, to be handed over. */
  readonly add = (bucket: number, count: number): void => {
    this.#counts[bucket]! += count;
    this.#count += count;
    if (bucket < this.#lowest) this.#lowest = bucket;
    if (bucket > this.#highest) this.#highest = bucket;
  };

  /** What is exact whatever the buckets. */
  addExact(sum: number, max: number): void {
    this.sum += sum;
    if (max > this.max) this.max = max;
  }

  /** The duration that this share (0 to 1) of the calls did not exceed, within 2 %; 0 when there are none. */
  quantile(share: number): number {
    return this.quantiles([share], new Float64Array(1))[0]!;
  }

  /** Those of several shares, in one pass: the lowest share first. @param into filled */
  quantiles(shares: readonly number[], into: Float64Array): Float64Array {
    let seen = 0;
    let bucket = this.#lowest - 1;
    for (let i = 0; i < shares.length; i++) {
      const rank = Math.max(1, Math.ceil(shares[i]! * this.#count));
      while (seen < rank && bucket < this.#highest) seen += this.#counts[++bucket]!;
      into[i] = this.#count === 0 ? 0 : this.#durationOf(bucket);
    }
    return into;
  }

  #durationOf(bucket: number): number {
    return this.max > 0 ? Math.min(durationOf(bucket), this.max) : durationOf(bucket);
  }

  /** Each bucket that has any, from the shortest durations on. */
  forEach(visit: (bucket: number, count: number) => void): void {
    for (let i = this.#lowest; i <= this.#highest; i++) {
      const count = this.#counts[i]!;
      if (count > 0) visit(i, count);
    }
  }
}
