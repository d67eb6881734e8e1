import { Quota_Period } from '../../../generated/tollgate/admin/v1/plan.ts';
import type { LimitUsage, QuotaUsage, Usage } from '../../../generated/tollgate/admin/v1/usage.ts';
import { toDuration } from '../../metrics/series-report.ts';
import { counterOf } from '../../quota/meter.ts';
import { Periods } from '../../quota/period.ts';
import type { QuotaCounter, QuotaLedger, QuotaStanding, RateLedger } from '../../store/ledger.ts';
import { effectivePlan } from '../../sync/effective-plan.ts';
import type { Plan, Quota, RateLimit, Snapshot } from '../../sync/snapshot.ts';
import { InvalidArgument, NotFound } from '../../tenants/errors.ts';

export interface UsageSource {
  readonly sync: { readonly current: Snapshot };
  readonly quotas: QuotaLedger;
  readonly rates: RateLedger;
  /** Unix milliseconds, by which quotas begin anew. */
  readonly calendar: () => number;
  /** Of the gateway that answers: calls of a tenant that run, and units of a counter that it holds. */
  readonly running: (tenantId: string) => number;
  readonly leased: (tenantId: string, counter: string) => number;
  /** Calls of a tenant that run, on all gateways but for those that were silent. */
  readonly runningInFleet: (tenantId: string) => Promise<{ readonly running: number; readonly silent: number }>;
  /** A quota of the tenant has changed: what is known of an empty one is void. */
  readonly recheck: (tenantId: string) => void;
}

/** A quota of a tenant's plan, and the counter that it has now. */
export interface CountedQuota {
  readonly quota: Quota;
  readonly counter: QuotaCounter;
}

/** Tells what tenants use; spends nothing. */
export class TenantUsage {
  readonly #source: UsageSource;
  readonly #periods = new Periods();

  constructor(source: UsageSource) {
    this.#source = source;
  }

  /** @param ofFleet other gateways are asked, too. @throws NotFound, and what the store throws */
  async get(tenantId: string, ofFleet = false): Promise<Usage> {
    const plan = this.#planOf(tenantId);
    const [fleet, limits, quotas] = await Promise.all([
      ofFleet ? this.#source.runningInFleet(tenantId) : undefined,
      Promise.all(plan.limits.map((limit) => this.#limit(tenantId, limit))),
      Promise.all(plan.quotas.map((quota) => this.standing(this.#counted(tenantId, quota)))),
    ]);
    const concurrency = {
      limit: plan.concurrency,
      running: this.#source.running(tenantId),
      fleetRunning: fleet?.running,
      silentGateways: fleet?.silent ?? 0,
    };
    return { tenantId, plan: plan.id, limits, quotas, concurrency };
  }

  /**
   * The quota that is meant.
   * @param metric empty is `units`; @param period may be unspecified when the plan has one quota of the metric
   * @throws NotFound, InvalidArgument
   */
  find(tenantId: string, metric: string, period: Quota_Period): CountedQuota {
    const name = metric || 'units';
    const plan = this.#planOf(tenantId);
    const ofMetric = plan.quotas.filter((quota) => quota.metric === name);
    const found = ofMetric.filter((quota) => period === Quota_Period.PERIOD_UNSPECIFIED || toPeriod(quota) === period);
    const [quota] = found;
    if (quota === undefined) {
      throw new InvalidArgument('metric', `the plan "${plan.id}" has no such quota of "${name}": see its quotas`);
    }
    if (found.length > 1) {
      throw new InvalidArgument('period', `the plan "${plan.id}" has several quotas of "${name}": say which is meant`);
    }
    return this.#counted(tenantId, quota);
  }

  /** @param added units that an adjustment would add */
  async standing({ quota, counter }: CountedQuota, added = 0): Promise<QuotaUsage> {
    const standing = await this.#source.quotas.standing(counter);
    const held = this.#source.leased(counter.tenantId, counter.metric);
    return toQuotaUsage(quota, counter, { ...standing, adjusted: standing.adjusted + added }, held);
  }

  /** @throws InvalidArgument when the sum would be no number that can be counted with, and what the store throws */
  async adjust({ counter }: CountedQuota, units: number, key: string): Promise<void> {
    const { adjusted } = await this.#source.quotas.standing(counter);
    if (!Number.isSafeInteger(adjusted + units)) {
      throw new InvalidArgument('units', `with the ${adjusted} of before that is more than can be counted`);
    }
    await this.#source.quotas.adjust(counter, units, key);
    this.#source.recheck(counter.tenantId);
  }

  async #limit(tenantId: string, { name, rate, burst }: RateLimit): Promise<LimitUsage> {
    const { left, retryAfterMs } = await this.#source.rates.peek(`${tenantId}/${name}`, rate, burst);
    const wait = Number.isFinite(retryAfterMs) && retryAfterMs > 0 ? toDuration(retryAfterMs) : undefined;
    return { name, rate, burst, available: Math.max(0, left ?? 0), retryAfter: wait };
  }

  #counted(tenantId: string, quota: Quota): CountedQuota {
    const { start, end } = this.#periods.at(quota, this.#source.calendar());
    return { quota, counter: { tenantId, metric: counterOf(quota), periodStart: start, periodEnd: end } };
  }

  #planOf(tenantId: string): Plan {
    const { current } = this.#source.sync;
    const tenant = current.tenants.get(tenantId);
    const plan = tenant && effectivePlan(current, tenant);
    if (plan === undefined) throw new NotFound('tenant', tenantId);
    return plan;
  }
}

/** @param held by this gateway */
function toQuotaUsage(quota: Quota, counter: QuotaCounter, standing: QuotaStanding, held: number): QuotaUsage {
  const { total, adjusted } = standing;
  const leased = Math.min(total, standing.leased + held);
  const used = total - leased;
  return {
    metric: quota.metric,
    period: toPeriod(quota),
    limit: quota.limit,
    adjusted,
    used,
    leased,
    remaining: Math.max(0, quota.limit + adjusted - used),
    startTime: new Date(counter.periodStart),
    resetTime: new Date(counter.periodEnd),
  };
}

function toPeriod({ period }: Quota): Quota_Period {
  return period === 'day' ? Quota_Period.PERIOD_DAY : Quota_Period.PERIOD_MONTH;
}
