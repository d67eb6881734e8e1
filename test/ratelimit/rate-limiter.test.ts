import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Refusal, Verdict } from '../../src/chain/call.ts';
import { RateLimiter } from '../../src/ratelimit/rate-limiter.ts';
import { roundWait } from '../../src/ratelimit/rate-refusals.ts';
import { MemoryRates } from '../../src/store/embedded/rates.ts';
import { type RateGrant, type RateStore, StoreSilent } from '../../src/store/store.ts';
import type { Plan } from '../../src/sync/snapshot.ts';
import { fakeCall, fakePlan } from '../chain/fake-call.ts';

/** A store that counts how often it is asked, and answers later, or not at all, when told to. */
class WatchedRates implements RateStore {
  asked = 0;
  taken = 0;
  later = false;
  broken = false;
  readonly #store: MemoryRates;

  constructor(now: () => number) {
    this.#store = new MemoryRates(now);
  }

  take(bucket: string, rate: number, burst: number, want: number): RateGrant | Promise<RateGrant> {
    this.asked++;
    if (this.broken && !this.later) throw new Error('no store');
    if (this.broken) return Promise.reject(new Error('no store'));
    const grant = this.#store.take(bucket, rate, burst, want);
    this.taken += grant.granted;
    return this.later ? Promise.resolve(grant) : grant;
  }
}

class Fixture {
  time = 1_000_000;
  readonly rates = new WatchedRates(() => this.time);
  readonly limiter: RateLimiter;

  constructor(maxTenants?: number) {
    this.limiter = new RateLimiter({ rates: this.rates, now: () => this.time, maxTenants });
  }

  /** Admits one call and ends it at once. */
  once(plan: Plan, limit?: string, tenant = 'demo'): Refusal | undefined {
    const call = fakeCall(tenant, plan, { limit });
    const verdict = now(this.limiter.admit(call));
    if (verdict === undefined) this.limiter.settle(call);
    return verdict;
  }
}

function now(verdict: Verdict): Refusal | undefined {
  if (verdict instanceof Promise) throw new Error('waited');
  return verdict;
}

const PLAN = fakePlan({ limits: [{ name: 'calls', rate: 50, burst: 10 }] });

describe('a rate limit', () => {
  it('admits the burst, then the rate, and says when to come back', () => {
    const f = new Fixture();
    for (let i = 0; i < 10; i++) expect(f.once(PLAN)).toBeUndefined();
    expect(f.once(PLAN)).toMatchObject({ reason: 'RATE_LIMITED', retryAfterMs: 24, metadata: { limit: 'calls' } });
    f.time += 20.001;
    expect(f.once(PLAN)).toBeUndefined();
    expect(f.once(PLAN)?.reason).toBe('RATE_LIMITED');
  });

  it('never tells a time that is too short, nor one much too long', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1e8, noNaN: true }), (ms) => {
        expect(roundWait(ms)).toBeGreaterThanOrEqual(ms);
        expect(roundWait(ms)).toBeLessThanOrEqual(ms * 1.25 + 1);
      }),
    );
    expect([0, 1, 4.2, 7, 8.5, 100].map(roundWait)).toEqual([1, 1, 5, 7, 10, 112]);
  });

  it('is the tenant’s own', () => {
    const f = new Fixture();
    for (let i = 0; i < 11; i++) f.once(PLAN);
    expect(f.once(PLAN, undefined, 'other')).toBeUndefined();
  });

  it('does not ask the store again before its time, and reuses the refusal', () => {
    const f = new Fixture();
    for (let i = 0; i < 11; i++) f.once(PLAN);
    const asked = f.rates.asked;
    const refusals = new Set(Array.from({ length: 1000 }, () => f.once(PLAN)));
    expect(f.rates.asked).toBe(asked);
    expect(refusals.size).toBe(1);
    f.time += 10;
    expect(f.once(PLAN)?.retryAfterMs).toBe(12);
  });

  it('does not apply to calls without a tenant, nor to plans without limits', () => {
    const f = new Fixture();
    for (let i = 0; i < 100; i++) {
      expect(f.limiter.admit(fakeCall(undefined, PLAN))).toBeUndefined();
      expect(f.once(fakePlan({}))).toBeUndefined();
    }
    expect(f.rates.asked).toBe(0);
  });

  it('changes with the plan at the next call, without forgiving what was used', () => {
    const f = new Fixture();
    const slow = fakePlan({ limits: [{ name: 'calls', rate: 0.001, burst: 2 }] });
    for (let i = 0; i < 2; i++) expect(f.once(slow)).toBeUndefined();
    expect(f.once(slow)?.retryAfterMs).toBe(1_048_576);
    const faster = fakePlan({ limits: [{ name: 'calls', rate: 0.001, burst: 3 }] });
    expect(f.once(faster)).toBeUndefined();
    expect(f.once(faster)?.reason).toBe('RATE_LIMITED');
    expect(f.once(fakePlan({ limits: [] }))).toBeUndefined();
    expect(f.once(slow)?.reason).toBe('RATE_LIMITED');
  });

  it('stays as it is when a plan changes in something else', () => {
    const f = new Fixture();
    for (let i = 0; i < 11; i++) f.once(PLAN);
    const asked = f.rates.asked;
    expect(f.once({ ...PLAN, limits: [{ ...PLAN.limits[0]! }], concurrency: 5 })?.reason).toBe('RATE_LIMITED');
    expect(f.rates.asked).toBe(asked);
  });

  it('admits at most burst + rate x t in any window, and 95 % of it under tenfold demand', () => {
    const limits = fc.record({
      rate: fc.double({ min: 1, max: 2000, noNaN: true }),
      burst: fc.integer({ min: 1, max: 300 }),
    });
    const gaps = fc.array(fc.double({ min: 0, max: 2, noNaN: true }), { minLength: 50, maxLength: 50 });
    fc.assert(
      fc.property(limits, gaps, ({ rate, burst }, pattern) => {
        const f = new Fixture();
        const plan = fakePlan({ limits: [{ name: 'calls', rate, burst }] });
        const start = f.time;
        const admitted: number[] = [];
        for (let i = 0; i < 3000; i++) {
          f.time += (pattern[i % pattern.length]! * 100) / rate;
          for (let k = 0; k < 5; k++) if (f.once(plan) === undefined) admitted.push(f.time);
        }
        const allowed = burst + (rate * (f.time - start)) / 1000;
        expect(admitted.length).toBeLessThanOrEqual(allowed + 1e-6);
        // All windows at once: of what was admitted less rate x time, the deepest before against the highest after.
        let [lowest, most] = [Number.POSITIVE_INFINITY, 0];
        admitted.forEach((at, i) => {
          lowest = Math.min(lowest, i - (rate * at) / 1000);
          most = Math.max(most, i + 1 - (rate * at) / 1000 - lowest);
        });
        expect(most).toBeLessThanOrEqual(burst + 1e-3);
        // Five calls at least every fifth of a unit's time. A burst of 1 cannot keep what comes in between.
        if (burst > 1) expect(admitted.length).toBeGreaterThan(allowed * 0.95 - 2);
      }),
      { numRuns: 40 },
    );
  });
});

describe("a method's own limit", () => {
  const both = fakePlan({
    limits: [
      { name: 'calls', rate: 1, burst: 10 },
      { name: 'search', rate: 1, burst: 3 },
    ],
  });

  it('is drawn beside `calls`, and what it refuses costs `calls` nothing', () => {
    const f = new Fixture();
    for (let i = 0; i < 3; i++) expect(f.once(both, 'search')).toBeUndefined();
    for (let i = 0; i < 50; i++) expect(f.once(both, 'search')?.metadata).toEqual({ limit: 'search' });
    for (let i = 0; i < 7; i++) expect(f.once(both)).toBeUndefined();
    expect(f.once(both)?.metadata).toEqual({ limit: 'calls' });
  });

  it('keeps its units when `calls` refuses', () => {
    const f = new Fixture();
    for (let i = 0; i < 10; i++) f.once(both);
    for (let i = 0; i < 50; i++) expect(f.once(both, 'search')?.metadata).toEqual({ limit: 'calls' });
    const searches = fakePlan({ limits: [both.limits[1]!] });
    for (let i = 0; i < 3; i++) expect(f.once(searches, 'search')).toBeUndefined();
    expect(f.once(searches, 'search')?.reason).toBe('RATE_LIMITED');
  });

  it('does not apply when the plan has no such limit, and counts once when it is `calls`', () => {
    const f = new Fixture();
    for (let i = 0; i < 10; i++) expect(f.once(PLAN, i % 2 ? 'calls' : 'absent')).toBeUndefined();
    expect(f.once(PLAN, 'calls')?.reason).toBe('RATE_LIMITED');
  });
});

describe('concurrency', () => {
  const three = fakePlan({ concurrency: 3, limits: [{ name: 'calls', rate: 1, burst: 5 }] });

  it('bounds the calls that run, gives a place back once for each that ends, and costs no rate', () => {
    const f = new Fixture();
    const calls = Array.from({ length: 3 }, () => fakeCall('demo', three));
    for (const call of calls) expect(f.limiter.admit(call)).toBeUndefined();
    for (let i = 0; i < 10; i++) {
      expect(f.once(three)).toMatchObject({ reason: 'CONCURRENCY_LIMITED', metadata: { limit: '3' } });
    }
    f.limiter.settle(calls[0]!);
    f.limiter.settle(calls[0]!);
    expect(f.limiter.running('demo')).toBe(2);
    expect(f.once(three)).toBeUndefined();
    expect(f.limiter.admit(fakeCall('demo', three))).toBeUndefined();
    expect(f.once(three)?.reason).toBe('CONCURRENCY_LIMITED');
  });

  it('does not count calls that the rate limit refuses', () => {
    const f = new Fixture();
    for (let i = 0; i < 20; i++) f.once(three);
    expect(f.limiter.running('demo')).toBe(0);
  });

  it('knows the calls that began under another plan', () => {
    const f = new Fixture();
    for (let i = 0; i < 3; i++) f.limiter.admit(fakeCall('demo', fakePlan({})));
    expect(f.once(three)?.reason).toBe('CONCURRENCY_LIMITED');
    expect(f.once(fakePlan({ concurrency: 4 }))).toBeUndefined();
  });
});

describe('a store across the network', () => {
  it('is waited for, asked once for many, and never oversold', async () => {
    const f = new Fixture();
    f.rates.later = true;
    const plan = fakePlan({ limits: [{ name: 'calls', rate: 1000, burst: 100 }], concurrency: 500 });
    const start = f.time;
    let admitted = 0;
    for (let i = 0; i < 200; i++) {
      const calls = Array.from({ length: 50 }, () => fakeCall('demo', plan));
      const verdicts = await Promise.all(calls.map((call) => f.limiter.admit(call)));
      calls.forEach((call, k) => {
        if (verdicts[k] !== undefined) return;
        admitted++;
        f.limiter.settle(call);
      });
      f.time += 5;
    }
    const allowed = 100 + (f.time - start);
    expect(admitted).toBeLessThanOrEqual(allowed);
    expect(admitted).toBeGreaterThan(allowed * 0.9);
    expect(f.rates.asked).toBeLessThan(admitted);
    expect(f.limiter.running('demo')).toBe(0);
  });

  /** A hundred calls a second for a while. */
  async function someCalls(f: Fixture, plan: Plan): Promise<void> {
    for (let i = 0; i < 31; i++, f.time += 10) await f.limiter.admit(fakeCall('demo', plan));
  }

  it('lets unused units go', async () => {
    const f = new Fixture();
    f.rates.later = true;
    const plan = fakePlan({ limits: [{ name: 'calls', rate: 80, burst: 100 }] });
    await someCalls(f, plan);
    const before = f.rates.asked;
    expect(before).toBeLessThan(31);
    f.time += 101;
    expect(f.limiter.admit(fakeCall('demo', plan))).toBeInstanceOf(Promise);
  });

  it('is not waited for where some units may be kept, however long after', async () => {
    const f = new Fixture();
    f.rates.later = true;
    const plan = fakePlan({ limits: [{ name: 'calls', rate: 1000, burst: 100 }] });
    await someCalls(f, plan);
    f.time += 3_600_000;
    for (let i = 0; i < 3; i++) expect(f.limiter.admit(fakeCall('demo', plan))).toBeUndefined();
  });

  it('never admits more than a share while a store that was never heard is late again and again', async () => {
    let time = 1_000_000;
    const late: RateStore = { remote: true, take: () => Promise.reject(new StoreSilent()) };
    const limiter = new RateLimiter({ rates: late, now: () => time });
    const plan = fakePlan({ limits: [{ name: 'calls', rate: 10, burst: 5 }] });
    let admitted = 0;
    for (let i = 0; i < 1_000; i++) {
      if ((await limiter.admit(fakeCall('demo', plan))) === undefined) admitted++;
      time += 1;
    }
    // The burst, and a second's rate.
    expect(admitted).toBeLessThanOrEqual(15);
    expect(admitted).toBeGreaterThanOrEqual(14);
  });

  it('may answer late: units that come then are good while their lease lives', async () => {
    let time = 0;
    let answer: ((grant: RateGrant) => void) | undefined;
    let asked = 0;
    let wanted = 0;
    const rates: RateStore = {
      remote: true,
      take: (_bucket, _rate, _burst, want, _owed, late) => {
        asked++;
        wanted = want;
        answer = late;
        return Promise.reject(new StoreSilent());
      },
    };
    const limiter = new RateLimiter({ rates, now: () => time });
    const plan = fakePlan({ limits: [{ name: 'calls', rate: 100, burst: 100 }], whenStoreSilent: 'closed' });
    const admit = () => limiter.admit(fakeCall('demo', plan));
    expect((await admit())?.reason).toBe('STORE_UNAVAILABLE');
    time += 5;
    answer?.({ granted: 2, retryAfterMs: 0, left: 90 });
    expect([admit(), admit(), (await admit())?.reason]).toEqual([undefined, undefined, 'STORE_UNAVAILABLE']);
    time += 20;
    expect((await admit())?.reason).toBe('STORE_UNAVAILABLE');
    time += 500;
    answer?.({ granted: wanted, retryAfterMs: 0, left: 90 });
    expect((await admit())?.reason).toBe('STORE_UNAVAILABLE');
    expect(asked).toBe(3);
  });

  it('that fails is told as such, and no call stays counted', async () => {
    const f = new Fixture();
    f.rates.broken = true;
    expect(f.once(PLAN)?.reason).toBe('STORE_UNAVAILABLE');
    f.rates.later = true;
    expect((await f.limiter.admit(fakeCall('demo', PLAN)))?.reason).toBe('STORE_UNAVAILABLE');
    expect(f.limiter.running('demo')).toBe(0);
    f.rates.broken = false;
    expect(await f.limiter.admit(fakeCall('demo', PLAN))).toBeUndefined();
  });
});

describe('the table of tenants', () => {
  it('is bounded, and keeps those with running calls', () => {
    const f = new Fixture(100);
    const running = fakeCall('runs', fakePlan({ concurrency: 1 }));
    f.limiter.admit(running);
    for (let i = 0; i < 10_000; i++) f.once(PLAN, undefined, `tenant-${i}`);
    expect(f.limiter.size).toBeLessThan(110);
    f.time += 1000;
    for (let i = 0; i < 10_000; i++) {
      f.time += 1;
      f.once(PLAN, undefined, `later-${i}`);
    }
    expect(f.limiter.size).toBeLessThan(110);
    expect(f.limiter.running('runs')).toBe(1);
    f.limiter.settle(running);
    expect(f.limiter.running('runs')).toBe(0);
  });

  it('forgives no debt when it drops a tenant', () => {
    const f = new Fixture(10);
    const slow = fakePlan({ limits: [{ name: 'calls', rate: 1, burst: 1 }] });
    expect(f.once(slow)).toBeUndefined();
    for (let i = 0; i < 200; i++) f.once(slow, undefined, `tenant-${i}`);
    expect(f.once(slow)?.reason).toBe('RATE_LIMITED');
  });
});
