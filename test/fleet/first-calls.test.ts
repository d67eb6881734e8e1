import { afterAll, beforeAll, expect, test } from 'vitest';
import { Tenant as ConfigTenant, Overload } from '../../generated/tollgate/config/v1/config.ts';
import { MiddlewareChain } from '../../src/chain/chain.ts';
import { EndOfTurn } from '../../src/chain/end-of-turn.ts';
import { QuotaTracker } from '../../src/quota/quota-tracker.ts';
import { RateLimiter } from '../../src/ratelimit/rate-limiter.ts';
import { RedisQuotas } from '../../src/store/redis/quotas.ts';
import { RedisRates } from '../../src/store/redis/rates.ts';
import { RedisTime } from '../../src/store/redis/redis-time.ts';
import { fakeCall, fakePlan } from '../chain/fake-call.ts';
import { RedisFixture } from '../store/redis/counters.ts';
import { Fleet } from '../support/fleet.ts';

// A tenant's first calls find no lease, neither of the limit nor of the quota: all of them wait for the first one, and none
// is refused for that, however many tenants there are, and however busy this machine keeps Redis.

const TENANTS = 120;
const AT_ONCE = 50;
let fleet: Fleet;

beforeAll(async () => {
  fleet = await Fleet.start({
    gateways: 2,
    edit: (config) => {
      config.overload = { ...Overload.create(), disabled: true };
      config.tenants = Array.from({ length: TENANTS }, (_, index) => {
        return ConfigTenant.fromPartial({ id: `tenant-${index}`, plan: 'wide' });
      });
    },
  });
});
afterAll(() => fleet?.dispose());

/** Makes the first calls of some tenants, all at once. @returns how many had each status */
async function firstCalls(begin: number, end: number): Promise<ReadonlyMap<number, number>> {
  const loads = Array.from({ length: end - begin }, (_, i) => fleet.load(i % 2, fleet.key(`tenant-${begin + i}`)));
  const answers = await Promise.all(loads.flatMap((load) => Array.from({ length: AT_ONCE }, () => load.call())));
  const counts = new Map<number, number>();
  for (const { status } of answers) counts.set(status, (counts.get(status) ?? 0) + 1);
  return counts;
}

test('many first calls at once are all admitted', async () => {
  expect(await firstCalls(0, 20)).toEqual(new Map([[0, 20 * AT_ONCE]]));
  expect(await firstCalls(20, 80)).toEqual(new Map([[0, 60 * AT_ONCE]]));
});

test('so are those that come while Redis gets no time to answer', async () => {
  fleet.redis.signal('SIGSTOP');
  try {
    expect(await firstCalls(80, 100)).toEqual(new Map([[0, 20 * AT_ONCE]]));
  } finally {
    fleet.redis.signal('SIGCONT');
  }
  expect(await firstCalls(100, 120)).toEqual(new Map([[0, 20 * AT_ONCE]]));
});

test('they cost Redis one question for the limits of all, and one for each quota, all asked at once', async () => {
  const redis = await RedisFixture.open(fleet.redis.port, 'first-calls:');
  const time = new RedisTime({ now: Date.now, monotonic: () => performance.now() });
  const turn = new EndOfTurn();
  const onError = (error: unknown) => {
    throw error;
  };
  const rates = new RedisRates(redis.parts);
  const quotas = new RedisQuotas({ ...redis.parts, owner: 'one', time, onError });
  const quota = new QuotaTracker({ quotas, now: time.now, turn, onError });
  const chain = new MiddlewareChain([new RateLimiter({ rates, now: () => performance.now(), turn }), quota]);
  const plan = fakePlan({
    limits: [{ name: 'calls', rate: 10_000, burst: 1_000 }],
    quotas: [{ metric: 'units', limit: 100_000, period: 'day', timeZone: 'UTC', anchor: 0 }],
  });
  const tenants = Array.from({ length: 60 }, (_, index) => `first-${index}`);
  const calls = tenants.flatMap((tenant) => Array.from({ length: AT_ONCE }, () => fakeCall(tenant, plan)));
  const verdicts = await Promise.all(calls.map((call) => chain.admit({ ...call, admittedStages: 0 })));
  expect(verdicts.filter((verdict) => verdict !== undefined)).toEqual([]);
  expect(redis.asked).toBe(1 + tenants.length);
  await quota.drain();
  redis.close();
});
