import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { Fleet, GATEWAYS, mostAbove, planOf } from './limiter-fleet.ts';

let server: RedisServer;
let fleet: Fleet;
let prefixes = 0;
const open = async () => {
  fleet = await Fleet.open(server.port, `fleet${++prefixes}:`);
};

beforeAll(async () => {
  server = await startRedis();
});
afterEach(() => fleet.close());
afterAll(() => server.stop());

describe('four gateways with one limit', () => {
  it('admit in any window no more than burst + rate x (window + 0.1 s), under tenfold, shifting demand, and refusals cost hardly a question', async () => {
    await open();
    const shares = (elapsed: number) => {
      const heavy = Math.floor(elapsed / 300) % GATEWAYS;
      return Array.from({ length: GATEWAYS }, (_, i) =>
        i === heavy ? 0.85 : i === (heavy + 1) % GATEWAYS ? 0 : 0.075,
      );
    };
    await fleet.drive(planOf(1000, 100), 10_000, 1800, shares);
    // How much of it, and at what cost, is held in test/ratelimit/leases-model.test.ts, where no machine can stall.
    expect(mostAbove(fleet.admitted, 1000, 100)).toBeLessThanOrEqual(0);
    expect(fleet.admitted.length).toBeGreaterThan(100);
    expect(fleet.asked).toBeLessThan(0.02 * fleet.refusals);
  });

  it('admit the calls below the limit, at less than 0.1 questions a call', async () => {
    await open();
    // So much that it holds what comes at once after a machine has stalled.
    await fleet.drive(planOf(100_000, 20_000), 1000, 1200, () => [0.25, 0.25, 0.25, 0.25]);
    expect(fleet.refusals).toBe(0);
    expect(fleet.asked).toBeLessThan(0.1 * fleet.admitted.length);
  });

  it('keep a low limit to the call', async () => {
    await open();
    const ms = await fleet.drive(planOf(5, 3), 200, 1200, () => [0.4, 0.3, 0.2, 0.1]);
    expect(fleet.admitted.length).toBeLessThanOrEqual(3 + (5 * ms) / 1000);
    expect(fleet.admitted.length).toBeGreaterThanOrEqual(3);
  });
});
