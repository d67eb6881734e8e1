import type { Refusal } from '../chain/call.ts';
import type { RateGrant, RateStore } from '../store/store.ts';
import type { RateLimit } from '../sync/snapshot.ts';
import { type RateRefusals, roundWait } from './rate-refusals.ts';

/** Units that were taken from the store and not used are void after this: what the fleet may exceed a limit by. */
export const LEASE_LIFE_MS = 100;
/** No lease takes more than this share of the burst, so that several gateways share it. */
const LEASE_SHARE = 0.25;
/** A bucket that never fills (a burst below 1) is asked again once a day. */
const MAX_BLOCK_MS = 86_400_000;

/**
 * One tenant's bucket of one limit as this gateway sees it: units leased from the store, and the time before which an empty
 * bucket need not be asked again. A store that answers at once is asked for one unit at a time, which is exact; a
 * store across the network for as many as were used lately.
 */
export class LeasedBucket {
  readonly #store: RateStore;
  readonly #refusals: RateRefusals;
  readonly #key: string;
  readonly #tenantId: string;
  #limit: RateLimit;
  /** Units in hand, and until when they are good. Monotonic milliseconds. */
  #units = 0;
  #unitsUntil = 0;
  #blockedUntil = 0;
  #refusal: Refusal | undefined = undefined;
  #pending: Promise<void> | undefined = undefined;
  /** Units wished for at once: doubled when they were used within their life, halved when they were not. */
  #want = 1;

  constructor(store: RateStore, refusals: RateRefusals, tenantId: string, limit: RateLimit) {
    this.#store = store;
    this.#refusals = refusals;
    this.#tenantId = tenantId;
    this.#limit = limit;
    this.#key = `${tenantId}/${limit.name}`;
  }

  /** Takes a changed rate or burst; what was learned under the old ones is forgotten, the store's debt is not. */
  change(limit: RateLimit): void {
    const { rate, burst } = this.#limit;
    this.#limit = limit;
    if (limit.rate === rate && limit.burst === burst) return;
    this.#units = 0;
    this.#blockedUntil = 0;
    this.#want = 1;
  }

  isBlocked(now: number): boolean {
    return now < this.#blockedUntil;
  }

  /** Nothing is lost when it is dropped and made again. */
  isIdle(now: number): boolean {
    return now >= this.#blockedUntil && this.#pending === undefined && (this.#units === 0 || now >= this.#unitsUntil);
  }

  /**
   * Takes one unit.
   * @returns undefined when there was one, a refusal when there is none, a promise when the store has to be waited for: try
   * again when it is fulfilled. Rejects or throws when the store fails.
   */
  take(now: number): Refusal | Promise<void> | undefined {
    if (now < this.#blockedUntil) return this.#refuse(now);
    if (this.#units > 0 && now < this.#unitsUntil) {
      this.#units--;
      return undefined;
    }
    if (this.#pending !== undefined) return this.#pending;
    this.#adapt(now);
    const grant = this.#store.take(this.#key, this.#limit.rate, this.#limit.burst, this.#want);
    if (grant instanceof Promise) return this.#await(grant, now);
    this.#apply(grant, now);
    if (this.#units === 0) return this.#refuse(now);
    this.#units--;
    return undefined;
  }

  /** A unit that was taken and not used is there for the next call, for as long as a lease lives. */
  putBack(now: number): void {
    if (now >= this.#unitsUntil) {
      this.#units = 0;
      this.#unitsUntil = now + LEASE_LIFE_MS;
    }
    this.#units++;
  }

  #await(grant: Promise<RateGrant>, now: number): Promise<void> {
    const limit = this.#limit;
    this.#pending = grant.then(
      (got) => {
        this.#pending = undefined;
        // Under a limit that has changed meanwhile the answer says nothing. The lease lives from before it was asked for.
        if (limit === this.#limit) this.#apply(got, now);
        this.#want = Math.max(this.#want, 2);
      },
      (error: unknown) => {
        this.#pending = undefined;
        throw error;
      },
    );
    return this.#pending;
  }

  #apply(grant: RateGrant, now: number): void {
    this.#units = grant.granted;
    this.#unitsUntil = now + LEASE_LIFE_MS;
    if (grant.granted === 0) this.#blockedUntil = now + Math.min(grant.retryAfterMs, MAX_BLOCK_MS);
  }

  /** How many units to ask for. At 1 it stays, until a store has answered with a promise. */
  #adapt(now: number): void {
    if (this.#want === 1) return;
    const most = Math.max(2, Math.min(this.#limit.rate * (LEASE_LIFE_MS / 1000), this.#limit.burst * LEASE_SHARE));
    const usedUp = this.#units === 0 && now < this.#unitsUntil;
    this.#want = Math.floor(usedUp ? Math.min(most, this.#want * 2) : Math.max(2, this.#want / 2));
  }

  /** One refusal serves a flood for as long as the time that it tells is about right. */
  #refuse(now: number): Refusal {
    const wait = roundWait(this.#blockedUntil - now);
    if (this.#refusal?.retryAfterMs !== wait)
      this.#refusal = this.#refusals.get(this.#tenantId, this.#limit.name, wait);
    return this.#refusal;
  }
}
