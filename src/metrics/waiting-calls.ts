import { BUCKETS, bucketOf } from './buckets.ts';
import { type CallFacts, COUNTERS, Counter, PARTS, Part } from './counters.ts';

/** Entries that wait at most. */
const CAPACITY = 2_048;
/** Durations, messages and octets of a call, side by side. */
const NUMBERS = 6;
const BACKEND = 1;
const REQUEST_MESSAGES = 2;
const RESPONSE_MESSAGES = 3;
const REQUEST_OCTETS = 4;
const RESPONSE_OCTETS = 5;
/** The backend's part of a call that reached none. */
const NONE = -1;
/** Calls of one entry at most. */
const MOST_TIMES = 2 ** 32 - 1;

/** What calls of one series come to: the same object for every series, filled anew. */
export interface CallSum {
  /** By `Counter`. */
  readonly counters: Float64Array;
  /** Milliseconds. */
  max: number;
  /** By `Part`. */
  readonly buckets: readonly BucketCounts[];
}

/** Counts by bucket, of few buckets. */
export class BucketCounts {
  /** How many buckets have any. */
  length = 0;
  readonly #buckets = new Uint16Array(BUCKETS);
  readonly #counts = new Uint32Array(BUCKETS);

  static readonly octets = 6 * BUCKETS;

  add(bucket: number, count: number): void {
    if (this.#counts[bucket] === 0) this.#buckets[this.length++] = bucket;
    this.#counts[bucket]! += count;
  }

  /** @param place below `length` */
  bucketAt(place: number): number {
    return this.#buckets[place]!;
  }

  countAt(place: number): number {
    return this.#counts[this.#buckets[place]!]!;
  }

  clear(): void {
    for (let i = 0; i < this.length; i++) this.#counts[this.#buckets[i]!] = 0;
    this.length = 0;
  }
}

/**
 * Calls that have ended and are not counted yet. What a series counts in lies scattered over megabytes that nobody has touched
 * since its last call, and waiting for that memory was most of what counting cost. So calls are written down one behind the
 * other, and counted many at a time, series by series.
 *
 * Calls of one connection often come and end together: the clock stands still for a turn of the event loop, so that nothing tells one from
 * the next. Those are one entry, with how many times it was.
 */
export class WaitingCalls {
  /** Entries. */
  length = 0;
  readonly #tenants: string[] = new Array(CAPACITY).fill('');
  readonly #methods: string[] = new Array(CAPACITY).fill('');
  readonly #statuses = new Uint8Array(CAPACITY);
  readonly #times = new Uint32Array(CAPACITY);
  readonly #numbers = new Float64Array(CAPACITY * NUMBERS);
  /** The entry of the same series that came before; -1 for none. */
  readonly #before = new Int32Array(CAPACITY);
  readonly #sum: CallSum = {
    counters: new Float64Array(COUNTERS),
    max: 0,
    buckets: Array.from({ length: PARTS }, () => new BucketCounts()),
  };

  /** Octets of all of it. */
  static readonly octets = CAPACITY * (16 + 1 + 4 + 8 * NUMBERS + 4) + PARTS * BucketCounts.octets;

  get isFull(): boolean {
    return this.length === CAPACITY;
  }

  add(tenant: string, method: string, status: number, { durationMs, backendMs, traffic }: CallFacts): void {
    const backend = backendMs === undefined ? NONE : backendMs;
    const requestMessages = traffic === undefined ? 0 : traffic.requestMessages;
    const responseMessages = traffic === undefined ? 0 : traffic.responseMessages;
    const requestOctets = traffic === undefined ? 0 : traffic.requestOctets;
    const responseOctets = traffic === undefined ? 0 : traffic.responseOctets;
    const numbers = this.#numbers;
    const last = this.length - 1;
    const before = last * NUMBERS;
    if (
      last >= 0 &&
      numbers[before] === durationMs &&
      numbers[before + BACKEND] === backend &&
      this.#tenants[last] === tenant &&
      this.#methods[last] === method &&
      this.#statuses[last] === status &&
      numbers[before + REQUEST_OCTETS] === requestOctets &&
      numbers[before + RESPONSE_OCTETS] === responseOctets &&
      numbers[before + REQUEST_MESSAGES] === requestMessages &&
      numbers[before + RESPONSE_MESSAGES] === responseMessages &&
      this.#times[last]! < MOST_TIMES
    ) {
      this.#times[last]!++;
      return;
    }
    const entry = this.length++;
    const at = entry * NUMBERS;
    this.#tenants[entry] = tenant;
    this.#methods[entry] = method;
    this.#statuses[entry] = status;
    this.#times[entry] = 1;
    numbers[at] = durationMs;
    numbers[at + BACKEND] = backend;
    numbers[at + REQUEST_MESSAGES] = requestMessages;
    numbers[at + RESPONSE_MESSAGES] = responseMessages;
    numbers[at + REQUEST_OCTETS] = requestOctets;
    numbers[at + RESPONSE_OCTETS] = responseOctets;
  }

  clear(): void {
    this.length = 0;
  }

  tenantOf(entry: number): string {
    return this.#tenants[entry]!;
  }

  methodOf(entry: number): string {
    return this.#methods[entry]!;
  }

  statusOf(entry: number): number {
    return this.#statuses[entry]!;
  }

  /** Whether an entry has the labels of the one before it. */
  isLikeLast(entry: number): boolean {
    const last = entry - 1;
    return (
      last >= 0 &&
      this.#tenants[last] === this.#tenants[entry] &&
      this.#methods[last] === this.#methods[entry] &&
      this.#statuses[last] === this.#statuses[entry]
    );
  }

  /** The entry that `link` named; -1 for none. */
  beforeOf(entry: number): number {
    return this.#before[entry]!;
  }

  /** Says which entry of the same series came before; -1 for none. */
  link(entry: number, before: number): void {
    this.#before[entry] = before;
  }

  /** Sums up an entry and, by their links, those before it. */
  sumUp(last: number): CallSum {
    const sum = this.#sum;
    sum.counters.fill(0);
    sum.max = 0;
    for (const counts of sum.buckets) counts.clear();
    for (let entry = last; entry >= 0; entry = this.#before[entry]!) this.#addEntry(sum, entry);
    return sum;
  }

  #addEntry(sum: CallSum, entry: number): void {
    const { counters } = sum;
    const numbers = this.#numbers;
    const at = entry * NUMBERS;
    const times = this.#times[entry]!;
    counters[Counter.CALLS]! += times;
    counters[Counter.REQUEST_MESSAGES]! += times * numbers[at + REQUEST_MESSAGES]!;
    counters[Counter.RESPONSE_MESSAGES]! += times * numbers[at + RESPONSE_MESSAGES]!;
    counters[Counter.REQUEST_OCTETS]! += times * numbers[at + REQUEST_OCTETS]!;
    counters[Counter.RESPONSE_OCTETS]! += times * numbers[at + RESPONSE_OCTETS]!;
    const total = numbers[at]!;
    const backend = numbers[at + BACKEND]!;
    const hasBackend = backend !== NONE;
    if (total > sum.max) sum.max = total;
    addTime(sum, Part.TOTAL, total, times);
    if (hasBackend) addTime(sum, Part.BACKEND, backend, times);
    addTime(sum, Part.GATEWAY, hasBackend ? total - backend : total, times);
  }
}

function addTime({ counters, buckets }: CallSum, part: Part, ms: number, times: number): void {
  if (ms > 0) counters[Counter.TOTAL_MS + part]! += times * ms;
  buckets[part]!.add(bucketOf(ms), times);
}
