import {
  type Call,
  type Finding,
  noteWait,
  type Principal,
  type Refusal,
  type Stage,
  type Verdict,
} from '../chain/call.ts';
import { EndOfTurn } from '../chain/end-of-turn.ts';
import { concurrencyLimited, storeUnavailable } from '../chain/refusal.ts';
import { type TenantState, TenantStates } from '../chain/tenant-states.ts';
import { endsWithin, MAX_STORE_WAIT_MS } from '../chain/within.ts';
import type { OwnLimit } from '../contracts/method-entry.ts';
import type { RateLedger } from '../store/ledger.ts';
import type { RateStore } from '../store/store.ts';
import type { Plan } from '../sync/snapshot.ts';
import { roleOf } from '../tenants/roles.ts';
import { BucketSet } from './bucket-set.ts';
import type { BucketParts } from './leased-bucket.ts';
import { RateRefusals } from './rate-refusals.ts';

/** How often a call waits for the store before it gives up: others may take what it waited for. */
const MAX_WAITS = 8;
/** Tenants that are looked at for metrics: a look at all of a hundred thousand would hold up calls. */
const MAX_USES = 10_000;

interface LimiterState extends TenantState {
  readonly tenantId: string;
  /** Calls that run. */
  running: number;
  readonly buckets: BucketSet;
  /** That of the last call. */
  plan: Plan;
  /** The last that was told, and the limit that it names. */
  concurrencyRefusal: Refusal | undefined;
  concurrencyLimit: number;
}

/** Of a key that has limits of its own. */
interface KeyState extends TenantState {
  readonly buckets: BucketSet;
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
  readonly rates: RateStore & Partial<RateLedger>;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Tenants, and keys with limits of their own, whose state is kept; default 100,000 of each. */
  readonly maxTenants?: number | undefined;
  /** Gateways that were last known to live, this one included; default 1. */
  readonly liveGateways?: (() => number) | undefined;
  /** Where a store across the network is asked: the same for all that ask it. */
  readonly turn?: EndOfTurn | undefined;
}

/**
 * The stage that bounds how fast, and how many at once, a tenant's calls come: the plan's limit `calls`, the limit that the
 * method's policy names beside it, the same of the key where it has limits of its own, and the plan's concurrency. All must
 * conform, and a call that one of them refuses takes nothing of the others. Calls without a tenant (public methods) pass.
 */
export class RateLimiter implements Stage {
  readonly name = 'rate_limit';
  readonly #parts: BucketParts;
  readonly #now: () => number;
  readonly #tenants: TenantStates<LimiterState>;
  readonly #keys: TenantStates<KeyState>;
  /** Of methods that have a limit of their own, by its name and the tenant. */
  readonly #apart: TenantStates<KeyState>;

  constructor(options: RateLimiterOptions) {
    this.#now = options.now;
    this.#parts = {
      store: options.rates,
      refusals: new RateRefusals(),
      now: options.now,
      liveGateways: options.liveGateways ?? (() => 1),
      turn: options.turn ?? new EndOfTurn(),
    };
    const max = options.maxTenants ?? 100_000;
    this.#tenants = new TenantStates(max, ({ running, buckets }) => running === 0 && buckets.isIdle(this.#now()));
    this.#keys = new TenantStates(max, ({ buckets }) => buckets.isIdle(this.#now()));
    this.#apart = new TenantStates(max, ({ buckets }) => buckets.isIdle(this.#now()));
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
      for (const use of buckets.uses(now)) yield { tenantId: id, kind: 'rate', ...use };
      if (plan.concurrency > 0) {
        yield { tenantId: id, kind: 'concurrency', name: 'concurrency', used: running, limit: plan.concurrency };
      }
    }
  }

  /** Keys whose state is kept. */
  get keys(): number {
    return this.#keys.size;
  }

  /** Calls of a tenant that run. */
  running(tenantId: string): number {
    return this.#tenants.get(tenantId)?.running ?? 0;
  }

  admit(call: Call): Verdict {
    const { tenant, plan, principal } = call;
    if (tenant === undefined || plan === undefined) return undefined;
    const own = ownLimitOf(call);
    if (own !== undefined) return this.#admitApart(call, tenant.id, own, plan);
    const state = this.#stateOf(tenant.id, plan);
    if (plan.concurrency > 0 && state.running >= plan.concurrency) return refuseConcurrency(state, plan.concurrency);
    const key = principal?.limits === undefined ? undefined : this.#keyBuckets(principal, plan);
    const limit = call.method?.policy.limit;
    const verdict = draw(key, state.buckets, this.#now(), limit);
    if (verdict !== undefined && !(verdict instanceof Promise)) return verdict;
    count(call, state);
    return verdict && this.#wait(call, key, state.buckets, limit, verdict);
  }

  /** Concurrency is not counted: so few calls as its rate admits, and so short, need no other bound. */
  #admitApart(call: Call, tenantId: string, own: OwnLimit, plan: Plan): Verdict {
    const buckets = this.#apartBuckets(tenantId, own, plan);
    const verdict = draw(undefined, buckets, this.#now(), own.name);
    if (verdict instanceof Promise) return this.#wait(call, undefined, buckets, own.name, verdict);
    return verdict;
  }

  /** In the order in which `admit` asks. */
  async explain(call: Call): Promise<readonly Finding[]> {
    const { tenant, plan, principal } = call;
    if (tenant === undefined || plan === undefined) return [];
    const own = ownLimitOf(call);
    if (own !== undefined) return this.#apartBuckets(tenant.id, own, plan).explain(this.#now(), own.name, 'limit');
    const state = this.#stateOf(tenant.id, plan);
    const key = principal?.limits === undefined ? undefined : this.#keyBuckets(principal, plan);
    const now = this.#now();
    const limit = call.method?.policy.limit;
    const isKeyFirst = key !== undefined && !state.buckets.isBlocked(now, limit);
    const [ofTenant, ofKey] = await Promise.all([
      state.buckets.explain(now, limit, 'limit'),
      key?.explain(now, limit, 'limit of the key') ?? [],
    ]);
    return [
      ...explainConcurrency(state, plan.concurrency),
      ...(isKeyFirst ? [...ofKey, ...ofTenant] : [...ofTenant, ...ofKey]),
    ];
  }

  settle(call: Call): void {
    if (call.countedBy === undefined) return;
    call.countedBy.running--;
    call.countedBy = undefined;
  }

  /** The store answers later. The call counts as running already: many that wait must not pass the bound together. */
  async #wait(
    call: Call,
    key: BucketSet | undefined,
    tenant: BucketSet,
    limit: string | undefined,
    first: Promise<void>,
  ): Promise<Refusal | undefined> {
    const begun = this.#now();
    const until = begun + MAX_STORE_WAIT_MS;
    let verdict: Refusal | Promise<void> | undefined = first;
    try {
      // The store bounds each wait; all of them together are bounded here.
      await first;
      verdict = draw(key, tenant, this.#now(), limit);
      for (let i = 1; i < MAX_WAITS && verdict instanceof Promise; i++) {
        if (!(await endsWithin(verdict, until - this.#now()))) break;
        verdict = draw(key, tenant, this.#now(), limit);
      }
      // The time is up, silent or not: as the plan says.
      if (verdict instanceof Promise) verdict = drawAlone(key, tenant, this.#now(), limit);
    } catch {
      verdict = storeUnavailable();
    }
    noteWait(call, { name: 'store', within: this.name, startedAt: begun, endedAt: this.#now() });
    if (verdict === undefined) return undefined;
    this.settle(call);
    return verdict instanceof Promise ? storeUnavailable() : verdict;
  }

  #stateOf(tenantId: string, plan: Plan): LimiterState {
    const state = this.#tenants.get(tenantId);
    if (state === undefined) return this.#begin(tenantId, plan);
    if (state.plan !== plan) {
      state.plan = plan;
      state.buckets.change(plan.limits, plan.whenStoreSilent);
    }
    return state;
  }

  #begin(tenantId: string, plan: Plan): LimiterState {
    const state: LimiterState = {
      tenantId,
      running: 0,
      plan,
      buckets: new BucketSet(this.#parts, { tenantId, keyId: undefined }, plan.limits, plan.whenStoreSilent),
      concurrencyRefusal: undefined,
      concurrencyLimit: -1,
      recentlyUsed: true,
    };
    this.#tenants.set(tenantId, state);
    return state;
  }

  #apartBuckets(tenantId: string, own: OwnLimit, { whenStoreSilent }: Plan): BucketSet {
    const name = `${own.name}/${tenantId}`;
    const known = this.#apart.get(name);
    if (known !== undefined) return known.buckets;
    const buckets = new BucketSet(this.#parts, { tenantId, keyId: undefined }, [own], whenStoreSilent);
    this.#apart.set(name, { buckets, recentlyUsed: true });
    return buckets;
  }

  #keyBuckets({ id, tenantId, limits = [] }: Principal, { whenStoreSilent }: Plan): BucketSet {
    const known = this.#keys.get(id);
    if (known !== undefined) {
      known.buckets.change(limits, whenStoreSilent);
      return known.buckets;
    }
    const buckets = new BucketSet(this.#parts, { tenantId, keyId: id }, limits, whenStoreSilent);
    this.#keys.set(id, { buckets, recentlyUsed: true });
    return buckets;
  }
}

/** Who administers asks about many tenants, by the limits of his own. */
function ownLimitOf({ method, principal }: Call): OwnLimit | undefined {
  const own = method?.policy.ownLimit;
  if (own === undefined || (principal !== undefined && roleOf(principal.scopes) !== undefined)) return undefined;
  return own;
}

/** Takes a unit of each limit that applies, of the key and of the tenant, or of none. */
function draw(
  key: BucketSet | undefined,
  tenant: BucketSet,
  now: number,
  limit: string | undefined,
): Refusal | Promise<void> | undefined {
  // The one that is known to be empty refuses before the other is drawn on.
  if (key === undefined || tenant.isBlocked(now, limit)) return tenant.take(now, limit);
  const first = key.take(now, limit);
  if (first !== undefined) return first;
  const second = tenant.take(now, limit);
  if (second !== undefined) key.putBack(now, limit);
  return second;
}

/** Decides without the store. */
function drawAlone(
  key: BucketSet | undefined,
  tenant: BucketSet,
  now: number,
  limit: string | undefined,
): Refusal | undefined {
  const first = key?.takeAlone(now, limit);
  if (first !== undefined) return first;
  const second = tenant.takeAlone(now, limit);
  if (second !== undefined) key?.putBack(now, limit);
  return second;
}

function count(call: Call, state: LimiterState): void {
  state.running++;
  call.countedBy = state;
}

function explainConcurrency(state: LimiterState, limit: number): Finding[] {
  if (limit === 0) return [];
  const detail = `${state.running} of ${limit} calls run`;
  const refusal = state.running >= limit ? refuseConcurrency(state, limit) : undefined;
  return [{ rule: 'concurrency', detail, refusal }];
}

function refuseConcurrency(state: LimiterState, limit: number): Refusal {
  if (state.concurrencyRefusal !== undefined && state.concurrencyLimit === limit) return state.concurrencyRefusal;
  state.concurrencyLimit = limit;
  state.concurrencyRefusal = concurrencyLimited({ limit, tenantId: state.tenantId });
  return state.concurrencyRefusal;
}
