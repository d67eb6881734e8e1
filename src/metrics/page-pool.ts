import { BUCKETS, OCTAVE_BUCKETS, OCTAVES, octaveOf } from './buckets.ts';

/** A page: the next page of its histogram, its octave, and the counts of the octave's buckets. */
const PAGE_WORDS = 2 + OCTAVE_BUCKETS;
const NEXT = 0;
const TAG = 1;
const COUNTS = 2;
/** Octets of a page. */
export const PAGE_OCTETS = 4 * PAGE_WORDS;
const FULL = 0xffff_ffff;
const CARRY = FULL + 1;
/** What a bucket cannot hold is carried into one so many further on. */
const HIGH = BUCKETS;
/** Pages that are kept for carries, which must not fail: one is needed for every 2^32 calls. */
const RESERVE = 64;
const IN_OCTAVE = OCTAVE_BUCKETS - 1;

/** An empty histogram: there is no page of this number. */
export const EMPTY = 0;

/**
 * Histograms in one typed array. A histogram is a list of pages, one for each octave that it has counts in, which are three or
 * four where a whole array would be 64: so many more series have their place in the same memory, and one that is seen once
 * is folded into another by one addition. A histogram is known by its first page, which changes: every method that adds gives
 * the new one.
 */
export class PagePool {
  readonly #words: Uint32Array;
  #free = EMPTY;
  #untouched = 1;
  #left: number;

  /** @param pages beyond those that are kept in reserve */
  constructor(pages: number) {
    // The system gives the memory when it is written to, not now.
    this.#words = new Uint32Array((pages + RESERVE + 1) * PAGE_WORDS);
    this.#left = pages + RESERVE;
  }

  /** Octets of the whole pool. */
  static octets(pages: number): number {
    return (pages + RESERVE + 1) * PAGE_OCTETS;
  }

  /** Pages that can be taken. */
  get left(): number {
    return this.#left - RESERVE;
  }

  /** Adds to a bucket. @returns the histogram, or -1 when there is no page for it */
  add(histogram: number, bucket: number, count: number): number {
    const words = this.#words;
    const head = this.#find(histogram, octaveOf(bucket), bucket >= HIGH);
    if (head < 0) return -1;
    const at = head * PAGE_WORDS + COUNTS + (bucket & IN_OCTAVE);
    const sum = words[at]! + count;
    if (sum <= FULL) {
      words[at] = sum;
      return head;
    }
    words[at] = sum; // Modulo 2^32, as typed arrays do.
    return this.add(head, bucket + HIGH, Math.floor(sum / CARRY));
  }

  /** Adds all of `from`, which is no more afterwards, to `to`. Needs no page. @returns the histogram */
  move(from: number, to: number): number {
    let head = to;
    for (let page = from; page !== EMPTY; ) {
      const next = this.#words[page * PAGE_WORDS + NEXT]!;
      head = this.#movePage(page, head);
      page = next;
    }
    return head;
  }

  /** Each bucket that has any. */
  forEach(histogram: number, visit: (bucket: number, count: number) => void): void {
    const words = this.#words;
    for (let page = histogram; page !== EMPTY; page = words[page * PAGE_WORDS + NEXT]!) {
      const bucket = words[page * PAGE_WORDS + TAG]! * OCTAVE_BUCKETS;
      const at = page * PAGE_WORDS + COUNTS;
      const [first, unit] = bucket >= HIGH ? [bucket - HIGH, CARRY] : [bucket, 1];
      for (let i = 0; i < OCTAVE_BUCKETS; i++) {
        const count = words[at + i]!;
        if (count !== 0) visit(first + i, count * unit);
      }
    }
  }

  /** Each octave that has any, and how many: a tenth of what `forEach` costs. */
  forEachOctave(histogram: number, visit: (octave: number, count: number) => void): void {
    const words = this.#words;
    for (let page = histogram; page !== EMPTY; page = words[page * PAGE_WORDS + NEXT]!) {
      const tag = words[page * PAGE_WORDS + TAG]!;
      const at = page * PAGE_WORDS + COUNTS;
      let count = 0;
      for (let i = 0; i < OCTAVE_BUCKETS; i++) count += words[at + i]!;
      if (count === 0) continue;
      if (tag < OCTAVES) visit(tag, count);
      else visit(tag - OCTAVES, count * CARRY);
    }
  }

  /** The page of an octave, which becomes the first: the next call takes about as long. -1 when it cannot be had. */
  #find(histogram: number, tag: number, fromReserve: boolean): number {
    const words = this.#words;
    let page = histogram;
    let before = EMPTY;
    while (page !== EMPTY && words[page * PAGE_WORDS + TAG] !== tag) {
      before = page;
      page = words[page * PAGE_WORDS + NEXT]!;
    }
    if (page === EMPTY) {
      page = this.#take(fromReserve);
      if (page === EMPTY) return -1;
      words[page * PAGE_WORDS + TAG] = tag;
    } else if (before === EMPTY) return page;
    else words[before * PAGE_WORDS + NEXT] = words[page * PAGE_WORDS + NEXT]!;
    words[page * PAGE_WORDS + NEXT] = histogram;
    return page;
  }

  #movePage(page: number, to: number): number {
    const words = this.#words;
    const tag = words[page * PAGE_WORDS + TAG]!;
    let other = to;
    while (other !== EMPTY && words[other * PAGE_WORDS + TAG] !== tag) other = words[other * PAGE_WORDS + NEXT]!;
    if (other === EMPTY) {
      words[page * PAGE_WORDS + NEXT] = to;
      return page;
    }
    let head = to;
    for (let i = 0; i < OCTAVE_BUCKETS; i++) {
      const count = words[page * PAGE_WORDS + COUNTS + i]!;
      if (count === 0) continue;
      const at = other * PAGE_WORDS + COUNTS + i;
      const sum = words[at]! + count;
      words[at] = sum; // Modulo 2^32, as typed arrays do.
      if (sum > FULL) head = this.add(head, tag * OCTAVE_BUCKETS + i + HIGH, 1);
    }
    words[page * PAGE_WORDS + NEXT] = this.#free;
    this.#free = page;
    this.#left++;
    return head;
  }

  #take(fromReserve: boolean): number {
    if (this.#left <= (fromReserve ? 0 : RESERVE)) return EMPTY;
    this.#left--;
    const page = this.#free;
    if (page === EMPTY) return this.#untouched++;
    const start = page * PAGE_WORDS;
    this.#free = this.#words[start + NEXT]!;
    this.#words.fill(0, start, start + PAGE_WORDS);
    return page;
  }
}
