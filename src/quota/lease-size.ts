/** No lease takes more than this share of the limit: what kill -9 may burn. */
const LEASE_SHARE = 0.01;
/** Units of the first lease, twice. One by one the first calls of each tenant would cost a transaction (14 us) each. */
const FIRST_LEASE = 128;
/** A lease that lasts less is followed by one of twice its size, one that lasts twice as long by half. */
const LEASE_LASTS_MS = 1000;

/** The most units that are held at once. */
export function mostUnits(limit: number, cost: number): number {
  return Math.max(Math.floor(limit * LEASE_SHARE), cost);
}

/** The size of leases, by how long the last ones lasted. */
export class LeaseSize {
  #units = FIRST_LEASE;
  #leasedAt = 0;

  /** The units of the next lease. @param now milliseconds @param cost the least @param most the most */
  next(now: number, cost: number, most: number): number {
    const lasted = now - this.#leasedAt;
    if (lasted < LEASE_LASTS_MS) this.#units *= 2;
    else if (lasted > 2 * LEASE_LASTS_MS) this.#units = Math.floor(this.#units / 2);
    this.#leasedAt = now;
    this.#units = Math.max(cost, Math.min(this.#units, most));
    return this.#units;
  }

  /** As of the last lease. */
  get units(): number {
    return this.#units;
  }
}
