import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { Tenant_State } from '../../generated/tollgate/admin/v1/tenant.ts';
import type { Fleet } from '../support/fleet.ts';
import { checkVersions, type SeenVersion } from './checker.ts';
import { monotonicMs } from './monotonic.ts';

/** FLEET_CHANGES=1000 for the long form. */
const CHANGES = Number(process.env.FLEET_CHANGES ?? 40);
const CHANNEL = 'tollgate:{cfg}:changed';
const HEAD = 'tollgate:{cfg}:head';
/** What gateways say that they have applied, seen all the time. */
class Watcher {
  readonly #redis: Redis;
  readonly seen: SeenVersion[] = [];
  readonly #ids: string[] = [];

  constructor(redis: Redis) {
    this.#redis = redis;
  }

  /** @returns the versions of those that live */
  async look(): Promise<number[]> {
    const entries = await this.#redis.hgetall('tollgate:{cfg}:gateways');
    return Object.entries(entries).map(([id, entry]) => {
      if (!this.#ids.includes(id)) this.#ids.push(id);
      const { version } = JSON.parse(entry) as { version: number };
      this.seen.push({ at: monotonicMs(), gateway: this.#ids.indexOf(id), run: 0, version });
      return version;
    });
  }

  /** @returns milliseconds until all have it */
  async untilAllHave(version: number): Promise<number> {
    const from = monotonicMs();
    while ((await this.look()).some((each) => each < version));
    return monotonicMs() - from;
  }
}

/** Makes changes, one after the other, at one gateway after the other. @returns how long each took to be everywhere, sorted */
async function change(
  { fleet, redis, watcher }: { fleet: Fleet; redis: Redis; watcher: Watcher },
  count: number,
  disturb: (index: number) => Promise<unknown> = async () => {},
): Promise<number[]> {
  const admins = fleet.gateways.map((_, gateway) => fleet.admin(gateway));
  const ways: number[] = [];
  for (let index = 0; index < count; index++) {
    const state = index % 2 === 0 ? Tenant_State.STATE_SUSPENDED : Tenant_State.STATE_ACTIVE;
    await disturb(index);
    await admins[index % admins.length]!.updateTenant('beta', { state });
    const version = Number(await redis.hget(HEAD, 'version'));
    ways.push(await watcher.untilAllHave(version));
  }
  for (const admin of admins) admin.close();
  return ways.sort((a, b) => a - b);
}

const p99 = (sorted: readonly number[]) => sorted[Math.floor((sorted.length - 1) * 0.99)]!;

/** Promise 3: every change is on every gateway soon, whatever becomes of the messages that announce it. */
export function testChanges(fleetOf: () => Fleet): void {
  test('undisturbed, disturbed and without any message, all gateways come to be equal and none goes back', {
    timeout: 60_000 + CHANGES * 100,
  }, async () => {
    const fleet = fleetOf();
    const redis = new Redis({ ...fleet.redis.node, disableClientInfo: true });
    const watcher = new Watcher(redis);
    const parts = { fleet, redis, watcher };
    try {
      const quiet = await change(parts, CHANGES);
      // Killed, doubled, of versions long past or to come, and nonsense.
      const hurt = await change(parts, CHANGES, async (index) => {
        const version = Number(await redis.hget(HEAD, 'version'));
        if (index % 3 === 0) await redis.client('KILL', 'TYPE', 'PUBSUB');
        for (const told of [version, version - 5, version + 5, 0, -1, 'x']) await redis.publish(CHANNEL, String(told));
      });
      // Nobody may listen: only the looks at the version are left.
      await redis.acl('SETUSER', 'default', '-subscribe', '-psubscribe');
      await redis.client('KILL', 'TYPE', 'PUBSUB');
      const deaf = await change(parts, 4);
      await redis.acl('SETUSER', 'default', '+@all');
      console.log(
        `promise 3: a change is everywhere within ${p99(quiet).toFixed(0)} ms (99 % of ${CHANGES}), ` +
          `${p99(hurt).toFixed(0)} ms while subscribers are killed, ${deaf.at(-1)!.toFixed(0)} ms without any message`,
      );
      expect(checkVersions(watcher.seen)).toEqual([]);
      expect(p99(quiet)).toBeLessThan(200);
      expect(p99(hurt)).toBeLessThan(1_000);
      expect(deaf.at(-1)).toBeLessThan(5_000);
      expect(new Set(await watcher.look()).size).toBe(1);
    } finally {
      redis.disconnect();
    }
  });
}
