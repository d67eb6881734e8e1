import { type GcraBucket, gcraRetryAfterMs, newGcraBucket, takeGcra } from '../store/gcra.ts';
import type { RateLimit } from '../sync/snapshot.ts';

/**
 * A gateway's part of a limit while the fleet's store is silent: the limit divided by the gateways that were last known to
 * live. It starts with its part of what was last known to be left, so that no burst is given out twice.
 */
export class LocalShare {
  readonly #bucket: GcraBucket;
  readonly #rate: number;
  readonly #burst: number;
  /** Decides until then, whatever the store does. Monotonic milliseconds. */
  until: number;

  /** @param left units in the fleet's bucket, as far as is known */
  constructor(limit: RateLimit, gateways: number, left: number, now: number, until: number) {
    const parts = Math.max(1, gateways);
    this.#rate = limit.rate / parts;
    this.#burst = Math.max(1, Math.floor(limit.burst / parts));
    this.#bucket = newGcraBucket(this.#rate, now);
    // Of a full one each part is full, and never less than one.
    if (left < limit.burst) this.#bucket.taken = this.#burst - Math.min(this.#burst, Math.floor(left / parts));
    this.until = until;
  }

  take(now: number): boolean {
    return takeGcra(this.#bucket, this.#rate, this.#burst, 1, now) > 0;
  }

  /** A unit that was taken just now and is not needed. */
  putBack(): void {
    this.#bucket.taken = Math.max(0, this.#bucket.taken - 1);
  }

  retryAfterMs(now: number): number {
    return gcraRetryAfterMs(this.#bucket, this.#burst, now);
  }
}
