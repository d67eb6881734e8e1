import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Demand } from '../../src/ratelimit/demand.ts';
import {
  gatherMs,
  keptSize,
  LEASE_LIFE_MS,
  leaseSize,
  mostKept,
  prefetchMark,
} from '../../src/ratelimit/lease-size.ts';
import { Leases } from '../../src/ratelimit/leases.ts';
import { LocalShare } from '../../src/ratelimit/local-share.ts';

const limits = fc.record({
  name: fc.constant('calls'),
  rate: fc.double({ min: 0.01, max: 100_000, noNaN: true }),
  burst: fc.integer({ min: 1, max: 10_000 }),
});
const demands = fc.double({ min: 0, max: 1_000_000, noNaN: true });

describe('the size of a lease', () => {
  it('is one where the limit is low, or hardly anything is wanted', () => {
    expect(leaseSize({ name: 'calls', rate: 10, burst: 100 }, 1000, false)).toBe(1);
    expect(leaseSize({ name: 'calls', rate: 1000, burst: 1 }, 1000, false)).toBe(1);
    expect(leaseSize({ name: 'calls', rate: 1000, burst: 100 }, 0.1, false)).toBe(1);
  });

  it('follows demand, and is smaller where units are scarce', () => {
    const limit = { name: 'calls', rate: 10_000, burst: 10_000 };
    expect([100, 200, 1000, 4000].map((demand) => leaseSize(limit, demand, false))).toEqual([6, 12, 30, 120]);
    expect([100, 200, 1000, 4000].map((demand) => leaseSize(limit, demand, true))).toEqual([2, 4, 20, 80]);
  });

  it('is never more than half a burst, or than the limit gives in a lease’s life', () => {
    fc.assert(
      fc.property(limits, demands, fc.boolean(), (limit, demand, scarce) => {
        const size = leaseSize(limit, demand, scarce);
        expect(Number.isInteger(size)).toBe(true);
        expect(size).toBeGreaterThanOrEqual(1);
        expect(size).toBeLessThanOrEqual(Math.max(1, Math.min(limit.burst / 2, (limit.rate * LEASE_LIFE_MS) / 1000)));
        expect(prefetchMark(size, demand, scarce)).toBeLessThanOrEqual(size / 2);
      }),
    );
  });

  it('that is kept is, with those of all others and with what becomes void, no more than the limit gives in 0.1 s', () => {
    fc.assert(
      fc.property(limits, fc.integer({ min: 1, max: 50 }), (limit, gateways) => {
        // Twice as many as are known: some may have just come.
        const kept = mostKept(limit, gateways) * Math.max(2, 2 * gateways);
        expect(kept + (limit.rate * LEASE_LIFE_MS) / 1000).toBeLessThanOrEqual(limit.rate * 0.1 + 1e-9);
        expect(mostKept(limit, gateways)).toBeLessThanOrEqual(limit.burst / 2);
      }),
    );
    expect([1, 2, 4].map((gateways) => mostKept({ name: 'calls', rate: 1000, burst: 100 }, gateways))).toEqual([
      5, 5, 2,
    ]);
    expect([0, 3.2, 1000].map((demand) => keptSize(10, demand))).toEqual([0, 4, 10]);
  });

  it('never lets an empty bucket fill up while it gathers', () => {
    fc.assert(
      fc.property(limits, (limit) => {
        expect((gatherMs(limit) * limit.rate) / 1000).toBeLessThan(limit.burst);
      }),
    );
  });
});

describe('leases in hand', () => {
  it('are void when their life is over, which began when they were asked for', () => {
    const leases = new Leases();
    leases.add(5, 1000, 1004);
    expect(leases.take(999.9 + LEASE_LIFE_MS)).toBe(true);
    expect(leases.take(1000 + LEASE_LIFE_MS)).toBe(false);
    expect(leases.any(1000 + LEASE_LIFE_MS)).toBe(false);
  });

  it('are used in the order in which they become void, and none is used twice', () => {
    const leases = new Leases();
    const last = 1030 + LEASE_LIFE_MS - 1;
    leases.add(2, 1000, 1001);
    leases.add(3, 1030, 1031);
    for (let i = 0; i < 2; i++) expect(leases.take(1040)).toBe(true);
    expect(leases.units).toBe(3);
    expect(leases.take(last - 10)).toBe(true);
    leases.putBack(last - 10);
    for (let i = 0; i < 3; i++) expect(leases.take(last)).toBe(true);
    expect(leases.take(last)).toBe(false);
  });

  it('that are kept do not become void, are used last, and are let go of when others come', () => {
    const leases = new Leases();
    leases.keep(5);
    leases.add(1, 1000, 1001);
    expect([leases.take(1001), leases.kept]).toEqual([true, 5]);
    expect([leases.take(99_999), leases.kept, leases.anyLeased(99_999), leases.any(99_999)]).toEqual([
      true,
      4,
      false,
      true,
    ]);
    leases.putBack(99_999);
    expect(leases.kept).toBe(5);
    leases.keepAtMost(2);
    expect([leases.take(99_999), leases.take(99_999), leases.take(99_999)]).toEqual([true, true, false]);
  });

  it('that overlap are each good for no longer than their own life', () => {
    const step = fc.record({ wait: fc.integer({ min: 0, max: 60 }), add: fc.integer({ min: 0, max: 5 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const leases = new Leases();
        let now = 0;
        const live: { until: number; units: number }[] = [];
        for (const { wait, add } of steps) {
          now += wait;
          if (add > 0) {
            leases.add(add, now - 1, now);
            live.push({ until: now - 1 + LEASE_LIFE_MS, units: add });
          }
          const good = live.filter((lease) => lease.until > now && lease.units > 0);
          if (!leases.take(now)) continue;
          expect(good.length).toBeGreaterThan(0);
          good[0]!.units--;
        }
      }),
    );
  });
});

describe('demand', () => {
  it('comes near a new rate within some tenths of a second, whether it rises or falls', () => {
    const demand = new Demand(0);
    let now = 0;
    const run = (perMs: number, ms: number) => {
      for (const end = now + ms; now < end; now += 1) {
        for (let i = 0; i < perMs; i++) demand.count();
        if (now % 10 === 0) demand.at(now);
      }
      return demand.at(now);
    };
    expect(run(2, 400)).toBeGreaterThan(1900);
    expect(run(0, 400)).toBeLessThan(100);
  });
});

describe('a local share', () => {
  it('starts with its part of what was left, and earns its part of the rate', () => {
    const share = new LocalShare({ name: 'calls', rate: 400, burst: 80 }, 4, 42, 0, 0);
    const takeAll = (at: number) => {
      let taken = 0;
      while (share.take(at)) taken++;
      return taken;
    };
    expect(takeAll(0)).toBe(10);
    expect(share.retryAfterMs(0)).toBeCloseTo(10, 1);
    expect(takeAll(100)).toBe(10);
    expect(takeAll(10_000)).toBe(20);
  });

  it('is its part of the whole burst where that is left, and never less than one', () => {
    const share = new LocalShare({ name: 'calls', rate: 1, burst: 2 }, 4, 2, 0, 0);
    expect(share.take(0)).toBe(true);
    expect(share.take(0)).toBe(false);
  });
});
