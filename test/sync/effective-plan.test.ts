import { describe, expect, it } from 'vitest';
import { toAllowList } from '../../src/sync/allow-list.ts';
import { effectivePlan } from '../../src/sync/effective-plan.ts';
import { type Plan, type PlanOverrides, Priority, type Quota, type Tenant } from '../../src/sync/snapshot.ts';
import { fakePlan, fakeTenant } from '../chain/fake-call.ts';

const NOTHING: PlanOverrides = { limits: [], quotas: [], concurrency: undefined, priority: undefined };
const quota = (metric: string, limit: number, period: Quota['period'] = 'day'): Quota => ({
  metric,
  limit,
  period,
  timeZone: 'UTC',
  anchor: 0,
});
const PLAN = fakePlan({
  limits: [
    { name: 'calls', rate: 5, burst: 5 },
    { name: 'search', rate: 1, burst: 1 },
  ],
  quotas: [quota('units', 10), quota('units', 100, 'month'), quota('bytes', 7)],
  concurrency: 3,
  priority: Priority.LOW,
  allowed: toAllowList(['books']),
});
const of = (plan: Plan) => ({ plans: new Map([[plan.id, plan]]) });
const tenant = (overrides: Partial<PlanOverrides>): Tenant => ({
  ...fakeTenant('demo'),
  overrides: { ...NOTHING, ...overrides },
});

describe('the plan that holds for a tenant', () => {
  it('is the object of its plan where it has no overrides: all such tenants share it', () => {
    expect(effectivePlan(of(PLAN), fakeTenant('one'))).toBe(PLAN);
    expect(effectivePlan(of(PLAN), fakeTenant('two'))).toBe(PLAN);
  });

  it('has the limits of the tenant in place of those of their name, and quotas in place of all of their metric', () => {
    const search = { name: 'search', rate: 9, burst: 9 };
    const more = { name: 'export', rate: 2, burst: 2 };
    const effective = effectivePlan(of(PLAN), tenant({ limits: [search, more], quotas: [quota('units', 1)] }));
    expect(effective).toEqual({
      ...PLAN,
      limits: [PLAN.limits[0], search, more],
      quotas: [quota('bytes', 7), quota('units', 1)],
    });
  });

  it('takes 0 for a concurrency that is said: no limit', () => {
    expect(effectivePlan(of(PLAN), tenant({ concurrency: 0 }))?.concurrency).toBe(0);
    expect(effectivePlan(of(PLAN), tenant({}))?.concurrency).toBe(3);
    expect(effectivePlan(of(PLAN), tenant({ priority: Priority.HIGH }))?.priority).toBe(Priority.HIGH);
  });

  it('is made once for each version of plan and tenant', () => {
    const demo = tenant({ concurrency: 9 });
    const first = effectivePlan(of(PLAN), demo);
    expect(effectivePlan(of(PLAN), demo)).toBe(first);
    const edited = { ...PLAN, limits: [{ name: 'calls', rate: 99, burst: 99 }] };
    const second = effectivePlan(of(edited), demo);
    expect(second).toMatchObject({ limits: edited.limits, concurrency: 9 });
    expect(effectivePlan(of(edited), demo)).toBe(second);
    expect(effectivePlan(of(edited), { ...demo })).not.toBe(second);
  });

  it('is none where the snapshot has no such plan', () => {
    expect(effectivePlan({ plans: new Map() }, tenant({ concurrency: 1 }))).toBeUndefined();
  });
});
