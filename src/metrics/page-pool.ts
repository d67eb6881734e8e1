import { BUCKETS, OCTAVE_BUCKETS, OCTAVES, octaveOf } from './buckets.ts';

/** A page: a word with the next page of its histogram and its octave, and elsewhere the counts of the octave's buckets. */
const PAGE_WORDS = OCTAVE_BUCKETS;
/** Octets of a page. */
export const PAGE_OCTETS = 4 * (1 + PAGE_WORDS);
const TAG_BITS = 7;
const TAG_MASK = 2 ** TAG_BITS - 1;
const FULL = 0xffff_ffff;
const CARRY = FULL + 1;
/** What a bucket cannot hold is carried into one so many further on. */
const HIGH = BUCKETS;
/** Pages that a pool can have: their numbers share a word with the octave. */
export const MAX_PAGES = 2 ** (32 - TAG_BITS) - 128;
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
 *
 * Of the pages that are gone through on the way to the right one only the first word is read, and those stand close together: few of
 * them, and hardly one of the counts, are in the processor's cache when a call is counted.
 */
export class PagePool {
  readonly #heads: Uint32Array;
  readonly #counts: Uint32Array;
  #free = EMPTY;
  #untouched = 1;
  #left: number;

  /** @param pages beyond those that are kept in reserve */
  constructor(pages: number) {
    // The system gives the memory when it is written to, not now.
    this.#heads = new Uint32Array(pages + RESERVE + 1);
    this.#counts = new Uint32Array((pages + RESERVE + 1) * PAGE_WORDS);
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
    const counts = this.#counts;
    const head = this.#find(histogram, octaveOf(bucket), bucket >= HIGH);
    if (head < 0) return -1;
    const at = head * PAGE_WORDS + (bucket & IN_OCTAVE);
    const sum = counts[at]! + count;
    if (sum <= FULL) {
      counts[at] = sum;
      return head;
    }
    counts[at] = sum; // Modulo 2^32, as typed arrays do.
    return this.add(head, bucket + HIGH, Math.floor(sum / CARRY));
  }

  /** Adds all of `from`, which is no more afterwards, to `to`. Needs no page. @returns the histogram */
  move(from: number, to: number): number {
    let head = to;
    for (let page = from; page !== EMPTY; ) {
      const next = this.#nextOf(page);
      head = this.#movePage(page, head);
      page = next;
    }
    return head;
  }

  /** Each bucket that has any. */
  forEach(histogram: number, visit: (bucket: number, count: number) => void): void {
    const counts = this.#counts;
    for (let page = histogram; page !== EMPTY; page = this.#nextOf(page)) {
      const bucket = this.#tagOf(page) * OCTAVE_BUCKETS;
      const at = page * PAGE_WORDS;
      const [first, unit] = bucket >= HIGH ? [bucket - HIGH, CARRY] : [bucket, 1];
      for (let i = 0; i < OCTAVE_BUCKETS; i++) {
        const count = counts[at + i]!;
        if (count !== 0) visit(first + i, count * unit);
      }
    }
  }

  /** Each octave that has any, and how many: a tenth of what `forEach` costs. */
  forEachOctave(histogram: number, visit: (octave: number, count: number) => void): void {
    const counts = this.#counts;
    for (let page = histogram; page !== EMPTY; page = this.#nextOf(page)) {
      const tag = this.#tagOf(page);
      const at = page * PAGE_WORDS;
      let count = 0;
      for (let i = 0; i < OCTAVE_BUCKETS; i++) count += counts[at + i]!;
      if (count === 0) continue;
      if (tag < OCTAVES) visit(tag, count);
      else visit(tag - OCTAVES, count * CARRY);
    }
  }

  /** The page of an octave, which becomes the first: the next call takes about as long. -1 when it cannot be had. */
  #find(histogram: number, tag: number, fromReserve: boolean): number {
    let page = histogram;
    let before = EMPTY;
    while (page !== EMPTY && this.#tagOf(page) !== tag) {
      before = page;
      page = this.#nextOf(page);
    }
    if (page === EMPTY) {
      page = this.#take(fromReserve);
      if (page === EMPTY) return -1;
    } else if (before === EMPTY) return page;
    else this.#setHead(before, this.#nextOf(page), this.#tagOf(before));
    this.#setHead(page, histogram, tag);
    return page;
  }

  #movePage(page: number, to: number): number {
    const counts = this.#counts;
    const tag = this.#tagOf(page);
    let other = to;
    while (other !== EMPTY && this.#tagOf(other) !== tag) other = this.#nextOf(other);
    if (other === EMPTY) {
      this.#setHead(page, to, tag);
      return page;
    }
    let head = to;
    for (let i = 0; i < OCTAVE_BUCKETS; i++) {
      const count = counts[page * PAGE_WORDS + i]!;
      if (count === 0) continue;
      const at = other * PAGE_WORDS + i;
      const sum = counts[at]! + count;
      counts[at] = sum; // Modulo 2^32, as typed arrays do.
      if (sum > FULL) head = this.add(head, tag * OCTAVE_BUCKETS + i + HIGH, 1);
    }
    this.#setHead(page, this.#free, 0);
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
    this.#free = this.#nextOf(page);
    this.#counts.fill(0, start, start + PAGE_WORDS);
    return page;
  }

  #nextOf(page: number): number {
    return this.#heads[page]! >>> TAG_BITS;
  }

  #tagOf(page: number): number {
    return this.#heads[page]! & TAG_MASK;
  }

  #setHead(page: number, next: number, tag: number): void {
    this.#heads[page] = (next << TAG_BITS) | tag;
  }
}
