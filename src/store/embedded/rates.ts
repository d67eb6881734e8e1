import { type GcraBucket, gcraFullAt, gcraLeft, gcraRetryAfterMs, newGcraBucket, takeGcra } from '../gcra.ts';
import type { RateLedger } from '../ledger.ts';
import type { RateGrant, RateStore } from '../store.ts';

/** Buckets looked at for each new one. More than one, so that the table shrinks to those in use. */
const LOOK_AT = 4;
/** A table of so many or less takes no room worth the look. */
const SMALL = 4_096;

/**
 * Rate limits of one process: GCRA buckets in memory, in a bounded table. After a restart every bucket is full, which a
 * limit of calls per second can bear, where a quota could not.
 */
export class MemoryRates implements RateStore, RateLedger {
  readonly #buckets = new Map<string, GcraBucket>();
  readonly #now: () => number;
  readonly #maxBuckets: number;

  /**
   * @param now monotonic milliseconds
   * @param maxBuckets bounds the table; there is one bucket per tenant and limit
   */
  constructor(now: () => number, maxBuckets = 1_000_000) {
    this.#now = now;
    this.#maxBuckets = maxBuckets;
  }

  get size(): number {
    return this.#buckets.size;
  }

  take(bucket: string, rate: number, burst: number, want: number): RateGrant {
    const now = this.#now();
    let state = this.#buckets.get(bucket);
    if (state === undefined) {
      this.#makeRoom(now);
      state = newGcraBucket(rate, now);
      this.#buckets.set(bucket, state);
    }
    const granted = takeGcra(state, rate, burst, want, now);
    return { granted, retryAfterMs: granted > 0 ? 0 : gcraRetryAfterMs(state, burst, now) };
  }

  left(bucket: string, burst: number): number {
    const state = this.#buckets.get(bucket);
    return state === undefined ? burst : gcraLeft(state, burst, this.#now());
  }

  async peek(bucket: string, rate: number, burst: number): Promise<{ left: number; retryAfterMs: number }> {
    const now = this.#now();
    // A copy: what is taken of it is taken of nothing.
    const state = { ...(this.#buckets.get(bucket) ?? newGcraBucket(rate, now)) };
    const left = takeGcra(state, rate, burst, burst, now);
    return { left, retryAfterMs: left > 0 ? 0 : gcraRetryAfterMs(state, burst, now) };
  }

  /**
   * Drops those of the next few buckets that are full: a new one is the same. Is the table at its bound and none of them
   * is full, then the nearest to it goes, and its tenant gains the rest of a burst; that is better than to grow without end.
   */
  #makeRoom(now: number): void {
    if (this.#buckets.size < Math.min(SMALL, this.#maxBuckets)) return;
    let nearest: string | undefined;
    let nearestAt = Number.POSITIVE_INFINITY;
    for (const [name, state] of this.#next()) {
      const fullAt = gcraFullAt(state);
      this.#buckets.delete(name);
      if (fullAt <= now) continue;
      this.#buckets.set(name, state);
      if (fullAt < nearestAt) {
        nearest = name;
        nearestAt = fullAt;
      }
    }
    if (this.#buckets.size >= this.#maxBuckets && nearest !== undefined) this.#buckets.delete(nearest);
  }

  /** The first few in the map's order; whoever stays goes to its end, so all get their turn. */
  #next(): [string, GcraBucket][] {
    const next: [string, GcraBucket][] = [];
    for (const entry of this.#buckets) {
      if (next.length === LOOK_AT) break;
      next.push(entry);
    }
    return next;
  }
}
