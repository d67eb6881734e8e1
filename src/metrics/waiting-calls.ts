import { bucketOf } from './buckets.ts';
import { CallSum, firstCellOf } from './call-sum.ts';
import { type CallFacts, Counter, Part, WHOLE } from './counters.ts';

/** Calls that wait at most. */
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
/** Of each histogram's cells the first. */
const FIRST_TOTAL = firstCellOf(Part.TOTAL);
const FIRST_BACKEND = firstCellOf(Part.BACKEND);
const FIRST_GATEWAY = firstCellOf(Part.GATEWAY);
const FIRST_WHOLE = firstCellOf(WHOLE);

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
  readonly #sum = new CallSum();

  /** Octets of all of it. */
  static readonly octets = CAPACITY * (16 + 1 + 8 * NUMBERS + 4) + CallSum.octets;

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
    numbers[at + BACKEND] = backendMs === undefined ? NONE : backendMs;
    numbers[at + REQUEST_MESSAGES] = traffic === undefined ? 0 : traffic.requestMessages;
    numbers[at + RESPONSE_MESSAGES] = traffic === undefined ? 0 : traffic.responseMessages;
    numbers[at + REQUEST_OCTETS] = traffic === undefined ? 0 : traffic.requestOctets;
    numbers[at + RESPONSE_OCTETS] = traffic === undefined ? 0 : traffic.responseOctets;
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
    const numbers = this.#numbers;
    let calls = 0;
    let requestMessages = 0;
    let responseMessages = 0;
    let requestOctets = 0;
    let responseOctets = 0;
    let max = 0;
    let totalMs = 0;
    let backendMs = 0;
    let gatewayMs = 0;
    sum.clear();
    for (let call = last; call >= 0; call = this.#before[call]!) {
      const at = call * NUMBERS;
      calls++;
      requestMessages += numbers[at + REQUEST_MESSAGES]!;
      responseMessages += numbers[at + RESPONSE_MESSAGES]!;
      requestOctets += numbers[at + REQUEST_OCTETS]!;
      responseOctets += numbers[at + RESPONSE_OCTETS]!;
      const total = numbers[at]!;
      const backend = numbers[at + BACKEND]!;
      const bucket = bucketOf(total);
      if (total > max) max = total;
      if (total > 0) totalMs += total;
      if (backend === total) {
        // Sent on in the turn of the event loop in which it came: most calls.
        if (total > 0) backendMs += total;
        sum.count(FIRST_WHOLE + bucket);
        continue;
      }
      sum.count(FIRST_TOTAL + bucket);
      const gateway = backend === NONE ? total : total - backend;
      if (gateway > 0) gatewayMs += gateway;
      sum.count(FIRST_GATEWAY + bucketOf(gateway));
      if (backend === NONE) continue;
      if (backend > 0) backendMs += backend;
      sum.count(FIRST_BACKEND + bucketOf(backend));
    }
    sum.max = max;
    const { counters } = sum;
    counters[Counter.CALLS] = calls;
    counters[Counter.REQUEST_MESSAGES] = requestMessages;
    counters[Counter.RESPONSE_MESSAGES] = responseMessages;
    counters[Counter.REQUEST_OCTETS] = requestOctets;
    counters[Counter.RESPONSE_OCTETS] = responseOctets;
    counters[Counter.TOTAL_MS] = totalMs;
    counters[Counter.BACKEND_MS] = backendMs;
    counters[Counter.GATEWAY_MS] = gatewayMs;
    return sum;
  }
}
