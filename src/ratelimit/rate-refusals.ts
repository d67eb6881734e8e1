import type { Refusal } from '../chain/call.ts';
import { rateLimited } from '../chain/refusal.ts';
import { type BucketOwner, bucketName } from './bucket-owner.ts';

const MAX_KEPT = 4096;

/**
 * Refusals of rate limits, kept to be told again: to build one and encode its details takes 25 us, and a tenant that floods
 * its limit would have one built for every millisecond of waiting. Bounded; the oldest goes first.
 */
export class RateRefusals {
  readonly #kept = new Map<string, Refusal>();

  /** @param retryAfterMs as given by `roundWait` */
  get(owner: BucketOwner, limit: string, retryAfterMs: number): Refusal {
    const key = `${bucketName(owner, limit)}/${retryAfterMs}`;
    const known = this.#kept.get(key);
    if (known !== undefined) return known;
    const refusal = rateLimited({ limit, retryAfterMs, ...owner });
    if (this.#kept.size >= MAX_KEPT) {
      for (const oldest of this.#kept.keys()) {
        this.#kept.delete(oldest);
        break;
      }
    }
    this.#kept.set(key, refusal);
    return refusal;
  }
}

/** Rounds a time to wait up to whole milliseconds with three significant bits: at most a quarter too long, never too short. */
export function roundWait(ms: number): number {
  const whole = Math.max(1, Math.ceil(ms));
  const step = 2 ** (Math.floor(Math.log2(whole)) - 2);
  return step <= 1 ? whole : Math.ceil(whole / step) * step;
}
