import type { Quota } from '../sync/snapshot.ts';
import { Overdraft, type OverdraftParts } from './overdraft.ts';
import type { Period } from './period.ts';

/** Of a quota of which so much was left, when that was last told, a lease is served in advance of an answer that is late. */
const AMPLE_SHARE = 0.2;

/** What one gateway uses of a quota's counter without its store. The store is told of all of it, later. */
export class UsedAlone {
  readonly #overdraft: Overdraft;
  /** Units of this period since the store last said what is left. */
  #units = 0;

  constructor(parts: OverdraftParts, tenantId: string, metric: string) {
    this.#overdraft = new Overdraft(parts, tenantId, metric);
  }

  /** There are units that the store has not been told of. */
  get any(): boolean {
    return this.#overdraft.any;
  }

  /** Whether `cost` units more are no more than `most` in all. */
  fits(cost: number, most: number): boolean {
    return this.#units + cost <= most;
  }

  add(cost: number, period: Period): void {
    this.#units += cost;
    this.#overdraft.add(period, cost);
  }

  /** The store has said what is left, or another period has begun. */
  begin(): void {
    this.#units = 0;
  }

  /** Tells the store. Fulfilled in any case. */
  settle(): Promise<void> {
    return this.#overdraft.settle();
  }
}

/** What one of `gateways` may use while the store is silent: its part of what was left when that was last told. */
export function shareOf({ limit }: Quota, left: number | undefined, gateways: number): number {
  return Math.floor((left ?? limit) / Math.max(1, gateways));
}

/**
 * What may be used while an answer is late, but the store is not known to be silent. Perhaps it is slow, and the others go
 * on leasing: a share beside that would be more than the limit, and to refuse the first calls of everybody would be no
 * better. So one lease, where there is plenty as far as is known: if there is not, that much is above the limit, once.
 */
export function advanceOf({ limit }: Quota, left: number | undefined, lease: number): number {
  return (left ?? limit) < limit * AMPLE_SHARE ? 0 : lease;
}
