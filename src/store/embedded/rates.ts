import { type GcraBucket, gcraFullAt, gcraLeft, gcraRetryAfterMs, newGcraBucket, takeGcra } from '../gcra.ts';
import type { RateLedger } from '../ledger.ts';
import type { OpenBucket, RateGrant, RateStore } from '../store.ts';

/** Buckets looked at for each new one. More than one, so that the table shrinks to those in use. */
const LOOK_AT = 4;
/** A table of so many or less takes no room worth the look. */
const SMALL = 4_096;

interface Entry extends GcraBucket {
  /** It is in the table no more: who holds it looks for its successor. */
  dropped: boolean;
}

/**
 * Rate limits of one process: GCRA buckets in memory, in a bounded table. After a restart every bucket is full, which a
 * limit of calls per second can bear, where a quota could not.
 */
export class MemoryRates implements RateStore, RateLedger {
  readonly #buckets = new Map<string, Entry>();
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
    return takeOf(this.#entry(bucket, rate, now), rate, burst, want, now);
  }

  open(bucket: string): OpenBucket {
    let entry: Entry | undefined;
    return {
      take: (rate, burst, want) => {
        const now = this.#now();
        if (entry === undefined || entry.dropped) entry = this.#entry(bucket, rate, now);
        return takeOf(entry, rate, burst, want, now);
      },
    };
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

  #entry(bucket: string, rate: number, now: number): Entry {
    const known = this.#buckets.get(bucket);
    if (known !== undefined) return known;
    this.#makeRoom(now);
    const entry = { ...newGcraBucket(rate, now), dropped: false };
    this.#buckets.set(bucket, entry);
    return entry;
  }

  /**
   * Drops those of the next few buckets that are full: a new one is the same. Is the table at its bound and none of them
   * is full, then the nearest to it goes, and its tenant gains the rest of a burst; that is better than to grow without end.
   */
  #makeRoom(now: number): void {
    if (this.#buckets.size < Math.min(SMALL, this.#maxBuckets)) return;
    let nearest: readonly [string, Entry] | undefined;
    let nearestAt = Number.POSITIVE_INFINITY;
    for (const [name, state] of this.#next()) {
      const fullAt = gcraFullAt(state);
      if (fullAt <= now) {
        this.#drop(name, state);
        continue;
      }
      this.#buckets.delete(name);
      this.#buckets.set(name, state);
      if (fullAt < nearestAt) {
        nearest = [name, state];
        nearestAt = fullAt;
      }
    }
    if (this.#buckets.size >= this.#maxBuckets && nearest !== undefined) this.#drop(...nearest);
  }

  #drop(name: string, entry: Entry): void {
    entry.dropped = true;
    this.#buckets.delete(name);
  }

  /** The first few in the map's order; whoever stays goes to its end, so all get their turn. */
  #next(): [string, Entry][] {
    const next: [string, Entry][] = [];
    for (const entry of this.#buckets) {
      if (next.length === LOOK_AT) break;
      next.push(entry);
    }
    return next;
  }
}

function takeOf(entry: Entry, rate: number, burst: number, want: number, now: number): RateGrant {
  const granted = takeGcra(entry, rate, burst, want, now);
  return { granted, retryAfterMs: granted > 0 ? 0 : gcraRetryAfterMs(entry, burst, now) };
}
