import { COUNTERS, type Counter, type Histogram } from './counters.ts';

/** Octets of a record: two lines of a processor's cache. */
const RECORD_OCTETS = 128;
const DOUBLES = RECORD_OCTETS / 8;
const WORDS = RECORD_OCTETS / 4;

// Doubles: the counters, and the maximum. Words behind them:
const MAXIMUM = COUNTERS;
const TENANT = 2 * (MAXIMUM + 1);
const LABELS = TENANT + 1;
const KIND = TENANT + 2;
const GENERATION = TENANT + 3;
const USED = TENANT + 4;
const LAST_CALL = TENANT + 5;
const PAGES = TENANT + 6;

// Method and status share a word.
const STATUS_BITS = 5;
const STATUS_MASK = 2 ** STATUS_BITS - 1;

/** Whether a place has a series, and what it counts. */
export const Kind = { FREE: 0, OWN: 1, FOLDED: 2 } as const;
export type Kind = (typeof Kind)[keyof typeof Kind];

/** Method and status in one number. @param status at most 31 */
export function labelsOf(method: number, status: number): number {
  return (method << STATUS_BITS) | status;
}

export function methodIn(labels: number): number {
  return labels >>> STATUS_BITS;
}

export function statusIn(labels: number): number {
  return labels & STATUS_MASK;
}

/**
 * All that is kept of each series but its histograms' pages, side by side. Hardly a series that gets a call is in the processor's cache,
 * and in arrays of their own its dozen numbers were as many misses: most of what counting cost.
 */
export class SeriesRecords {
  readonly capacity: number;
  readonly #doubles: Float64Array;
  readonly #words: Int32Array;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.#doubles = new Float64Array(capacity * DOUBLES);
    this.#words = new Int32Array(this.#doubles.buffer);
  }

  tenantOf(series: number): number {
    return this.#words[series * WORDS + TENANT]!;
  }

  /** As `labelsOf` makes it. */
  labelsOf(series: number): number {
    return this.#words[series * WORDS + LABELS]!;
  }

  methodOf(series: number): number {
    return methodIn(this.labelsOf(series));
  }

  statusOf(series: number): number {
    return statusIn(this.labelsOf(series));
  }

  /** Whether a series has these labels. */
  is(series: number, tenant: number, labels: number): boolean {
    const at = series * WORDS;
    return this.#words[at + TENANT] === tenant && this.#words[at + LABELS] === labels;
  }

  kindOf(series: number): number {
    return this.#words[series * WORDS + KIND]!;
  }

  /** Gives a free place to a series, whose counters and histograms are empty. */
  begin(series: number, kind: Kind, tenant: number, labels: number): void {
    const at = series * WORDS;
    this.#words[at + KIND] = kind;
    this.#words[at + TENANT] = tenant;
    this.#words[at + LABELS] = labels;
    this.#words[at + USED] = 0;
  }

  /** The place is free from here on, and its generation another. */
  free(series: number): void {
    this.#words[series * WORDS + KIND] = Kind.FREE;
    this.#words[series * WORDS + GENERATION]!++;
  }

  /** Rises whenever the series' place is given to another; 32 bits. */
  generationOf(series: number): number {
    return this.#words[series * WORDS + GENERATION]! >>> 0;
  }

  /** Whether it has had a call since `forget`. */
  isUsed(series: number): boolean {
    return this.#words[series * WORDS + USED] !== 0;
  }

  use(series: number): void {
    this.#words[series * WORDS + USED] = 1;
  }

  forget(series: number): void {
    this.#words[series * WORDS + USED] = 0;
  }

  /** The last call that waits to be counted, + 1; 0 is none. Only while they are being counted. */
  lastCallOf(series: number): number {
    return this.#words[series * WORDS + LAST_CALL]!;
  }

  setLastCall(series: number, call: number): void {
    this.#words[series * WORDS + LAST_CALL] = call;
  }

  counterOf(series: number, counter: Counter): number {
    return this.#doubles[series * DOUBLES + counter]!;
  }

  /** Milliseconds. */
  maxOf(series: number): number {
    return this.#doubles[series * DOUBLES + MAXIMUM]!;
  }

  add(series: number, counters: Float64Array, max: number): void {
    const doubles = this.#doubles;
    const at = series * DOUBLES;
    for (let i = 0; i < COUNTERS; i++) doubles[at + i]! += counters[i]!;
    if (max > doubles[at + MAXIMUM]!) doubles[at + MAXIMUM] = max;
  }

  /** Adds the counters and the maximum of one to those of another, and empties them. */
  move(from: number, to: number): void {
    const doubles = this.#doubles;
    const at = from * DOUBLES;
    this.add(to, doubles.subarray(at, at + COUNTERS), doubles[at + MAXIMUM]!);
    doubles.fill(0, at, at + MAXIMUM + 1);
  }

  /** The first page of one of its histograms. */
  pageOf(series: number, histogram: Histogram): number {
    return this.#words[series * WORDS + PAGES + histogram]!;
  }

  setPage(series: number, histogram: Histogram, page: number): void {
    this.#words[series * WORDS + PAGES + histogram] = page;
  }
}
