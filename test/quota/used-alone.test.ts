import { describe, expect, it } from 'vitest';
import { QuotaTracker } from '../../src/quota/quota-tracker.ts';
import { mostAlone } from '../../src/quota/used-alone.ts';
import { fakeCall, fakeOutcome, fakePlan } from '../chain/fake-call.ts';
import { FakeQuotas } from './fake-quotas.ts';

const QUOTA = { metric: 'units', limit: 1000, period: 'day', timeZone: 'UTC', anchor: 0 } as const;
const NOON = Date.parse('2026-05-17T12:00Z');
const state = { left: undefined, gateways: 4, cost: 1, silent: false, forMs: 0 };

describe('what may be used uncounted', () => {
  it('is 1 % of the limit for all gateways together while an answer is late, and a call at least', () => {
    expect(mostAlone({ ...QUOTA, limit: 40_000 }, state)).toBe(100);
    expect(mostAlone({ ...QUOTA, limit: 40_000 }, { ...state, left: 8_000 })).toBe(100);
    expect(mostAlone(QUOTA, { ...state, cost: 7 })).toBe(7);
  });

  it('is nothing where less than a fifth was left', () => {
    expect(mostAlone(QUOTA, { ...state, left: 199 })).toBe(0);
  });

  it('grows by as much for each second of silence, up to the part of what was left', () => {
    const silent = { ...state, silent: true };
    expect(mostAlone({ ...QUOTA, limit: 40_000 }, silent)).toBe(100);
    expect(mostAlone({ ...QUOTA, limit: 40_000 }, { ...silent, forMs: 9_900 })).toBe(1000);
    expect(mostAlone({ ...QUOTA, limit: 40_000 }, { ...silent, left: 400, forMs: 9_900 })).toBe(100);
    expect(mostAlone({ ...QUOTA, limit: 40_000 }, { ...silent, left: 0 })).toBe(0);
    // A calendar that goes back does not take what was given.
    expect(mostAlone({ ...QUOTA, limit: 40_000 }, { ...silent, forMs: -1 })).toBe(100);
  });
});

describe('a gateway whose store is silent', () => {
  it('serves its part in the course of time, tells the store of it unasked, and knows what is left after', async () => {
    const store = new FakeQuotas();
    store.later = true;
    let time = NOON;
    const open = () => new QuotaTracker({ quotas: store, now: () => time, liveGateways: () => 2 });
    const tracker = open();
    const plan = fakePlan({ quotas: [QUOTA] });
    let served = 0;
    const call = async () => {
      const one = fakeCall('demo', plan);
      const refusal = await tracker.admit(one);
      if (refusal !== undefined) return refusal.reason;
      tracker.settle(one, fakeOutcome());
      served++;
      return call();
    };
    const calls = async (): Promise<[number, string]> => {
      const before = served;
      const reason = await call();
      return [served - before, reason];
    };
    store.silent = true;
    // Nothing is known: its part of the whole is 500.
    expect(await calls()).toEqual([5, 'STORE_UNAVAILABLE']);
    time += 1_000;
    expect(await calls()).toEqual([5, 'STORE_UNAVAILABLE']);
    time += 1_000_000;
    expect(await calls()).toEqual([490, 'QUOTA_EXHAUSTED']);
    expect(store.total()).toBe(0);
    store.silent = false;
    await expect.poll(() => store.total()).toBe(500);
    // Silent again: half of what is left now.
    store.silent = true;
    expect(await calls()).toEqual([5, 'STORE_UNAVAILABLE']);
    time += 1_000_000;
    expect(await calls()).toEqual([245, 'QUOTA_EXHAUSTED']);
    store.silent = false;
    await tracker.drain();
    expect(store.total()).toBe(750);
  });

  it('says so when it ends and what it used could not be told', async () => {
    const store = new FakeQuotas();
    store.silent = true;
    const errors: unknown[] = [];
    const tracker = new QuotaTracker({ quotas: store, now: () => NOON, onError: (error) => errors.push(error) });
    const one = fakeCall('demo', fakePlan({ quotas: [QUOTA] }));
    expect(await tracker.admit(one)).toBeUndefined();
    tracker.settle(one, fakeOutcome());
    await tracker.drain();
    expect(errors.map(String)).toEqual(['Error: what was used of 1 quotas without the store is not counted']);
  });
});
