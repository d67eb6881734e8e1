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

/** What calls of one series come to: the same object for every series, filled anew. */
export interface CallSum {
  /** By `Counter`. */
  readonly counters: Float64Array;
  /** Milliseconds. */
  max: number;
  /** By `Part`, how many calls have such a part, and their buckets in ascending order. */
  readonly lengths: Uint32Array;
  readonly buckets: readonly Uint16Array[];
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
    buckets: Array.from({ length: PARTS }, () => new Uint16Array(CAPACITY)),
  };

  /** Octets of all of it. */
  static readonly octets = CAPACITY * (16 + 1 + 8 * NUMBERS + 4 + 2 * PARTS);

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
    sum.counters.fill(0);
    sum.lengths.fill(0);
    sum.max = 0;
    for (let call = last; call >= 0; call = this.#before[call]!) this.#addTo(sum, call);
    for (let part = 0; part < PARTS; part++) sortFirst(sum.buckets[part]!, sum.lengths[part]!);
    return sum;
  }

  #addTo(sum: CallSum, call: number): void {
    const numbers = this.#numbers;
    const { counters } = sum;
    const at = call * NUMBERS;
    counters[Counter.CALLS]!++;
    for (let i = 0; i < TRAFFIC_COUNTERS; i++) counters[Counter.REQUEST_MESSAGES + i]! += numbers[at + TRAFFIC + i]!;
    const total = numbers[at]!;
    const backend = numbers[at + BACKEND]!;
    const hasBackend = !Number.isNaN(backend);
    if (total > sum.max) sum.max = total;
    addPart(sum, Part.TOTAL, total);
    if (hasBackend) addPart(sum, Part.BACKEND, backend);
    addPart(sum, Part.GATEWAY, hasBackend ? total - backend : total);
  }
}

function addPart({ counters, lengths, buckets }: CallSum, part: Part, ms: number): void {
  if (ms > 0) counters[Counter.TOTAL_MS + part]! += ms;
  buckets[part]![lengths[part]!++] = bucketOf(ms);
}

function sortFirst(numbers: Uint16Array, length: number): void {
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
