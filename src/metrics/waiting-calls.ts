import { bucketOf } from './buckets.ts';
import { type CallFacts, COUNTERS, Counter, PARTS, Part } from './counters.ts';

/** Calls that wait at most. */
const CAPACITY = 2_048;
/** Durations, messages and octets of a call, side by side. */
const NUMBERS = 6;
const BACKEND = 1;
const TRAFFIC = 2;
const TRAFFIC_COUNTERS = 4;
/** So few are sorted by insertion. */
const FEW = 24;
/** A run, calls of one bucket one behind the other: the bucket, and in the lower bits how many. */
const RUN_BITS = 16;
const RUN_LENGTH = 2 ** RUN_BITS - 1;

/** What calls of one series come to: the same object for every series, filled anew. */
export interface CallSum {
  /** By `Counter`. */
  readonly counters: Float64Array;
  /** Milliseconds. */
  max: number;
  /** By `Part`, how many runs there are, and the runs, by their buckets in ascending order: several may have the same. */
  readonly lengths: Uint32Array;
  readonly runs: readonly Uint32Array[];
}

export function bucketOfRun(run: number): number {
  return run >>> RUN_BITS;
}

export function lengthOfRun(run: number): number {
  return run & RUN_LENGTH;
}

/**
 * Calls that have ended and are not counted yet. What a series counts in lies scattered over megabytes that nobody has touched
 * since its last call, and waiting for that memory was most of what counting cost. So calls are written down one behind the
 * other, and counted many at a time, series by series.
 */
export class WaitingCalls {
  length = 0;
  readonly #tenants: string[] = new Array(CAPACITY).fill('');
  readonly #methods: string[] = new Array(CAPACITY).fill('');
  readonly #statuses = new Uint8Array(CAPACITY);
  readonly #numbers = new Float64Array(CAPACITY * NUMBERS);
  /** The call of the same series that came before; -1 for none. */
  readonly #before = new Int32Array(CAPACITY);
  readonly #sum: CallSum = {
    counters: new Float64Array(COUNTERS),
    max: 0,
    lengths: new Uint32Array(PARTS),
    runs: Array.from({ length: PARTS }, () => new Uint32Array(CAPACITY)),
  };

  /** Octets of all of it. */
  static readonly octets = CAPACITY * (16 + 1 + 8 * NUMBERS + 4 + 4 * PARTS);

  get isFull(): boolean {
    return this.length === CAPACITY;
  }

  add(tenant: string, method: string, status: number, { durationMs, backendMs, traffic }: CallFacts): void {
    const call = this.length++;
    this.#tenants[call] = tenant;
    this.#methods[call] = method;
    this.#statuses[call] = status;
    const numbers = this.#numbers;
    const at = call * NUMBERS;
    numbers[at] = durationMs;
    numbers[at + BACKEND] = backendMs === undefined ? Number.NaN : backendMs;
    numbers[at + TRAFFIC] = traffic === undefined ? 0 : traffic.requestMessages;
    numbers[at + TRAFFIC + 1] = traffic === undefined ? 0 : traffic.responseMessages;
    numbers[at + TRAFFIC + 2] = traffic === undefined ? 0 : traffic.requestOctets;
    numbers[at + TRAFFIC + 3] = traffic === undefined ? 0 : traffic.responseOctets;
  }

  clear(): void {
    this.length = 0;
  }

  tenantOf(call: number): string {
    return this.#tenants[call]!;
  }

  methodOf(call: number): string {
    return this.#methods[call]!;
  }

  statusOf(call: number): number {
    return this.#statuses[call]!;
  }

  /** Whether a call has the labels of the one before it: calls of one connection often end together. */
  isLikeLast(call: number): boolean {
    const last = call - 1;
    return (
      last >= 0 &&
      this.#tenants[last] === this.#tenants[call] &&
      this.#methods[last] === this.#methods[call] &&
      this.#statuses[last] === this.#statuses[call]
    );
  }

  /** The call that `link` named; -1 for none. */
  beforeOf(call: number): number {
    return this.#before[call]!;
  }

  /** Says which call of the same series came before; -1 for none. */
  link(call: number, before: number): void {
    this.#before[call] = before;
  }

  /** Sums up a call and, by their links, those before it. */
  sumUp(last: number): CallSum {
    const sum = this.#sum;
    const numbers = this.#numbers;
    sum.counters.fill(0);
    sum.lengths.fill(0);
    sum.max = 0;
    let total = Number.NaN;
    let backend = Number.NaN;
    for (let call = last; call >= 0; call = this.#before[call]!) {
      const at = call * NUMBERS;
      this.#addCounters(sum.counters, at);
      // What begins and ends in one turn of the event loop takes as long: nothing is to be found anew.
      const isAsLong = numbers[at] === total && numbers[at + BACKEND] === backend;
      total = numbers[at]!;
      backend = numbers[at + BACKEND]!;
      if (isAsLong) lengthenRuns(sum, total, backend);
      else addTimes(sum, total, backend);
    }
    for (let part = 0; part < PARTS; part++) sortFirst(sum.runs[part]!, sum.lengths[part]!);
    return sum;
  }

  #addCounters(counters: Float64Array, at: number): void {
    const numbers = this.#numbers;
    counters[Counter.CALLS]!++;
    for (let i = 0; i < TRAFFIC_COUNTERS; i++) counters[Counter.REQUEST_MESSAGES + i]! += numbers[at + TRAFFIC + i]!;
  }
}

/** @param backend not a number: there was none */
function addTimes(sum: CallSum, total: number, backend: number): void {
  const hasBackend = !Number.isNaN(backend);
  if (total > sum.max) sum.max = total;
  addPart(sum, Part.TOTAL, total);
  if (hasBackend) addPart(sum, Part.BACKEND, backend);
  addPart(sum, Part.GATEWAY, hasBackend ? total - backend : total);
}

function addPart({ counters, lengths, runs }: CallSum, part: Part, ms: number): void {
  addMs(counters, part, ms);
  runs[part]![lengths[part]!++] = (bucketOf(ms) << RUN_BITS) | 1;
}

function addMs(counters: Float64Array, part: Part, ms: number): void {
  if (ms > 0) counters[Counter.TOTAL_MS + part]! += ms;
}

/** The same once more as the last time, with all parts. */
function lengthenRuns({ counters, lengths, runs }: CallSum, total: number, backend: number): void {
  addMs(counters, Part.TOTAL, total);
  addMs(counters, Part.BACKEND, backend);
  addMs(counters, Part.GATEWAY, total - backend);
  for (let part = 0; part < PARTS; part++) runs[part]![lengths[part]! - 1]!++;
}

function sortFirst(numbers: Uint32Array, length: number): void {
  if (length > FEW) {
    numbers.subarray(0, length).sort();
    return;
  }
  for (let i = 1; i < length; i++) {
    const number = numbers[i]!;
    let place = i;
    for (; place > 0 && numbers[place - 1]! > number; place--) numbers[place] = numbers[place - 1]!;
    numbers[place] = number;
  }
}
