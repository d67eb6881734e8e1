import {
  type Call,
  type Finding,
  noteWait,
  type Outcome,
  type Refusal,
  type Stage,
  type Verdict,
} from '../chain/call.ts';
import { EndOfTurn } from '../chain/end-of-turn.ts';
import { storeUnavailable } from '../chain/refusal.ts';
import { type TenantState, TenantStates } from '../chain/tenant-states.ts';
import { endsWithin, MAX_STORE_WAIT_MS } from '../chain/within.ts';
import type { QuotaLedger } from '../store/ledger.ts';
import type { QuotaStore } from '../store/store.ts';
import type { Plan, Quota } from '../sync/snapshot.ts';
import { Debtors } from './debtors.ts';
import { counterOf, Meter, type MeterParts } from './meter.ts';
import { Periods } from './period.ts';

/** The metric that every call is charged to, with its method's cost. */
const UNITS = 'units';
/** How often a call waits for the store before it gives up: others may take what it waited for. */
const MAX_WAITS = 8;
/** Tenants that are looked at for metrics: a look at all of a hundred thousand would hold up calls. */
const MAX_USES = 10_000;

/** A quota of the tenant's plan with its meter. */
interface Metered {
  readonly quota: Quota;
  readonly meter: Meter;
}

interface TrackerState extends TenantState {
  readonly tenantId: string;
  /** The plan that the meters were made from. */
  plan: Plan;
  metered: readonly Metered[];
}

/** How far a tenant has used a quota: `units/day`. */
export interface QuotaUse {
  readonly tenantId: string;
  readonly kind: 'quota';
  readonly name: string;
  readonly used: number;
  readonly limit: number;
}

export interface QuotaTrackerOptions {
  readonly quotas: QuotaStore & Partial<QuotaLedger>;
  /** Unix milliseconds: periods follow the calendar, in a fleet that of its store. */
  readonly now: () => number;
  /** Monotonic milliseconds; default `performance.now()`. */
  readonly monotonic?: (() => number) | undefined;
  /** Tenants whose leases are kept; default 100,000. */
  readonly maxTenants?: number | undefined;
  /** The store failed where nobody waits for it: a lease was not given back. */
  readonly onError?: ((error: unknown) => void) | undefined;
  /** Gateways that were last known to live, this one included; default 1. */
  readonly liveGateways?: (() => number) | undefined;
  /** Where a store across the network is asked: the same for all that ask it. */
  readonly turn?: EndOfTurn | undefined;
}

/**
 * The stage that charges calls to their tenant's quotas: the units of a call (the cost in its method's policy) are reserved
 * before the call is made, and settled at its end.
 *
 * What is refunded: all units of a call that did not reach a backend, because a later stage refused it, the breaker was
 * open, no connection could be made, or the client went away before. What is kept: all units of a call that reached a
 * backend, however it ended, for the backend may have done the work. A call that costs 0 is never looked at.
 *
 * Never are more units used than the limit: they are taken from the store's counter, in leases, before they are used. A
 * crash burns what is leased and not used, at most 1 % of the limit (or one call's cost, if that is more) per tenant and
 * quota; `drain` gives it back.
 */
export class QuotaTracker implements Stage {
  readonly name = 'quota';
  readonly #now: () => number;
  readonly #monotonic: () => number;
  readonly #periods = new Periods();
  readonly #parts: MeterParts;
  readonly #tenants: TenantStates<TrackerState>;
  /** Leases on their way back to the store. */
  readonly #closing = new Set<Promise<void>>();

  constructor(options: QuotaTrackerOptions) {
    this.#now = options.now;
    this.#monotonic = options.monotonic ?? (() => performance.now());
    let settlements = 0;
    this.#parts = {
      store: options.quotas,
      debtors: new Debtors(options.quotas),
      onError: options.onError ?? (() => {}),
      nextSettlement: () => ++settlements,
      liveGateways: options.liveGateways ?? (() => 1),
      now: options.now,
      turn: options.turn ?? new EndOfTurn(),
    };
    this.#tenants = new TenantStates(
      options.maxTenants ?? 100_000,
      (state) => state.metered.every(({ meter }) => meter.pending === undefined),
      (state) => this.#closeAll(state.metered),
    );
  }

  /** Tenants whose leases are kept. */
  get size(): number {
    return this.#tenants.size;
  }

  /**
   * How far tenants have used their quotas, those that were drawn on lately, in no order. For metrics.
   * @param tenantId of this one only
   */
  *uses(tenantId?: string): Generator<QuotaUse> {
    const own = tenantId === undefined ? undefined : this.#tenants.peek(tenantId);
    let looks = 0;
    for (const { tenantId: id, metered } of tenantId === undefined ? this.#tenants.values() : own ? [own] : []) {
      if (++looks > MAX_USES) return;
      for (const { meter } of metered) yield { tenantId: id, kind: 'quota', ...meter.use };
    }
  }

  /** Units that a tenant holds leased and has not used. @param counter of one quota (`counterOf`); of all when absent */
  leased(tenantId: string, counter?: string): number {
    let units = 0;
    for (const { quota, meter } of this.#tenants.get(tenantId)?.metered ?? []) {
      if (counter === undefined || counter === counterOf(quota)) units += meter.units;
    }
    return units;
  }

  /** A tenant's quotas have other units than was known: they are asked for anew. */
  recheck(tenantId: string): void {
    for (const { meter } of this.#tenants.get(tenantId)?.metered ?? []) meter.recheck();
  }

  admit(call: Call): Verdict {
    const cost = call.method?.policy.cost ?? 0;
    const { tenant, plan } = call;
    if (cost <= 0 || tenant === undefined || plan === undefined || plan.quotas.length === 0) return undefined;
    const state = this.#state(tenant.id, plan);
    if (state.metered.length === 0) return undefined;
    const verdict = this.#reserve(state, cost);
    if (verdict instanceof Promise) return this.#wait(call, state, cost, verdict);
    if (verdict === undefined) call.reservedUnits = cost;
    return verdict;
  }

  prepare(call: Call): void {
    const cost = call.method?.policy.cost ?? 0;
    const { tenant, plan } = call;
    if (this.#parts.store.remote !== true || cost <= 0 || tenant === undefined || plan === undefined) return;
    const now = this.#now();
    for (const { quota, meter } of this.#state(tenant.id, plan).metered) {
      meter.prepare(cost, this.#periods.at(quota, now), now);
    }
  }

  async explain(call: Call): Promise<readonly Finding[]> {
    const cost = call.method?.policy.cost ?? 0;
    const { tenant, plan } = call;
    if (cost <= 0 || tenant === undefined || plan === undefined || plan.quotas.length === 0) return [];
    const now = this.#now();
    const { metered } = this.#state(tenant.id, plan);
    return Promise.all(
      metered.map(async ({ quota, meter }) => ({
        rule: `quota ${counterOf(quota)}`,
        detail: `costs ${cost} of ${quota.limit} units`,
        refusal: await meter
          .peek(cost, this.#periods.at(quota, now), now, plan.whenStoreSilent)
          .catch(storeUnavailable),
      })),
    );
  }

  settle(call: Call, outcome: Outcome): void {
    const units = call.reservedUnits;
    call.reservedUnits = 0;
    const { tenant, plan } = call;
    if (units === 0 || outcome.reachedBackend || tenant === undefined || plan === undefined) return;
    const begunAt = this.#now() - outcome.durationMs;
    const known = this.#tenants.get(tenant.id);
    const { metered } = known ?? this.#state(tenant.id, plan);
    for (const { quota, meter } of metered) {
      // Only what was charged: the tenant may have got another plan, with other quotas, since.
      if (plan.quotas.some((each) => isSameQuota(each, quota))) meter.refund(units, begunAt);
    }
  }

  /**
   * Gives all leases back, for a graceful stop. Fulfilled in any case; units that could not be given back went to `onError`.
   * What calls that still run do not use goes back when they end, without being waited for.
   */
  async drain(): Promise<void> {
    for (const state of this.#tenants.values()) this.#closeAll(state.metered);
    while (this.#closing.size > 0) await Promise.all(this.#closing);
    const untold = await this.#parts.debtors.close();
    if (untold > 0)
      this.#parts.onError(new Error(`what was used of ${untold} quotas without the store is not counted`));
  }

  /** Takes the units from every quota, or from none. @param alone without asking the store */
  #reserve(state: TrackerState, cost: number, alone = false): Refusal | Promise<void> | undefined {
    const now = this.#now();
    const { metered } = state;
    const { whenStoreSilent } = state.plan;
    let reserved = 0;
    let verdict: Refusal | Promise<void> | undefined;
    try {
      for (; reserved < metered.length && verdict === undefined; reserved++) {
        const { quota, meter } = metered[reserved]!;
        const period = this.#periods.at(quota, now);
        verdict = alone
          ? meter.reserveAlone(cost, period, whenStoreSilent)
          : meter.reserve(cost, period, now, whenStoreSilent);
      }
      if (verdict === undefined) return undefined;
      reserved--;
    } catch {
      verdict = storeUnavailable();
    }
    for (let i = 0; i < reserved; i++) metered[i]!.meter.refund(cost, now);
    return verdict;
  }

  async #wait(call: Call, state: TrackerState, cost: number, first: Promise<void>): Promise<Refusal | undefined> {
    const begun = this.#monotonic();
    const until = begun + MAX_STORE_WAIT_MS;
    let verdict: Refusal | Promise<void> | undefined = first;
    try {
      // The store bounds each wait; all of them together are bounded here.
      await first;
      verdict = this.#reserve(state, cost);
      for (let i = 1; i < MAX_WAITS && verdict instanceof Promise; i++) {
        if (!(await endsWithin(verdict, until - this.#monotonic()))) break;
        verdict = this.#reserve(state, cost);
      }
      // The time is up, silent or not: as the plan says.
      if (verdict instanceof Promise) verdict = this.#reserve(state, cost, true);
    } catch {
      verdict = storeUnavailable();
    }
    noteWait(call, { name: 'store', within: this.name, startedAt: begun, endedAt: this.#monotonic() });
    if (verdict === undefined) call.reservedUnits = cost;
    return verdict instanceof Promise ? storeUnavailable() : verdict;
  }

  #state(tenantId: string, plan: Plan): TrackerState {
    let state = this.#tenants.get(tenantId);
    if (state === undefined) {
      state = { tenantId, plan, metered: this.#meters(tenantId, plan, []), recentlyUsed: true };
      this.#tenants.set(tenantId, state);
    } else if (state.plan !== plan) {
      const before = state.metered;
      state.plan = plan;
      state.metered = this.#meters(tenantId, plan, before);
      const kept = new Set(state.metered.map(({ meter }) => meter));
      this.#closeAll(before.filter(({ meter }) => !kept.has(meter)));
    }
    return state;
  }

  /** A meter for each quota of a plan; those of quotas that the plan before had too go on, perhaps with another limit. */
  #meters(tenantId: string, plan: Plan, before: readonly Metered[]): Metered[] {
    const metered: Metered[] = [];
    for (const quota of plan.quotas) {
      // Two quotas with one counter would charge it twice: the first counts.
      if (quota.metric !== UNITS || metered.some((each) => each.quota.period === quota.period)) continue;
      const known = before.find((each) => isSameQuota(each.quota, quota))?.meter;
      known?.change(quota);
      const meter = known ?? new Meter(this.#parts, tenantId, quota, this.#periods.at(quota, this.#now()));
      metered.push({ quota, meter });
    }
    return metered;
  }

  #closeAll(metered: readonly Metered[]): void {
    for (const { meter } of metered) {
      const closing: Promise<void> = meter.close().finally(() => this.#closing.delete(closing));
      this.#closing.add(closing);
    }
  }
}

/** Whether two quotas count the same: they may differ in their limit. */
function isSameQuota(a: Quota, b: Quota): boolean {
  return a.metric === b.metric && a.period === b.period && a.timeZone === b.timeZone && a.anchor === b.anchor;
}
