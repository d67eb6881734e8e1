import type { Call, Outcome } from '../chain/call.ts';
import { CONTROL_BACKEND } from '../contracts/builtin.ts';
import { Names } from './names.ts';

/** Calls of one tenant to one method within one second. */
export interface Decided {
  /** Unix seconds. */
  readonly second: number;
  readonly tenantId: string;
  /** `/pkg.Service/Method`. */
  readonly path: string;
  /** How many were admitted, and how many limits and quotas refused. */
  readonly admitted: number;
  readonly refused: number;
}

/** Calls that are counted at one go at most. */
const WAITING = 512;

const REFUSED_BY_LIMITS: ReadonlySet<string> = new Set(['RATE_LIMITED', 'CONCURRENCY_LIMITED', 'QUOTA_EXHAUSTED']);

/**
 * What was decided about the last calls, summed up by tenant, method and second, in a ring of fixed size: what a change of a
 * plan is held against. Calls that never came to the limits (a missing scope, an overloaded gateway) are not in it.
 *
 * Calls are written down first, and counted many at a time: the maps that it takes are then looked up one after the other, and
 * not each time out of a cache that the rest of a call has filled with other things.
 */
export class DecisionLog {
  readonly #now: () => number;
  readonly #size: number;
  readonly #second: Int32Array;
  readonly #tenant: Int32Array;
  readonly #method: Int32Array;
  readonly #admitted: Int32Array;
  readonly #refused: Int32Array;
  readonly #tenants: Names;
  readonly #methods: Names;
  /** Rows of the second that runs, by tenant and method. */
  readonly #rows = new Map<number, number>();
  #current = 0;
  /** Of the second that runs. */
  readonly #waitingTenants: string[] = new Array(WAITING).fill('');
  readonly #waitingPaths: string[] = new Array(WAITING).fill('');
  readonly #waitingRefused = new Uint8Array(WAITING);
  #waiting = 0;
  /** Where the next row goes, and how many there are. */
  #next = 0;
  #count = 0;

  /** @param now Unix milliseconds; @param size rows, 20 octets each */
  constructor(now: () => number, size = 65_536) {
    this.#now = now;
    this.#size = size;
    this.#second = new Int32Array(size);
    this.#tenant = new Int32Array(size);
    this.#method = new Int32Array(size);
    this.#admitted = new Int32Array(size);
    this.#refused = new Int32Array(size);
    this.#tenants = new Names(size);
    // Each row holds one of each, so there are never more.
    this.#methods = new Names(size);
  }

  /** Told of the end of each call. */
  readonly observe = (call: Call, { refusal }: Outcome): void => {
    const { tenant, method } = call;
    if (tenant === undefined || method === undefined || method.backend === CONTROL_BACKEND) return;
    const isRefused = refusal !== undefined && refusal.reason !== 'BACKEND_UNAVAILABLE';
    if (isRefused && !REFUSED_BY_LIMITS.has(refusal.reason)) return;
    const second = Math.floor(this.#now() / 1000);
    if (second !== this.#current || this.#waiting === WAITING) this.#turnTo(second);
    const at = this.#waiting++;
    this.#waitingTenants[at] = tenant.id;
    this.#waitingPaths[at] = method.path;
    this.#waitingRefused[at] = isRefused ? 1 : 0;
  };

  /** The oldest first. */
  *entries(): Generator<Decided> {
    this.#countWaiting();
    for (let i = 0; i < this.#count; i++) {
      const row = (this.#next - this.#count + i + this.#size) % this.#size;
      yield {
        second: this.#second[row]!,
        tenantId: this.#tenants.nameOf(this.#tenant[row]!),
        path: this.#methods.nameOf(this.#method[row]!),
        admitted: this.#admitted[row]!,
        refused: this.#refused[row]!,
      };
    }
  }

  #turnTo(second: number): void {
    this.#countWaiting();
    if (second === this.#current) return;
    this.#current = second;
    this.#rows.clear();
  }

  #countWaiting(): void {
    for (let i = 0; i < this.#waiting; i++) {
      const counts = this.#waitingRefused[i] === 0 ? this.#admitted : this.#refused;
      this.#record(this.#waitingTenants[i]!, this.#waitingPaths[i]!, counts);
    }
    this.#waiting = 0;
  }

  #record(tenantId: string, path: string, counts: Int32Array): void {
    const key = this.#tenants.find(tenantId) * this.#size + this.#methods.find(path);
    // A name that is new has no number yet: below 0.
    const row = key < 0 ? undefined : this.#rows.get(key);
    if (row !== undefined) counts[row]!++;
    else this.#begin(this.#current, tenantId, path, counts);
  }

  #begin(second: number, tenantId: string, path: string, counts: Int32Array): void {
    const row = this.#next;
    if (this.#count === this.#size) this.#forget(row);
    else this.#count++;
    this.#next = (row + 1) % this.#size;
    const tenant = this.#tenants.hold(tenantId);
    const method = this.#methods.hold(path);
    this.#second[row] = second;
    this.#tenant[row] = tenant;
    this.#method[row] = method;
    this.#admitted[row] = 0;
    this.#refused[row] = 0;
    counts[row] = 1;
    this.#rows.set(tenant * this.#size + method, row);
  }

  #forget(row: number): void {
    const tenant = this.#tenant[row]!;
    const method = this.#method[row]!;
    // More rows in one second than there are: what is counted goes on in another.
    if (this.#rows.get(tenant * this.#size + method) === row) this.#rows.delete(tenant * this.#size + method);
    this.#tenants.release(tenant);
    this.#methods.release(method);
  }
}
