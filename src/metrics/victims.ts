/** The share of the series, those with the most calls, that are never folded. */
const KEPT = 1 / 8;

/** What is known of the series for the choice. */
export interface Candidates {
  /** How many places there are. */
  readonly capacity: number;
  /** Whether the series at a place may be folded at all. */
  mayFold(series: number): boolean;
  callsOf(series: number): number;
}

/**
 * Says which series is folded when there is no room: one that was not used since the hand last came by (the clock algorithm),
 * and never one of the eighth with the most calls. So what is hot stays, and its counts are exact, however many come that are
 * seen once; and what was hot long ago stays, too.
 */
export class Victims {
  readonly #candidates: Candidates;
  readonly #used: Uint8Array;
  readonly #sorted: Float64Array;
  #hand = 0;
  #keptAbove = Number.POSITIVE_INFINITY;

  constructor(candidates: Candidates) {
    this.#candidates = candidates;
    this.#used = new Uint8Array(candidates.capacity);
    this.#sorted = new Float64Array(candidates.capacity);
  }

  /** A series has got a call. */
  touch(series: number): void {
    this.#used[series] = 1;
  }

  /** A series is new: it has one round of the hand to be called again. */
  begin(series: number): void {
    this.#used[series] = 0;
  }

  /** @param except is not chosen @returns -1 when there is none */
  choose(except: number): number {
    const { capacity } = this.#candidates;
    // The first round takes away what is used; in the second only those stay that are kept.
    for (let looks = 0; looks <= 3 * capacity; looks++) {
      if (this.#hand === 0) this.#keptAbove = this.#threshold();
      const series = this.#hand;
      this.#hand = series + 1 === capacity ? 0 : series + 1;
      if (series === except || !this.#candidates.mayFold(series)) continue;
      if (this.#candidates.callsOf(series) > this.#keptAbove && looks <= 2 * capacity) continue;
      if (this.#used[series] === 0) return series;
      this.#used[series] = 0;
    }
    return -1;
  }

  /** The calls above which a series is one of those with the most. Once a round, which is many choices. */
  #threshold(): number {
    const { capacity } = this.#candidates;
    let count = 0;
    for (let series = 0; series < capacity; series++) {
      if (this.#candidates.mayFold(series)) this.#sorted[count++] = this.#candidates.callsOf(series);
    }
    if (count === 0) return Number.POSITIVE_INFINITY;
    return this.#sorted.subarray(0, count).sort()[count - 1 - Math.floor(count * KEPT)]!;
  }
}
