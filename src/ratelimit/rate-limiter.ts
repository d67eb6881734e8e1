import type { Call, Refusal, Stage, Verdict } from '../chain/call.ts';
import { EndOfTurn } from '../chain/end-of-turn.ts';
import { concurrencyLimited, storeUnavailable } from '../chain/refusal.ts';
import { type TenantState, TenantStates } from '../chain/tenant-states.ts';
import { endsWithin, MAX_STORE_WAIT_MS } from '../chain/within.ts';
import type { RateStore } from '../store/store.ts';
import type { Plan } from '../sync/snapshot.ts';
import { type BucketParts, LeasedBucket } from './leased-bucket.ts';
import { RateRefusals } from './rate-refusals.ts';

/** The limit that every call draws on. */
const CALLS = 'calls';
/** How often a call waits for the store before it gives up: others may take what it waited for. */
const MAX_WAITS = 8;
/** Tenants that are looked at for metrics: a look at all of a hundred thousand would hold up calls. */
const MAX_USES = 10_000;

interface LimiterState extends TenantState {
  readonly tenantId: string;
  /** The plan that the buckets were made from. */
  plan: Plan;
  /** Calls that run. */
  running: number;
  /** Of the limit `calls`. */
  calls: LeasedBucket | undefined;
  /** All of the plan's limits by name; made when first drawn on. */
  readonly buckets: Map<string, LeasedBucket>;
  concurrencyRefusal: Refusal | undefined;
}

/** How far a tenant has used a limit: of its burst, or of the calls at once. */
export interface RateUse {
  readonly tenantId: string;
  readonly kind: 'rate' | 'concurrency';
  readonly name: string;
  readonly used: number;
  readonly limit: number;
}

export interface RateLimiterOptions {
  readonly rates: RateStore;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Tenants whose state is kept; default 100,000. */
  readonly maxTenants?: number | undefined;
  /** Gateways that were last known to live, this one included; default 1. */
  readonly liveGateways?: (() => number) | undefined;
  /** Where a store across the network is asked: the same for all that ask it. */
  readonly turn?: EndOfTurn | undefined;
}

/**
 * The stage that bounds how fast, and how many at once, a tenant's calls come: the plan's limit `calls`, the limit that the
 * method's policy names beside it, and the plan's concurrency. All must conform, and a call that one of them refuses
 * takes nothing of the others. Calls without a tenant (public methods) pass.
 */
export class RateLimiter implements Stage {
  readonly name = 'rate_limit';
  readonly #parts: BucketParts;
  readonly #now: () => number;
  readonly #tenants: TenantStates<LimiterState>;

  constructor(options: RateLimiterOptions) {
    this.#now = options.now;
    this.#parts = {
      store: options.rates,
      refusals: new RateRefusals(),
      now: options.now,
      liveGateways: options.liveGateways ?? (() => 1),
      turn: options.turn ?? new EndOfTurn(),
    };
    this.#tenants = new TenantStates(options.maxTenants ?? 100_000, (state) => this.#isIdle(state));
  }

  /** Tenants whose state is kept. */
  get size(): number {
    return this.#tenants.size;
  }

  /**
   * How far tenants have used their limits, those that were drawn on lately, in no order. For metrics.
   * @param tenantId of this one only
   */
  *uses(tenantId?: string): Generator<RateUse> {
    const own = tenantId === undefined ? undefined : this.#tenants.peek(tenantId);
    const now = this.#now();
    let looks = 0;
    for (const { tenantId: id, plan, running, buckets } of tenantId === undefined
      ? this.#tenants.values()
      : own
        ? [own]
        : []) {
      if (++looks > MAX_USES) return;
      for (const bucket of buckets.values()) yield { tenantId: id, kind: 'rate', ...bucket.use(now) };
      if (plan.concurrency > 0) {
        yield { tenantId: id, kind: 'concurrency', name: 'concurrency', used: running, limit: plan.concurrency };
      }
    }
  }

  /** Calls of a tenant that run. */
  running(tenantId: string): number {
    return this.#tenants.get(tenantId)?.running ?? 0;
  }

  admit(call: Call): Verdict {
    const { tenant, plan } = call;
    if (tenant === undefined || plan === undefined) return undefined;
    let state = this.#tenants.get(tenant.id);
    if (state === undefined) state = this.#begin(tenant.id, plan);
    else if (state.plan !== plan) this.#changePlan(state, plan);
    if (plan.concurrency > 0 && state.running >= plan.concurrency) return refuseConcurrency(state, plan.concurrency);
    const verdict = this.#draw(state, call.method?.policy.limit);
    if (verdict instanceof Promise) return this.#wait(call, state, verdict);
    if (verdict === undefined) count(call, state);
    return verdict;
  }

  settle(call: Call): void {
    if (!call.countsConcurrency || call.tenant === undefined) return;
    call.countsConcurrency = false;
    const state = this.#tenants.get(call.tenant.id);
    if (state !== undefined && state.running > 0) state.running--;
  }

  /** Takes a unit of each limit that applies, or of none. */
  #draw(state: LimiterState, limitName: string | undefined): Refusal | Promise<void> | undefined {
    const now = this.#now();
    const { calls } = state;
    const named = limitName === undefined || limitName === CALLS ? undefined : this.#bucket(state, limitName);
    try {
      if (named === undefined) return calls?.take(now);
      // The one that is known to be empty refuses before the other is drawn on.
      if (calls?.isBlocked(now)) return calls.take(now);
      const first = named.take(now);
      if (first !== undefined || calls === undefined) return first;
      const second = this.#takeSecond(calls, named, now);
      if (second !== undefined) named.putBack(now);
      return second;
    } catch {
      return storeUnavailable();
    }
  }

  #takeSecond(calls: LeasedBucket, named: LeasedBucket, now: number): Refusal | Promise<void> | undefined {
    try {
      return calls.take(now);
    } catch (error) {
      named.putBack(now);
      throw error;
    }
  }

  /** The store answers later. The call counts as running meanwhile: many that wait must not pass the bound together. */
  async #wait(call: Call, state: LimiterState, first: Promise<void>): Promise<Refusal | undefined> {
    count(call, state);
    const limit = call.method?.policy.limit;
    const until = this.#now() + MAX_STORE_WAIT_MS;
    let verdict: Refusal | Promise<void> | undefined = first;
    try {
      // The store bounds each wait; all of them together are bounded here.
      await first;
      verdict = this.#draw(state, limit);
      for (let i = 1; i < MAX_WAITS && verdict instanceof Promise; i++) {
        if (!(await endsWithin(verdict, until - this.#now()))) break;
        verdict = this.#draw(state, limit);
      }
      // The time is up, silent or not: as the plan says.
      if (verdict instanceof Promise) verdict = this.#drawAlone(state, limit);
    } catch {
      verdict = storeUnavailable();
    }
    if (verdict === undefined) return undefined;
    this.settle(call);
    return verdict instanceof Promise ? storeUnavailable() : verdict;
  }

  /** Decides without the store. */
  #drawAlone(state: LimiterState, limitName: string | undefined): Refusal | undefined {
    const now = this.#now();
    const named = limitName === undefined || limitName === CALLS ? undefined : this.#bucket(state, limitName);
    return named?.takeAlone(now) ?? state.calls?.takeAlone(now);
  }

  #begin(tenantId: string, plan: Plan): LimiterState {
    const state: LimiterState = {
      tenantId,
      plan,
      running: 0,
      calls: undefined,
      buckets: new Map(),
      concurrencyRefusal: undefined,
      recentlyUsed: true,
    };
    state.calls = this.#bucket(state, CALLS);
    this.#tenants.set(tenantId, state);
    return state;
  }

  #changePlan(state: LimiterState, plan: Plan): void {
    state.plan = plan;
    state.concurrencyRefusal = undefined;
    for (const [name, bucket] of state.buckets) {
      const limit = plan.limits.find((each) => each.name === name);
      if (limit === undefined) state.buckets.delete(name);
      else bucket.change(limit, plan.whenStoreSilent);
    }
    state.calls = this.#bucket(state, CALLS);
  }

  /** The bucket of a limit of the state's plan; undefined when the plan has none of this name. */
  #bucket(state: LimiterState, name: string): LeasedBucket | undefined {
    const known = state.buckets.get(name);
    if (known !== undefined) return known;
    const limit = state.plan.limits.find((each) => each.name === name);
    if (limit === undefined) return undefined;
    const bucket = new LeasedBucket(this.#parts, state.tenantId, limit, state.plan.whenStoreSilent);
    state.buckets.set(name, bucket);
    return bucket;
  }

  #isIdle(state: LimiterState): boolean {
    if (state.running > 0) return false;
    const now = this.#now();
    for (const bucket of state.buckets.values()) if (!bucket.isIdle(now)) return false;
    return true;
  }
}

function count(call: Call, state: LimiterState): void {
  state.running++;
  call.countsConcurrency = true;
}

function refuseConcurrency(state: LimiterState, limit: number): Refusal {
  state.concurrencyRefusal ??= concurrencyLimited({ limit, tenantId: state.tenantId });
  return state.concurrencyRefusal;
}
