import { BUCKETS, OCTAVE_BUCKETS, OCTAVES, octaveOf } from './buckets.ts';

/** An octet for each bucket of an octave; elsewhere a word with the next page of the histogram and what the page is for. */
const CELLS = OCTAVE_BUCKETS;
/** Octets of a page. */
export const PAGE_OCTETS = CELLS + 4;
/** What a cell cannot hold is carried into a page of the next level, where a one is worth so many. */
const CARRY = 256;
/** A page's tag: its octave, and its level in steps of so many. Seven levels hold more calls than a double can count. */
const LEVEL = OCTAVES;
const TAG_BITS = 9;
const TAG_MASK = 2 ** TAG_BITS - 1;
/** Pages that are kept for carries while histograms are moved, which must not fail (see `move`). */
const RESERVE = 256;
/** Pages that a pool can have beyond those: their numbers share a word with the tag. */
export const MAX_PAGES = 2 ** (32 - TAG_BITS) - RESERVE - 1;
const IN_OCTAVE = OCTAVE_BUCKETS - 1;
const WORDS = CELLS / 4;
/** Every second octet of a word. */
const HALVES = 0x00ff_00ff;

/** An empty histogram: there is no page of this number. */
export const EMPTY = 0;

/**
 * Histograms in one typed array. A histogram is a list of pages, one for each octave that it has counts in, and each 256-fold of them:
 * three or four, where a whole array would be 64. So many more series have their place in the same memory, and one that is seen once
 * is folded into another by one addition. A histogram is known by its first page, which changes: every method that adds gives
 * the new one.
 *
 * A cell is one octet, because nearly no series that gets a call is in the processor's cache: what ten thousand of them count into
 * most of the time is then three megabytes, not twelve, and the levels above are seen once in 256 calls.
 */
export class PagePool {
  readonly #heads: Uint32Array;
  readonly #cells: Uint8Array;
  readonly #words: Uint32Array;
  readonly #moved = new Uint8Array(CELLS);
  #free = EMPTY;
  #untouched = 1;
  #left: number;

  /** @param pages beyond those that are kept in reserve */
  constructor(pages: number) {
    // The system gives the memory when it is written to, not now.
    this.#heads = new Uint32Array(pages + RESERVE + 1);
    this.#words = new Uint32Array((pages + RESERVE + 1) * WORDS);
    this.#cells = new Uint8Array(this.#words.buffer);
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

  /**
   * Adds to a bucket.
   * @returns the histogram. When there was no page for it nothing was added, and it is `~` the histogram, which is below 0
   */
  add(histogram: number, bucket: number, count: number): number {
    return this.#add(histogram, octaveOf(bucket), bucket & IN_OCTAVE, count, false);
  }

  /**
   * Adds all of `from`, which is no more afterwards, to `to`. Needs no page that it does not free before, but for carries over two
   * levels: one in 65,536 calls. @returns the histogram
   */
  move(from: number, to: number): number {
    let head = to;
    for (let page = from; page !== EMPTY; ) {
      const next = this.#nextOf(page);
      head = this.#movePage(page, head);
      page = next;
    }
    return head;
  }

  /** Each bucket that has any: once for each level at which it has. */
  forEach(histogram: number, visit: (bucket: number, count: number) => void): void {
    const cells = this.#cells;
    for (let page = histogram; page !== EMPTY; page = this.#nextOf(page)) {
      const tag = this.#tagOf(page);
      const unit = unitOf(tag);
      const first = (tag * OCTAVE_BUCKETS) % BUCKETS;
      const at = page * CELLS;
      for (let i = 0; i < CELLS; i++) {
        const count = cells[at + i]!;
        if (count !== 0) visit(first + i, count * unit);
      }
    }
  }

  /** Each octave that has any, and how many, likewise: a tenth of what `forEach` costs. */
  forEachOctave(histogram: number, visit: (octave: number, count: number) => void): void {
    const words = this.#words;
    for (let page = histogram; page !== EMPTY; page = this.#nextOf(page)) {
      const tag = this.#tagOf(page);
      const at = page * WORDS;
      let halves = 0;
      for (let i = 0; i < WORDS; i++) {
        const word = words[at + i]!;
        halves += (word & HALVES) + ((word >>> 8) & HALVES);
      }
      const count = (halves & 0xffff) + (halves >>> 16);
      if (count !== 0) visit(tag % LEVEL, count * unitOf(tag));
    }
  }

  #add(histogram: number, tag: number, cell: number, count: number, fromReserve: boolean): number {
    const head = this.#find(histogram, tag, fromReserve);
    if (head < 0) return head;
    const cells = this.#cells;
    const at = head * CELLS + cell;
    const sum = cells[at]! + count;
    if (sum < CARRY) {
      cells[at] = sum;
      return head;
    }
    const carried = this.#add(head, tag + LEVEL, cell, Math.floor(sum / CARRY), fromReserve);
    if (carried >= 0) cells[at] = sum % CARRY;
    return carried;
  }

  /** Brings the page of a tag to the front: the next call takes about as long. As `add` when it cannot be had. */
  #find(histogram: number, tag: number, fromReserve: boolean): number {
    let page = histogram;
    let before = EMPTY;
    while (page !== EMPTY && this.#tagOf(page) !== tag) {
      before = page;
      page = this.#nextOf(page);
    }
    if (page === EMPTY) {
      page = this.#take(fromReserve);
      if (page === EMPTY) return ~histogram;
    } else if (before === EMPTY) return page;
    else this.#setHead(before, this.#nextOf(page), this.#tagOf(before));
    this.#setHead(page, histogram, tag);
    return page;
  }

  #movePage(page: number, to: number): number {
    const tag = this.#tagOf(page);
    let other = to;
    while (other !== EMPTY && this.#tagOf(other) !== tag) other = this.#nextOf(other);
    if (other === EMPTY) {
      this.#setHead(page, to, tag);
      return page;
    }
    // Its page is free for what is carried.
    const moved = this.#moved;
    moved.set(this.#cells.subarray(page * CELLS, (page + 1) * CELLS));
    this.#giveBack(page);
    let head = to;
    for (let cell = 0; cell < CELLS; cell++) {
      if (moved[cell] === 0) continue;
      const added = this.#add(head, tag, cell, moved[cell]!, true);
      head = added < 0 ? ~added : added;
    }
    return head;
  }

  #giveBack(page: number): void {
    this.#setHead(page, this.#free, 0);
    this.#free = page;
    this.#left++;
  }

  #take(fromReserve: boolean): number {
    if (this.#left <= (fromReserve ? 0 : RESERVE)) return EMPTY;
    this.#left--;
    const page = this.#free;
    if (page === EMPTY) return this.#untouched++;
    this.#free = this.#nextOf(page);
    this.#words.fill(0, page * WORDS, (page + 1) * WORDS);
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

/** What a one is worth on a page. */
function unitOf(tag: number): number {
  return CARRY ** Math.floor(tag / LEVEL);
}
