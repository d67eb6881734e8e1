import { BUCKET_BITS, BUCKETS } from './buckets.ts';
import { ALL_HISTOGRAMS, COUNTERS, type Histogram } from './counters.ts';

// A cell is a bucket of one of a series' histograms: those of one, and then those of the next.
const CELLS = ALL_HISTOGRAMS.length * BUCKETS;

/** The cell of bucket 0: those of the others follow. */
export function firstCellOf(histogram: Histogram): number {
  return histogram << BUCKET_BITS;
}

export function histogramIn(cell: number): Histogram {
  return (cell >>> BUCKET_BITS) as Histogram;
}

export function bucketIn(cell: number): number {
  return cell & (BUCKETS - 1);
}

/** What calls of one series come to: one object for every series, filled anew. */
export class CallSum {
  /** By `Counter`. */
  readonly counters = new Float64Array(COUNTERS);
  /** Milliseconds. */
  max = 0;
  /** How many cells have any: few. */
  length = 0;
  readonly #cells = new Uint16Array(CELLS);
  readonly #counts = new Uint16Array(CELLS);

  static readonly octets = 4 * CELLS;

  /** A cell that has any. @param place below `length` */
  cellAt(place: number): number {
    return this.#cells[place]!;
  }

  countAt(place: number): number {
    return this.#counts[this.#cells[place]!]!;
  }

  clear(): void {
    this.counters.fill(0);
    this.max = 0;
    for (let i = 0; i < this.length; i++) this.#counts[this.#cells[i]!] = 0;
    this.length = 0;
  }

  /** Counts a call in a cell. */
  count(cell: number): void {
    const counts = this.#counts;
    const count = counts[cell]!;
    if (count === 0) this.#cells[this.length++] = cell;
    counts[cell] = count + 1;
  }
}
