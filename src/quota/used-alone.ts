import type { Quota } from '../sync/snapshot.ts';
import type { Debtors } from './debtors.ts';
import { type OnCounted, Overdraft, type OverdraftParts } from './overdraft.ts';
import type { Period } from './period.ts';

/** Of a quota of which so much was left, when that was last told, some is served in advance of an answer that is late. */
const AMPLE_SHARE = 0.2;
/** What all gateways together serve in advance, as a share of the limit; while the store is silent as much again each second. */
const ADVANCE_SHARE = 0.01;
const SECOND_MS = 1000;

export interface UsedAloneParts extends OverdraftParts {
  readonly debtors: Debtors;
  /** Unix milliseconds. */
  readonly now: () => number;
}

/** What one gateway uses of a quota's counter without its store. The store is told of all of it as soon as it is heard. */
export class UsedAlone {
  readonly #parts: UsedAloneParts;
  readonly #overdraft: Overdraft;
  /** When the first of what the store has not counted was used: Unix milliseconds. */
  #since = 0;

  constructor(parts: UsedAloneParts, tenantId: string, metric: string, onCounted: OnCounted) {
    this.#parts = parts;
    this.#overdraft = new Overdraft(parts, tenantId, metric, onCounted);
  }

  /** There are units that the store has not counted. */
  get any(): boolean {
    return this.#overdraft.any;
  }

  /** Since when: milliseconds. */
  get forMs(): number {
    return this.any ? this.#parts.now() - this.#since : 0;
  }

  /** Whether `cost` units more are no more than `most` that the store has not counted. */
  fits(cost: number, most: number, period: Period): boolean {
    return this.#overdraft.unitsOf(period.start) + cost <= most;
  }

  add(cost: number, period: Period): void {
    if (!this.any) {
      this.#since = this.#parts.now();
      this.#parts.debtors.add(this);
    }
    this.#overdraft.add(period, cost);
  }

  /** Tells the store. Fulfilled in any case: what could not be told is tried again. */
  settle(): Promise<void> {
    return this.#overdraft.settle();
  }
}

export interface AloneState {
  /** Units that nobody had leased, as the store last said. */
  readonly left: number | undefined;
  /** That are known to live. */
  readonly gateways: number;
  /** Of the call. */
  readonly cost: number;
  readonly silent: boolean;
  /** For how long the store has not counted what was used: milliseconds. */
  readonly forMs: number;
}

/** What one of `gateways` may use while the store is silent: its part of what was left when that was last told. */
export function shareOf({ limit }: Quota, { left = limit, gateways }: Pick<AloneState, 'left' | 'gateways'>): number {
  return Math.floor(left / Math.max(1, gateways));
}

/**
 * What may be used without having been counted. While others go on leasing, each unit of it may be one above the limit, and
 * the store may only be slow: to refuse the first calls of everybody would be no better. So it is little, 1 % of the limit for
 * all gateways together (or a call each), where there is plenty as far as is known; and while the store is silent as much again for
 * each second, up to this gateway's part of what was left. Who uses a quota in less than a hundred seconds is held up, nobody else.
 */
export function mostAlone(quota: Quota, state: AloneState): number {
  const { left = quota.limit, gateways, cost, silent, forMs } = state;
  const part = Math.max(cost, Math.floor((quota.limit * ADVANCE_SHARE) / Math.max(1, gateways)));
  if (!silent) return left < quota.limit * AMPLE_SHARE ? 0 : part;
  const seconds = Math.max(0, Math.floor(forMs / SECOND_MS));
  return Math.min(shareOf(quota, state), part * (1 + seconds));
}
