import type { QuotaLeaseRequest, RateGrant } from './store.ts';

/** A quota's counter in one period. */
export type QuotaCounter = Pick<QuotaLeaseRequest, 'tenantId' | 'metric' | 'periodStart' | 'periodEnd'>;

/** How a counter stands. */
export interface QuotaStanding {
  /** Units used or leased. */
  readonly total: number;
  /** Of these, units that other gateways hold unused, as they last said. */
  readonly leased: number;
  /** Units that an admin added to the limit in this period; below 0 when they were taken away. */
  readonly adjusted: number;
}

/** Quota counters as an admin sees them. To look spends nothing. */
export interface QuotaLedger {
  standing(counter: QuotaCounter): Promise<QuotaStanding>;
  /**
   * Adds units to what may be used in the period. Leases go on beside it: what is leased stays counted.
   * @param units whole, below 0 to take away
   * @param key names the adjustment: the same one is made once. Kept as long as the counter
   * @returns false when it was made before
   */
  adjust(counter: QuotaCounter, units: number, key: string): Promise<boolean>;
}

/** Rate limits as an admin sees them. */
export interface RateLedger {
  /** What could be taken now. Takes nothing. Parameters as in `RateStore.take`. */
  peek(bucket: string, rate: number, burst: number): Promise<Required<Omit<RateGrant, 'granted'>>>;
}
