import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Call, Outcome, Refusal } from '../../src/chain/call.ts';
import { QuotaTracker } from '../../src/quota/quota-tracker.ts';
import type { Plan, Quota } from '../../src/sync/snapshot.ts';
import { fakeCall, fakeOutcome, fakePlan } from '../chain/fake-call.ts';
import { FakeQuotas } from './fake-quotas.ts';

const NOON = Date.parse('2026-05-17T12:00Z');
const DAY = 86_400_000;

function daily(limit: number, more: Partial<Quota> = {}): Quota {
  return { metric: 'units', limit, period: 'day', timeZone: 'UTC', anchor: 0, ...more };
}

function planOf(...quotas: Quota[]): Plan {
  return fakePlan({ quotas });
}

class Fixture {
  time = NOON;
  readonly errors: unknown[] = [];
  readonly store: FakeQuotas;
  readonly tracker: QuotaTracker;

  constructor(store = new FakeQuotas(), maxTenants?: number) {
    this.store = store;
    this.tracker = new QuotaTracker({
      quotas: store,
      now: () => this.time,
      maxTenants,
      onError: (error) => this.errors.push(error),
    });
  }

  /** Makes one call. @returns why it was refused */
  async call(plan: Plan, cost = 1, outcome: Partial<Outcome> = {}, tenant = 'demo'): Promise<Refusal | undefined> {
    const call = fakeCall(tenant, plan, { cost });
    const refusal = await this.tracker.admit(call);
    if (refusal === undefined) this.tracker.settle(call, fakeOutcome(outcome));
    return refusal;
  }

  /** Calls until one is refused. @returns how many were admitted */
  async exhaust(plan: Plan, cost = 1): Promise<number> {
    for (let admitted = 0; ; admitted++) if ((await this.call(plan, cost)) !== undefined) return admitted;
  }

  begin(plan: Plan, cost = 1): Call {
    const call = fakeCall('demo', plan, { cost });
    expect(this.tracker.admit(call)).toBeUndefined();
    return call;
  }
}

const NOT_REACHED = { reachedBackend: false };

describe('a quota', () => {
  it.each([1, 7, 100, 12_345])('of %d units is used to the last one, and never beyond', async (limit) => {
    const f = new Fixture();
    expect(await f.exhaust(planOf(daily(limit)))).toBe(limit);
    expect(f.store.total()).toBe(limit);
  });

  it('is charged with what the method costs', async () => {
    const f = new Fixture();
    const plan = planOf(daily(100));
    expect(await f.exhaust(plan, 7)).toBe(14);
    expect(await f.call(plan, 2)).toBeUndefined();
    expect((await f.call(plan, 1))?.reason).toBe('QUOTA_EXHAUSTED');
  });

  it('refuses with the time of its renewal, and no retry before', async () => {
    const f = new Fixture();
    const plan = planOf(daily(1));
    await f.call(plan);
    expect(await f.call(plan)).toMatchObject({
      reason: 'QUOTA_EXHAUSTED',
      retryAfterMs: -1,
      metadata: { metric: 'units', limit: '1', reset_time: '2026-05-18T00:00:00.000Z' },
    });
  });

  it('does not look at free calls, calls without a tenant, and other metrics', async () => {
    const f = new Fixture();
    expect(await f.call(planOf(daily(0)), 0)).toBeUndefined();
    expect(f.tracker.admit(fakeCall(undefined, planOf(daily(0))))).toBeUndefined();
    expect(await f.call(planOf(daily(0, { metric: 'tokens' })))).toBeUndefined();
    expect(f.store.requests).toEqual([]);
  });

  it('is renewed with the period, and what was left of a lease stays in the old one', async () => {
    const f = new Fixture();
    const plan = planOf(daily(1000));
    for (let i = 0; i < 25; i++) await f.call(plan);
    expect(f.store.total()).toBeGreaterThan(25);
    f.time += DAY / 2;
    await f.call(plan);
    expect(f.store.counters.get(`demo units/day ${Date.UTC(2026, 4, 17)}`)).toBe(25);
    expect(await f.exhaust(plan)).toBe(999);
  });

  it('per month and per day are both kept', async () => {
    const f = new Fixture();
    const plan = planOf(daily(10), daily(25, { period: 'month', anchor: 1 }));
    const admitted: number[] = [];
    for (let i = 0; i < 4; i++) {
      admitted.push(await f.exhaust(plan));
      f.time += DAY;
    }
    expect(admitted).toEqual([10, 10, 5, 0]);
  });

  it('that is refused by one counter is not charged to the other', async () => {
    const f = new Fixture();
    const plan = planOf(daily(1000), daily(5, { period: 'month', anchor: 1 }));
    await f.exhaust(plan);
    for (let i = 0; i < 50; i++) await f.call(plan);
    await f.tracker.drain();
    expect(f.store.counters.get(`demo units/day ${Date.UTC(2026, 4, 17)}`)).toBe(5);
  });
});

describe('the units of a call', () => {
  it('come back when it did not reach a backend, and only once', async () => {
    const f = new Fixture();
    const plan = planOf(daily(3));
    for (let i = 0; i < 50; i++) expect(await f.call(plan, 3, NOT_REACHED)).toBeUndefined();
    const call = f.begin(plan, 3);
    f.tracker.settle(call, fakeOutcome(NOT_REACHED));
    f.tracker.settle(call, fakeOutcome(NOT_REACHED));
    expect(await f.exhaust(plan)).toBe(3);
  });

  it('are kept when it did, however it ended', async () => {
    const f = new Fixture();
    const plan = planOf(daily(3));
    await f.call(plan, 1, { status: 14 });
    await f.call(plan, 1, { status: 1, cancelled: true });
    await f.call(plan, 1, { status: 4 });
    expect((await f.call(plan))?.reason).toBe('QUOTA_EXHAUSTED');
  });

  it('are not given to another period', async () => {
    const f = new Fixture();
    const plan = planOf(daily(3));
    const call = f.begin(plan, 3);
    f.time += DAY;
    f.tracker.settle(call, fakeOutcome({ ...NOT_REACHED, durationMs: DAY }));
    expect(await f.exhaust(plan)).toBe(3);
  });

  it('are not given to a quota that they were not taken from', async () => {
    const f = new Fixture();
    const call = f.begin(planOf(daily(3)), 3);
    const monthly = planOf(daily(3, { period: 'month', anchor: 1 }));
    expect(await f.exhaust(monthly)).toBe(3);
    f.tracker.settle(call, fakeOutcome(NOT_REACHED));
    expect((await f.call(monthly))?.reason).toBe('QUOTA_EXHAUSTED');
  });

  it('free an exhausted quota at once when they come back', async () => {
    const f = new Fixture();
    const plan = planOf(daily(1));
    const call = f.begin(plan);
    expect((await f.call(plan))?.reason).toBe('QUOTA_EXHAUSTED');
    f.tracker.settle(call, fakeOutcome(NOT_REACHED));
    expect(await f.call(plan)).toBeUndefined();
  });
});

describe('an exhausted quota', () => {
  it('asks the store once a second, and not for each call', async () => {
    const f = new Fixture();
    const plan = planOf(daily(5));
    await f.exhaust(plan);
    const asked = f.store.requests.length;
    for (let i = 0; i < 1000; i++) await f.call(plan);
    expect(f.store.requests.length).toBe(asked);
    f.store.counters.clear();
    f.time += 999;
    expect((await f.call(plan))?.reason).toBe('QUOTA_EXHAUSTED');
    f.time += 1;
    expect(await f.call(plan)).toBeUndefined();
  });

  it('still admits what costs less', async () => {
    const f = new Fixture();
    const plan = planOf(daily(5));
    expect((await f.call(plan, 6))?.reason).toBe('QUOTA_EXHAUSTED');
    expect(await f.exhaust(plan)).toBe(5);
  });

  it('follows a limit that is raised, or lowered, at the next call', async () => {
    const f = new Fixture();
    expect(await f.exhaust(planOf(daily(5)))).toBe(5);
    expect(await f.exhaust(planOf(daily(8)))).toBe(3);
    expect(await f.exhaust(planOf(daily(6)))).toBe(0);
    expect(await f.call(planOf())).toBeUndefined();
  });
});

describe('leases', () => {
  it('grow with demand up to one percent, and shrink again', async () => {
    const f = new Fixture();
    const plan = planOf(daily(100_000));
    for (let i = 0; i < 5000; i++) {
      await f.call(plan);
      expect(f.tracker.leased('demo')).toBeLessThanOrEqual(1000);
    }
    expect(f.store.requests.length).toBeLessThan(30);
    expect(Math.max(...f.store.requests.map((request) => request.want))).toBe(1000);
    const before = f.store.requests.length;
    for (let i = 0; i < 100; i++) {
      f.time += 60_000;
      await f.call(plan);
    }
    for (let i = 0; i < 1000; i++) {
      f.time += 60_000;
      if (f.store.requests.length > before) break;
      for (let k = 0; k < 50; k++) await f.call(plan);
    }
    expect(f.store.requests.at(-1)!.want).toBeLessThanOrEqual(500);
  });

  it('that die with the process are at most one percent of the limit', async () => {
    const store = new FakeQuotas();
    const plan = planOf(daily(10_000));
    let admitted = 0;
    for (let crash = 0; crash < 5; crash++) {
      const f = new Fixture(store);
      for (let i = 0; i < 1234; i++) if ((await f.call(plan)) === undefined) admitted++;
    }
    admitted += await new Fixture(store).exhaust(plan);
    expect(admitted).toBeLessThanOrEqual(10_000);
    expect(admitted).toBeGreaterThanOrEqual(10_000 - 5 * 100);
  });

  it('come back with a graceful stop, also those of calls that end after it', async () => {
    const f = new Fixture();
    const plan = planOf(daily(10_000));
    for (let i = 0; i < 100; i++) await f.call(plan);
    const late = f.begin(plan, 10);
    await f.tracker.drain();
    expect(f.store.total()).toBe(110);
    expect(f.tracker.leased('demo')).toBe(0);
    f.tracker.settle(late, fakeOutcome(NOT_REACHED));
    expect(f.store.total()).toBe(100);
    await f.call(plan);
    expect(f.store.total()).toBe(101);
  });

  it('of tenants that the table drops come back', async () => {
    const f = new Fixture(new FakeQuotas(), 10);
    const plan = planOf(daily(10_000));
    for (let tenant = 0; tenant < 200; tenant++) {
      for (let i = 0; i < 20; i++) await f.call(plan, 1, {}, `tenant-${tenant}`);
    }
    expect(f.tracker.size).toBeLessThanOrEqual(11);
    await f.tracker.drain();
    expect(f.store.total()).toBe(200 * 20);
  });

  it('are taken by several gateways without exceeding the limit, and without leaving more than a lease each', async () => {
    const store = new FakeQuotas();
    const plan = planOf(daily(5000));
    const gateways = Array.from({ length: 4 }, () => new Fixture(store));
    let admitted = 0;
    for (let i = 0; i < 3000; i++) {
      for (const gateway of gateways) if ((await gateway.call(plan)) === undefined) admitted++;
    }
    expect(admitted).toBe(5000);
  });
});

describe('a store that answers later', () => {
  it('is waited for only when the lease is used up, and never oversold', async () => {
    const store = new FakeQuotas();
    store.later = true;
    const gateways = [new Fixture(store), new Fixture(store)];
    const plan = planOf(daily(20_000));
    let admitted = 0;
    let waited = 0;
    for (let round = 0; round < 300; round++) {
      for (const gateway of gateways) {
        gateway.time += 50;
        const verdicts = Array.from({ length: 40 }, () => gateway.tracker.admit(fakeCall('demo', plan)));
        waited += verdicts.filter((verdict) => verdict instanceof Promise).length;
        for (const verdict of verdicts) if ((await verdict) === undefined) admitted++;
      }
    }
    expect(admitted).toBeLessThanOrEqual(20_000);
    expect(admitted).toBeGreaterThan(19_800);
    expect(waited).toBeLessThan(admitted / 4);
  });

  it('that fails is told as such, and charges nothing', async () => {
    const f = new Fixture();
    const plan = planOf(daily(10));
    for (const later of [false, true]) {
      f.store.later = later;
      f.store.broken = true;
      expect((await f.call(plan))?.reason).toBe('STORE_UNAVAILABLE');
      f.store.broken = false;
    }
    expect(await f.exhaust(plan)).toBe(10);
  });

  it('that fails when units are given back is reported, and no more', async () => {
    const f = new Fixture();
    const plan = planOf(daily(10_000));
    for (let i = 0; i < 100; i++) await f.call(plan);
    f.store.broken = true;
    await f.tracker.drain();
    expect(f.errors).toHaveLength(1);
  });
});

describe('whatever happens', () => {
  it('the units of calls that reached a backend are never more than the limit, nor is a unit lost but by a crash', async () => {
    const step = fc.oneof(
      {
        weight: 8,
        arbitrary: fc.record({ kind: fc.constant('begin' as const), cost: fc.integer({ min: 1, max: 9 }) }),
      },
      {
        weight: 8,
        arbitrary: fc.record({ kind: fc.constant('end' as const), which: fc.nat(), reached: fc.boolean() }),
      },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(3000) }) },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.boolean(),
        fc.integer({ min: 5, max: 400 }),
        fc.array(step, { maxLength: 300 }),
        async (later, limit, steps) => {
          const store = new FakeQuotas();
          store.later = later;
          const gateways = [new Fixture(store), new Fixture(store)];
          const plan = planOf(daily(limit));
          const running: { call: Call; gateway: Fixture }[] = [];
          let charged = 0;
          for (const [i, each] of steps.entries()) {
            const gateway = gateways[i % 2]!;
            if (each.kind === 'wait') gateway.time += each.ms;
            else if (each.kind === 'begin') {
              const call = fakeCall('demo', plan, { cost: each.cost });
              if ((await gateway.tracker.admit(call)) !== undefined) continue;
              running.push({ call, gateway });
              charged += each.cost;
            } else if (running.length > 0) {
              const [ended] = running.splice(each.which % running.length, 1);
              if (!each.reached) charged -= ended!.call.reservedUnits;
              ended!.gateway.tracker.settle(ended!.call, fakeOutcome({ reachedBackend: each.reached }));
            }
            expect(charged).toBeLessThanOrEqual(limit);
          }
          for (const gateway of gateways) await gateway.tracker.drain();
          expect(store.total()).toBe(charged);
        },
      ),
      { numRuns: 100 },
    );
  });
});
