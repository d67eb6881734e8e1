import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RedisQuotas } from '../../../src/store/redis/quotas.ts';
import { RedisRates } from '../../../src/store/redis/rates.ts';
import { RedisTime } from '../../../src/store/redis/redis-time.ts';
import { type RedisCluster, type RedisServer, startRedis, startRedisCluster } from '../../support/redis-server.ts';
import { quotasContract } from '../contract/quotas.ts';
import { ratesContract } from '../contract/rates.ts';
import { FakeClock } from '../support.ts';
import { RedisFixture } from './counters.ts';
import { connected, redisSettings } from './support.ts';

const DAY = 86_400_000;
const clock = { now: () => Date.now(), monotonic: () => performance.now() };

let server: RedisServer;
let prefixes = 0;

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());

function quotasOf(fixture: RedisFixture, owner: string, time = new RedisTime(clock)): RedisQuotas {
  const onError = (error: unknown) => {
    throw error;
  };
  return new RedisQuotas({ ...fixture.parts, owner, time, onError });
}

const open = () => RedisFixture.open(server.port, `counters${++prefixes}:`);

/** From noon to noon, around now. */
const today = () => ({ start: Date.now() - DAY / 2, end: Date.now() + DAY / 2 });

quotasContract(async () => {
  const fixture = await open();
  return { quotas: quotasOf(fixture, 'gateway-1'), period: today(), close: async () => fixture.close() };
});

ratesContract(async () => {
  const fixture = await open();
  return { rates: new RedisRates(fixture.parts), close: async () => fixture.close() };
});

describe('quota counters in Redis', () => {
  const request = (period: { start: number; end: number }, over: object = {}) => ({
    tenantId: 'demo',
    metric: 'units/day',
    periodStart: period.start,
    periodEnd: period.end,
    limit: 100,
    want: 30,
    least: 1,
    ...over,
  });

  const keyOf = (fixture: RedisFixture, { start }: { start: number }) =>
    fixture.parts.connection.key(`{t:demo}:quota:units/day:${start}`);

  it('can be read without spending: what is used, and what gateways hold', async () => {
    const fixture = await open();
    const period = today();
    const [one, two] = [quotasOf(fixture, 'one'), quotasOf(fixture, 'two')];
    await one.lease(request(period));
    await two.lease(request(period));
    expect(await one.usage(request(period))).toEqual({ used: 0, leased: 60 });
    await one.lease(request(period, { want: 10, held: 5 }));
    expect(await one.usage(request(period))).toEqual({ used: 25, leased: 45 });
    await two.giveBack(request(period), 30);
    expect(await one.usage(request(period))).toEqual({ used: 25, leased: 15 });
    fixture.close();
  });

  it('take nothing back of a lease that has expired: it counts as used', async () => {
    const fixture = await open();
    const period = today();
    const quotas = quotasOf(fixture, 'one');
    await quotas.lease(request(period));
    const key = keyOf(fixture, period);
    await fixture.client.hset(key, 'lease:one', `30 ${Date.now() - 1} 0`);
    await quotas.giveBack(request(period), 30);
    expect(await quotas.usage(request(period))).toEqual({ used: 30, leased: 0 });
    fixture.close();
  });

  it('lease nothing for a period that it is not by the clock of Redis, and tell that clock', async () => {
    const fixture = await open();
    const late = new FakeClock();
    late.ms = Date.now() - 3 * DAY;
    const time = new RedisTime(late);
    const quotas = quotasOf(fixture, 'one', time);
    const period = { start: time.now() - DAY / 2, end: time.now() + DAY / 2 };
    expect(await quotas.lease(request(period))).toEqual({ granted: 0, left: 0, adjusted: 0, otherPeriod: true });
    expect(Math.abs(time.now() - Date.now())).toBeLessThan(5000);
    fixture.close();
  });

  it('count what was used in silence once, however often it is told, and above the limit', async () => {
    const fixture = await open();
    const period = today();
    const quotas = quotasOf(fixture, 'one');
    await quotas.lease(request(period, { want: 95 }));
    for (const settlement of [1, 1, 2, 1, 2]) await quotas.settle(request(period), 4, settlement);
    expect(await quotas.used(request(period))).toBe(103);
    expect(await quotas.lease(request(period))).toEqual({ granted: 0, left: 0, adjusted: 0, otherPeriod: false });
    fixture.close();
  });

  it('forget the leases of gateways that are gone', async () => {
    const fixture = await open();
    const period = today();
    for (let i = 0; i < 70; i++) await quotasOf(fixture, `gateway-${i}`).lease(request(period, { want: 1 }));
    const key = keyOf(fixture, period);
    expect(await fixture.client.hlen(key)).toBe(71);
    for (let i = 0; i < 69; i++) await fixture.client.hset(key, `lease:gateway-${i}`, '1 1000 0');
    await quotasOf(fixture, 'gateway-69').lease(request(period, { want: 1 }));
    expect(await fixture.client.hlen(key)).toBe(2);
    expect(await quotasOf(fixture, 'x').used(request(period))).toBe(71);
    fixture.close();
  });

  it('go with their period, some days later', async () => {
    const fixture = await open();
    const period = today();
    await quotasOf(fixture, 'one').lease(request(period));
    const key = keyOf(fixture, period);
    expect(await fixture.client.pexpiretime(key)).toBe(Math.floor(period.end) + 7 * DAY);
    fixture.close();
  });
});

describe('counters in a Cluster', () => {
  let cluster: RedisCluster;
  beforeAll(async () => {
    cluster = await startRedisCluster();
  });
  afterAll(() => cluster.stop());

  it('of many tenants lie on all masters, and each script finds its keys on one', async () => {
    const settings = redisSettings(0, { kind: 'cluster', nodes: cluster.nodes });
    const fixture = RedisFixture.over(await connected(settings));
    const rates = new RedisRates(fixture.parts);
    const quotas = quotasOf(fixture, 'one');
    const { start, end } = today();
    for (let i = 0; i < 50; i++) {
      const tenantId = `tenant-${i}`;
      expect((await rates.take(`${tenantId}/calls`, 1, 10, 4)).granted).toBe(4);
      const counter = { tenantId, metric: 'units/day', periodStart: start, periodEnd: end };
      expect((await quotas.lease({ ...counter, limit: 10, want: 4, least: 1 })).granted).toBe(4);
      await quotas.giveBack(counter, 1);
      await quotas.settle(counter, 2, 1);
      expect(await quotas.used(counter)).toBe(5);
    }
    for (const master of cluster.masters) expect(await master.command('DBSIZE')).toBeGreaterThan(5);
    fixture.close();
  });
});
