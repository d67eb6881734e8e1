import type { QuotaGrant, QuotaLeaseRequest, QuotaStore } from '../../src/store/store.ts';

type Counter = Pick<QuotaLeaseRequest, 'tenantId' | 'metric' | 'periodStart'>;

/** Counters in memory that answer at once, or later, or fail, and that note what they were asked. */
export class FakeQuotas implements QuotaStore {
  readonly counters = new Map<string, number>();
  readonly requests: QuotaLeaseRequest[] = [];
  later = false;
  broken = false;
  silent = false;

  lease(request: QuotaLeaseRequest): number | Promise<QuotaGrant> {
    this.requests.push(request);
    if (this.broken) {
      if (this.later) return Promise.reject(new Error('no store'));
      throw new Error('no store');
    }
    const key = keyOf(request);
    const used = this.counters.get(key) ?? 0;
    const granted = Math.min(request.want, request.limit - used);
    const units = granted < request.least || granted <= 0 ? 0 : granted;
    this.counters.set(key, used + units);
    const left = Math.max(0, request.limit - used - units);
    return this.later ? Promise.resolve({ granted: units, left, adjusted: 0, otherPeriod: false }) : units;
  }

  giveBack(counter: Counter, units: number): void | Promise<void> {
    if (this.broken) throw new Error('no store');
    const key = keyOf(counter);
    this.counters.set(key, Math.max(0, (this.counters.get(key) ?? 0) - units));
    return this.later ? Promise.resolve() : undefined;
  }

  async settle(counter: Counter, units: number) {
    if (this.silent) throw new Error('no store');
    const total = (this.counters.get(keyOf(counter)) ?? 0) + units;
    this.counters.set(keyOf(counter), total);
    return { total, adjusted: 0 };
  }

  async used(counter: Counter): Promise<number> {
    return this.counters.get(keyOf(counter)) ?? 0;
  }

  /** Units used or leased in all periods. */
  total(): number {
    return [...this.counters.values()].reduce((sum, units) => sum + units, 0);
  }
}

function keyOf({ tenantId, metric, periodStart }: Counter): string {
  return `${tenantId} ${metric} ${periodStart}`;
}
