import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { counterOf } from '../../src/quota/meter.ts';
import { QuotaTracker } from '../../src/quota/quota-tracker.ts';
import { RedisQuotas } from '../../src/store/redis/quotas.ts';
import { RedisTime } from '../../src/store/redis/redis-time.ts';
import type { Plan, WhenStoreSilent } from '../../src/sync/snapshot.ts';
import { fakeCall, fakeOutcome, fakePlan } from '../chain/fake-call.ts';
import { RedisFixture } from '../store/redis/counters.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';

const GATEWAYS = 4;
const clock = { now: () => Date.now(), monotonic: () => performance.now() };
const quotaOf = (limit: number) =>
  ({ metric: 'units', limit, period: 'month', timeZone: 'Europe/Berlin', anchor: 1 }) as const;

/** Trackers of several gateways against one Redis. */
class Fleet {
  readonly gateways: { redis: RedisFixture; tracker: QuotaTracker; quotas: RedisQuotas; time: RedisTime }[] = [];
  readonly errors: unknown[] = [];
  served = 0;

  /** @param patience see `RedisFixture.open` */
  static async open(patience?: number): Promise<Fleet> {
    const fleet = new Fleet();
    for (let i = 0; i < GATEWAYS; i++) await fleet.start(`gateway-${i}`, { patience });
    return fleet;
  }

  async start(name: string, { offsetMs = 0, patience }: { offsetMs?: number; patience?: number | undefined } = {}) {
    const redis = await RedisFixture.open(server.port, this.prefix, patience);
    const time = new RedisTime({ now: () => clock.now() + offsetMs, monotonic: clock.monotonic });
    const onError = (error: unknown) => void this.errors.push(error);
    const quotas = new RedisQuotas({ ...redis.parts, owner: name, time, onError });
    const tracker = new QuotaTracker({ quotas, now: time.now, onError, liveGateways: () => GATEWAYS });
    this.gateways.push({ redis, tracker, quotas, time });
  }

  /** Makes calls at once. @returns the reasons of those that were refused */
  async calls(gateway: number, plan: Plan, count: number): Promise<string[]> {
    const { tracker } = this.gateways[gateway]!;
    const calls = Array.from({ length: count }, () => fakeCall('demo', plan));
    const verdicts = await Promise.all(calls.map((call) => tracker.admit(call)));
    const refused = verdicts.filter((verdict) => verdict !== undefined).map(({ reason }) => reason);
    calls.forEach((call, i) => {
      if (verdicts[i] === undefined) tracker.settle(call, fakeOutcome());
    });
    this.served += count - refused.length;
    return refused;
  }

  async usage(plan: Plan): Promise<{ used: number; leased: number }> {
    const { quotas } = this.gateways.at(-1)!;
    // The month that it is in Berlin, by the one key that there is.
    const [key] = await this.gateways.at(-1)!.redis.client.keys(`${this.prefix}*`);
    const periodStart = Number(key?.split(':').at(-1));
    return quotas.usage({ tenantId: 'demo', metric: counterOf(plan.quotas[0]!), periodStart });
  }

  readonly prefix = `quota${++prefixes}:`;

  close(): void {
    for (const { redis } of this.gateways) redis.close();
  }
}

let prefixes = 0;
let server: RedisServer;
let fleet: Fleet;

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());
afterEach(() => fleet.close());

const planOf = (limit: number, whenStoreSilent?: WhenStoreSilent) =>
  fakePlan({ quotas: [quotaOf(limit)], whenStoreSilent });

describe('four gateways with one quota', () => {
  beforeEach(async () => {
    fleet = await Fleet.open();
  });

  it('serve all of it together and not a call more, wherever the demand is', async () => {
    const plan = planOf(3000);
    for (let round = 0; round < 60; round++) {
      await Promise.all([0, 1, 2, 3].map((gateway) => fleet.calls(gateway, plan, gateway === round % 4 ? 70 : 10)));
    }
    expect(fleet.served).toBe(3000);
  });

  it('have used what they served, to the unit, after they drained', async () => {
    const plan = planOf(100_000);
    for (let round = 0; round < 20; round++) {
      await Promise.all([0, 1, 2, 3].map((gateway) => fleet.calls(gateway, plan, 10 * gateway + 3)));
    }
    const { used, leased } = await fleet.usage(plan);
    expect(used + leased).toBeGreaterThan(fleet.served);
    await Promise.all(fleet.gateways.map(({ tracker }) => tracker.drain()));
    expect(await fleet.usage(plan)).toEqual({ used: fleet.served, leased: 0 });
    expect(fleet.errors).toEqual([]);
  });

  it('lose at most one lease with each that dies', async () => {
    const plan = planOf(10_000);
    for (let round = 0; round < 50; round++) {
      await Promise.all([0, 1, 2, 3].map((gateway) => fleet.calls(gateway, plan, 20)));
    }
    const survivors = fleet.gateways.slice(0, 2);
    await Promise.all(survivors.map(({ tracker }) => tracker.drain()));
    const { used, leased } = await fleet.usage(plan);
    expect(used + leased - fleet.served).toBeGreaterThan(0);
    expect(used + leased - fleet.served).toBeLessThanOrEqual(2 * 100);
  });

  it('go by the month of Redis and the tenant’s zone, not by their own clock', async () => {
    const plan = planOf(100);
    await fleet.start('astray', { offsetMs: 45 * 86_400_000 });
    await fleet.start('behind', { offsetMs: -45 * 86_400_000 });
    expect(await fleet.calls(0, plan, 80)).toEqual([]);
    const [astray, behind] = [await fleet.calls(GATEWAYS, plan, 15), await fleet.calls(GATEWAYS + 1, plan, 15)];
    // A unit or two may be in the hands of one where no call comes any more.
    expect([astray, behind].flat().length).toBeGreaterThanOrEqual(10);
    expect([astray, behind].flat().length).toBeLessThan(15);
    expect(await fleet.gateways[0]!.redis.client.keys(`${fleet.prefix}*`)).toHaveLength(1);
  });
});

describe('while Redis is silent', () => {
  beforeEach(async () => {
    fleet = await Fleet.open(1);
  });

  /** Freezes Redis, and makes calls until every gateway has noticed. */
  async function silence(plan: Plan): Promise<void> {
    await Promise.all([0, 1, 2, 3].map((gateway) => fleet.calls(gateway, plan, 4)));
    server.signal('SIGSTOP');
    await Promise.all(fleet.gateways.map(({ redis }) => redis.noticed()));
  }

  async function wake(): Promise<void> {
    server.signal('SIGCONT');
    await Promise.all(fleet.gateways.map(({ redis }) => redis.back()));
  }

  it('a short silence is worth no more than 1 % of the quota for all gateways together, counted without another call', async () => {
    const plan = planOf(4000);
    await silence(plan);
    const before = fleet.served;
    const held = fleet.gateways.reduce((sum, { tracker }) => sum + tracker.leased('demo'), 0);
    const refused: string[] = [];
    try {
      for (let gateway = 0; gateway < GATEWAYS; gateway++) refused.push(...(await fleet.calls(gateway, plan, 2000)));
    } finally {
      await wake();
    }
    expect(new Set(refused)).toEqual(new Set(['STORE_UNAVAILABLE']));
    // A second may have begun at each of them since.
    expect(fleet.served - before).toBeGreaterThanOrEqual(held + 40);
    expect(fleet.served - before).toBeLessThanOrEqual(held + 80);
    await expect
      .poll(async () => {
        const { used, leased } = await fleet.usage(plan);
        return used + leased;
      })
      .toBe(fleet.served);
    await Promise.all(fleet.gateways.map(({ tracker }) => tracker.drain()));
    expect(await fleet.usage(plan)).toEqual({ used: fleet.served, leased: 0 });
  });

  it('an open plan serves all, even more than there is, and it is counted; a closed one none beyond its lease', async () => {
    const [open, closed] = [planOf(100, 'open'), planOf(100, 'closed')];
    await silence(open);
    try {
      expect(await fleet.calls(0, open, 300)).toEqual([]);
      expect(new Set(await fleet.calls(1, closed, 300))).toEqual(new Set(['STORE_UNAVAILABLE']));
    } finally {
      await wake();
    }
    await Promise.all(fleet.gateways.map(({ tracker }) => tracker.drain()));
    expect(await fleet.usage(open)).toEqual({ used: fleet.served, leased: 0 });
  });

  /** Makes calls while an answer is late, and waits until Redis has counted what was served. */
  async function late(plan: Plan, calls: number): Promise<string[]> {
    server.signal('SIGSTOP');
    const reasons = fleet.calls(0, plan, calls);
    await Promise.race([reasons, new Promise((resolve) => setTimeout(resolve, 2000))]);
    server.signal('SIGCONT');
    const refused = await reasons;
    await Promise.all(fleet.gateways.map(({ tracker }) => tracker.drain()));
    await expect
      .poll(async () => {
        const { used, leased } = await fleet.usage(plan);
        return used + leased;
      })
      .toBe(fleet.served);
    return refused;
  }

  it('nobody is told that a quota is used up because one answer is late: a part of a lease is served in advance, and counted', async () => {
    const plan = planOf(4000);
    await fleet.calls(0, plan, 5);
    const held = fleet.gateways[0]!.tracker.leased('demo');
    const refused = await late(plan, 180);
    expect(new Set(refused)).toEqual(new Set(['STORE_UNAVAILABLE']));
    // What it held, and its part of a lease.
    expect(180 - refused.length).toBeGreaterThan(0);
    expect(180 - refused.length).toBeLessThanOrEqual(held + 10);
  });

  it('first calls are served while the answer is late', async () => {
    expect(await late(planOf(40_000), 100)).toEqual([]);
  });

  it('but not those of a closed plan', async () => {
    expect(await late(planOf(40_000, 'closed'), 100)).toEqual(Array.from({ length: 100 }, () => 'STORE_UNAVAILABLE'));
  });

  it('nothing is served in advance where little was left', async () => {
    const plan = planOf(1000);
    while (fleet.served < 900) await fleet.calls(0, plan, 900 - fleet.served);
    const held = fleet.gateways[0]!.tracker.leased('demo');
    const refused = await late(plan, 80);
    expect(80 - refused.length).toBeLessThanOrEqual(held);
  });
});
