import { Counter } from './counters.ts';
import { Kind, type SeriesRecords } from './series-records.ts';

/** The share of the series, those with the most calls, that are never folded. */
const KEPT = 1 / 8;

/**
 * Says which series of one tenant is folded when there is no room: one that was not used since the hand last came by (the clock algorithm),
 * and never one of the eighth with the most calls. So what is hot stays, and its counts are exact, however many come that are
 * seen once; and what was hot long ago stays, too.
 */
export class Victims {
  readonly #records: SeriesRecords;
  readonly #sorted: Float64Array;
  #hand = 0;
  #keptAbove = Number.POSITIVE_INFINITY;

  constructor(records: SeriesRecords) {
    this.#records = records;
    this.#sorted = new Float64Array(records.capacity);
  }

  /** @param except is not chosen @returns -1 when there is none */
  choose(except: number): number {
    const { capacity } = this.#records;
    // The first round takes away what is used; in the second only those stay that are kept.
    for (let looks = 0; looks <= 3 * capacity; looks++) {
      if (this.#hand === 0) this.#keptAbove = this.#threshold();
      const series = this.#hand;
      this.#hand = series + 1 === capacity ? 0 : series + 1;
      if (series === except || !this.#mayFold(series)) continue;
      if (this.#callsOf(series) > this.#keptAbove && looks <= 2 * capacity) continue;
      // One that is new has a round of the hand to be called again.
      if (!this.#records.isUsed(series)) return series;
      this.#records.forget(series);
    }
    return -1;
  }

  /** The calls above which a series is one of those with the most. Once a round, which is many choices. */
  #threshold(): number {
    const { capacity } = this.#records;
    let count = 0;
    for (let series = 0; series < capacity; series++) {
      if (this.#mayFold(series)) this.#sorted[count++] = this.#callsOf(series);
    }
    if (count === 0) return Number.POSITIVE_INFINITY;
    return this.#sorted.subarray(0, count).sort()[count - 1 - Math.floor(count * KEPT)]!;
  }

  #mayFold(series: number): boolean {
    return this.#records.kindOf(series) === Kind.OWN;
  }

  #callsOf(series: number): number {
    return this.#records.counterOf(series, Counter.CALLS);
  }
}
