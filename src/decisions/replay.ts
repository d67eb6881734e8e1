import type { MethodEntry } from '../contracts/method-entry.ts';
import { type GcraBucket, newGcraBucket, takeGcra } from '../store/gcra.ts';
import type { Plan } from '../sync/snapshot.ts';
import type { Decided } from './decision-log.ts';

/** Recent calls of one tenant to one method that would be decided otherwise. */
export interface Otherwise {
  readonly path: string;
  /** All of its calls. */
  readonly calls: number;
  readonly newlyRefused: number;
  readonly newlyAdmitted: number;
  /** What would refuse, or does no longer: `limit calls`, `quota units/day`, `allowed`, `contract`: there is no such method. */
  readonly rule: string;
}

/** What decides about a tenant's calls. */
export interface Rules {
  readonly plan: Plan;
  readonly methods: ReadonlyMap<string, MethodEntry>;
}

export interface ReplayOptions {
  /** The tenant's calls, the oldest first. */
  readonly decided: readonly Decided[];
  /** Units of each quota (`metric/period`) that were used when the first of them came. */
  readonly used: ReadonlyMap<string, number>;
}

/** Calls within a second come in so many steps, evenly. */
const STEPS = 10;

/**
 * Takes the tenant's recent calls through the limits and quotas of two plans, by the policies of two sets of methods. Both by the
 * same model, so that what differs is the change's doing: calls of a second come evenly, buckets are full at the beginning.
 * Concurrency and scopes are not looked at, for how long calls took, and with which credential they came, is not known.
 */
export function replay(options: ReplayOptions, before: Rules, after: Rules): Otherwise[] {
  const old = new Model(before, options);
  const next = new Model(after, options);
  const found = new Map<string, { calls: number; refused: number; admitted: number; rule: string }>();
  for (const { path, second, admitted, refused } of options.decided) {
    if (!before.methods.has(path)) continue;
    const calls = admitted + refused;
    const [was, is] = [old.admit(path, second, calls), next.admit(path, second, calls)];
    const sum = found.get(path) ?? { calls: 0, refused: 0, admitted: 0, rule: '' };
    sum.calls += calls;
    sum.refused += Math.max(0, was.admitted - is.admitted);
    sum.admitted += Math.max(0, is.admitted - was.admitted);
    if (was.admitted !== is.admitted && sum.rule === '') sum.rule = is.admitted < was.admitted ? is.rule : was.rule;
    found.set(path, sum);
  }
  return [...found].flatMap(([path, { calls, refused, admitted, rule }]) =>
    refused + admitted === 0 ? [] : [{ path, calls, newlyRefused: refused, newlyAdmitted: admitted, rule }],
  );
}

/** Limits and quotas for one tenant, as they would fill up. */
class Model {
  readonly #plan: Plan;
  readonly #methods: ReadonlyMap<string, MethodEntry>;
  readonly #buckets = new Map<string, GcraBucket>();
  readonly #used: Map<string, number>;

  constructor({ plan, methods }: Rules, { used }: ReplayOptions) {
    this.#plan = plan;
    this.#methods = methods;
    this.#used = new Map(used);
  }

  /** @returns how many of the calls are admitted, and by which rule the last of the others is refused */
  admit(path: string, second: number, calls: number): { admitted: number; rule: string } {
    const method = this.#methods.get(path);
    if (method === undefined) return { admitted: 0, rule: 'contract' };
    if (this.#plan.allowed?.allows(method, this.#methods) === false) return { admitted: 0, rule: 'allowed' };
    const { policy } = method;
    let admitted = 0;
    let rule = '';
    for (let step = 0; step < STEPS; step++) {
      const share = Math.floor((calls * (step + 1)) / STEPS) - Math.floor((calls * step) / STEPS);
      if (share === 0) continue;
      const at = second * 1000 + (step * 1000) / STEPS;
      let left = share;
      for (const name of policy.limit === undefined ? ['calls'] : [policy.limit, 'calls']) {
        const conforming = this.#take(name, left, at);
        if (conforming < left) rule = `limit ${name}`;
        left = conforming;
      }
      const charged = this.#charge(policy.cost, left);
      if (charged.calls < left) rule = charged.rule;
      admitted += charged.calls;
    }
    return { admitted, rule };
  }

  #take(name: string, want: number, at: number): number {
    const limit = this.#plan.limits.find((each) => each.name === name);
    if (limit === undefined) return want;
    let bucket = this.#buckets.get(name);
    if (bucket === undefined) {
      bucket = newGcraBucket(limit.rate, at);
      this.#buckets.set(name, bucket);
    }
    return takeGcra(bucket, limit.rate, limit.burst, want, at);
  }

  #charge(cost: number, calls: number): { calls: number; rule: string } {
    if (cost <= 0) return { calls, rule: '' };
    let left = calls;
    let rule = '';
    const quotas = this.#plan.quotas.filter(({ metric }) => metric === 'units');
    for (const { metric, period, limit } of quotas) {
      const fits = Math.max(0, Math.floor((limit - (this.#used.get(`${metric}/${period}`) ?? 0)) / cost));
      if (fits < left) {
        left = fits;
        rule = `quota ${metric}/${period}`;
      }
    }
    for (const { metric, period } of quotas) {
      const name = `${metric}/${period}`;
      this.#used.set(name, (this.#used.get(name) ?? 0) + left * cost);
    }
    return { calls: left, rule };
  }
}
