import { describe, expect, it } from 'vitest';
import type { Call, Refusal } from '../../src/chain/call.ts';
import { RateLimiter } from '../../src/ratelimit/rate-limiter.ts';
import { MemoryRates } from '../../src/store/embedded/rates.ts';
import { type RateStore, StoreSilent } from '../../src/store/store.ts';
import type { RateLimit } from '../../src/sync/snapshot.ts';
import { fakeCall, fakePlan } from '../chain/fake-call.ts';

const calls = (rate: number, burst: number): RateLimit => ({ name: 'calls', rate, burst });
const PLAN = fakePlan({ limits: [calls(1, 10), { name: 'search', rate: 1, burst: 4 }] });

class Fixture {
  time = 1_000_000;
  readonly limiter: RateLimiter;

  constructor(maxTenants?: number, rates?: RateStore) {
    const now = () => this.time;
    this.limiter = new RateLimiter({ rates: rates ?? new MemoryRates(now), now, maxTenants });
  }

  call(keyId: string, limits: readonly RateLimit[] | undefined, limit?: string, plan = PLAN): Call {
    const call = fakeCall('demo', plan, { limit });
    call.principal = { id: keyId, tenantId: 'demo', scopes: new Set(), limits };
    return call;
  }

  once(keyId: string, limits?: readonly RateLimit[], limit?: string, plan = PLAN): Refusal | undefined {
    const call = this.call(keyId, limits, limit, plan);
    const verdict = this.limiter.admit(call);
    if (verdict instanceof Promise) throw new Error('waited');
    if (verdict === undefined) this.limiter.settle(call);
    return verdict;
  }

  /** How many of so many calls are admitted. */
  admitted(count: number, ...of: Parameters<Fixture['once']>): number {
    let admitted = 0;
    for (let i = 0; i < count; i++) if (this.once(...of) === undefined) admitted++;
    return admitted;
  }
}

describe('the limits of a key', () => {
  it("hold under the tenant's: a key gets its own, all keys together the plan's", () => {
    const f = new Fixture();
    expect(f.admitted(20, 'small', [calls(1, 3)])).toBe(3);
    expect(f.admitted(20, 'free')).toBe(7);
    // What is told to wait is rounded up, and not asked again before.
    f.time += 1024;
    // One more for the key, which the tenant has a unit for.
    expect(f.admitted(20, 'small', [calls(1, 3)])).toBe(1);
    expect(f.admitted(20, 'free')).toBe(0);
  });

  it('refuse in the name of the key, and those of the plan in the name of the tenant', () => {
    const f = new Fixture();
    f.admitted(3, 'small', [calls(1, 3)]);
    expect(f.once('small', [calls(1, 3)])).toMatchObject({
      reason: 'RATE_LIMITED',
      message: expect.stringContaining('of your key'),
      violation: { subject: 'api_key:small', description: 'rate limit "calls"' },
    });
    f.admitted(20, 'free');
    f.time += 300;
    expect(f.once('other', [calls(1, 3)])).toMatchObject({
      message: expect.stringContaining('of your plan'),
      violation: { subject: 'tenant:demo' },
    });
  });

  it('take nothing when the plan refuses, and the plan nothing when they do', () => {
    const f = new Fixture();
    expect(f.admitted(50, 'small', [calls(0.001, 2)])).toBe(2);
    // 48 refusals cost the tenant nothing.
    expect(f.admitted(20, 'free')).toBe(8);
    expect(f.admitted(50, 'late', [calls(0.001, 2)])).toBe(0);
    f.time += 3000;
    // And 50 refusals of the plan cost the key nothing.
    expect(f.admitted(50, 'late', [calls(0.001, 2)])).toBe(2);
  });

  it('take nothing when the plan refuses while the store is silent either', () => {
    const silent: RateStore = {
      remote: true,
      silent: true,
      take: () => {
        throw new Error('asked in spite of its silence');
      },
    };
    const f = new Fixture(undefined, silent);
    const plan = fakePlan({ limits: [calls(1, 1), { name: 'search', rate: 0.001, burst: 2 }] });
    const once = () => f.admitted(50, 'small', [calls(0.001, 2)], 'search', plan);
    expect(once()).toBe(1);
    f.time += 3000;
    // The 49 refusals of the plan's "calls" took nothing of the key's, nor of "search".
    expect(once()).toBe(1);
    f.time += 3000;
    expect(once()).toBe(0);
  });

  it('take nothing when the plan refuses a call for which the store came too late', async () => {
    const hanging: RateStore = { remote: true, take: () => Promise.reject(new StoreSilent()) };
    const f = new Fixture(undefined, hanging);
    const plan = fakePlan({ limits: [calls(1000, 1), { name: 'search', rate: 0.001, burst: 2 }] });
    const once = async () => {
      const call = f.call('small', [calls(0.001, 2)], 'search', plan);
      const verdict = await f.limiter.admit(call);
      f.limiter.settle(call);
      return verdict?.reason ?? 'admitted';
    };
    const many = () => Promise.all(Array.from({ length: 20 }, once));
    expect((await many()).filter((reason) => reason === 'admitted')).toHaveLength(1);
    f.time += 4;
    expect((await many()).filter((reason) => reason === 'admitted')).toHaveLength(1);
    f.time += 4;
    expect((await many()).filter((reason) => reason === 'admitted')).toHaveLength(0);
  });

  it('may be for the methods of a name alone', () => {
    const f = new Fixture();
    const limits = [{ name: 'search', rate: 0.001, burst: 1 }];
    expect(f.admitted(5, 'k', limits, 'search')).toBe(1);
    expect(f.admitted(3, 'k', limits)).toBe(3);
    // The plan has no such limit, and the key has.
    const own = [{ name: 'export', rate: 0.001, burst: 1 }];
    expect(f.admitted(5, 'e', own, 'export')).toBe(1);
  });

  it('may be changed: what was used stays used', () => {
    const f = new Fixture();
    expect(f.admitted(5, 'k', [calls(0.001, 2)])).toBe(2);
    expect(f.admitted(5, 'k', [calls(0.001, 3)])).toBe(1);
    expect(f.admitted(3, 'k')).toBe(3);
  });

  it('cost no state for keys without them, and a bounded one for the others', () => {
    const f = new Fixture(8);
    const wide = fakePlan({});
    for (let i = 0; i < 1000; i++) f.once(`free-${i}`, undefined, undefined, wide);
    expect(f.limiter.keys).toBe(0);
    for (let i = 0; i < 1000; i++) {
      f.once(`own-${i}`, [calls(1000, 1)], undefined, wide);
      f.time += 100;
    }
    expect(f.limiter.keys).toBeLessThanOrEqual(9);
  });
});
