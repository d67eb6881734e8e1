import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Plan } from '../../src/sync/snapshot.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { Fleet, mostAbove, planOf } from './limiter-fleet.ts';

let server: RedisServer;
let fleet: Fleet;
let prefixes = 0;
const open = async () => {
  fleet = await Fleet.open(server.port, `silent${++prefixes}:`, 1);
};

beforeAll(async () => {
  server = await startRedis();
});
afterEach(() => fleet.close());
afterAll(() => server.stop());

describe('while Redis is frozen', () => {
  const even = () => [0.25, 0.25, 0.25, 0.25];

  /** Some time with Redis, some with it frozen, some with it back. @returns what was asked and admitted while frozen */
  async function freeze(plan: Plan, perSecond: number): Promise<{ asked: number; admitted: number; sent: number }> {
    await open();
    await fleet.drive(plan, perSecond, 200, even);
    const before = { asked: fleet.asked, admitted: fleet.admitted.length, refused: fleet.refusals };
    server.signal('SIGSTOP');
    try {
      await fleet.drive(plan, perSecond, 500, even);
    } finally {
      server.signal('SIGCONT');
    }
    const admitted = fleet.admitted.length - before.admitted;
    const sent = admitted + fleet.refusals - before.refused;
    const asked = fleet.asked - before.asked;
    await Promise.all(fleet.gateways.map(({ redis }) => redis.back()));
    await fleet.drive(plan, perSecond, 500, even);
    // Generous, for a machine that is busy with other tests: nothing waits for Redis to be back, 500 ms later.
    expect(fleet.longestWaitMs).toBeLessThan(300);
    return { asked, admitted, sent };
  }

  it('each gateway admits its share of the limit, hardly anything is asked, and no second burst when it is back', async () => {
    const { asked, admitted } = await freeze(planOf(400, 80), 4000);
    expect(asked).toBeLessThan(40);
    expect(admitted).toBeGreaterThan(400 * 0.5 * 0.6);
    // docs/fleet.md has the bound: gateways come back one by one.
    expect(mostAbove(fleet.admitted, 400, 80)).toBeLessThan(80);
  });

  it('a plan that is open admits all calls', async () => {
    const { admitted, sent } = await freeze(planOf(100, 20, 'open'), 1000);
    expect(admitted).toBeGreaterThan(0.7 * sent);
  });

  it('a plan that is closed admits none, says why, and goes on when Redis is back', async () => {
    const { admitted } = await freeze(planOf(2000, 400, 'closed'), 1000);
    expect(fleet.refused.get('STORE_UNAVAILABLE')).toBeGreaterThan(200);
    // What was leased before it fell silent.
    expect(admitted).toBeLessThan(200);
    const before = fleet.admitted.length;
    await fleet.drive(planOf(2000, 400, 'closed'), 1000, 300, even);
    expect(fleet.admitted.length - before).toBeGreaterThan(100);
  });
});
