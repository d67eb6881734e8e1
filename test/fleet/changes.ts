import { Redis } from 'ioredis';
import { Tenant_State } from '../../generated/tollgate/admin/v1/tenant.ts';
import type { Fleet } from '../support/fleet.ts';
import { checkVersions, type SeenVersion } from './checker.ts';
import { monotonicMs } from './monotonic.ts';

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

/** How long changes took to be everywhere: milliseconds, sorted. */
export interface ChangesReport {
  readonly quiet: readonly number[];
  /** While subscribers were killed, and messages doubled, of versions long past or to come. */
  readonly hurt: readonly number[];
  /** Without any message. */
  readonly deaf: readonly number[];
  /** What was broken whatever the time it took: a version that went back, gateways that are not equal at the end. */
  readonly broken: readonly string[];
}

/** Changes, one after the other, at one gateway after the other: in peace, with messages hurt, and without any. */
export async function runChanges(fleet: Fleet, count: number): Promise<ChangesReport> {
  const redis = new Redis({ ...fleet.redis.node, disableClientInfo: true });
  const watcher = new Watcher(redis);
  const parts = { fleet, redis, watcher };
  try {
    const quiet = await change(parts, count);
    // Lost with their subscriber, doubled, out of order, of versions to come, and nonsense.
    const hurt = await change(parts, count, async (index) => {
      const version = Number(await redis.hget(HEAD, 'version'));
      if (index % 3 === 0) await redis.client('KILL', 'TYPE', 'PUBSUB');
      for (const told of [version, version - 5, version + 5, 0, -1, 'x']) await redis.publish(CHANNEL, String(told));
    });
    // Nobody may listen: only the looks at the version are left.
    await redis.acl('SETUSER', 'default', '-subscribe', '-psubscribe');
    await redis.client('KILL', 'TYPE', 'PUBSUB');
    const deaf = await change(parts, Math.max(4, Math.floor(count / 25)));
    await redis.acl('SETUSER', 'default', '+@all');
    const versions = new Set(await watcher.look());
    const unequal = versions.size === 1 ? [] : [`gateways are at versions ${[...versions].join(', ')}`];
    return { quiet, hurt, deaf, broken: [...checkVersions(watcher.seen), ...unequal] };
  } finally {
    redis.disconnect();
  }
}

export function describeChanges({ quiet, hurt, deaf }: ChangesReport): string {
  return (
    `promise 3: a change is everywhere within ${p99(quiet).toFixed(0)} ms (99 % of ${quiet.length}), ` +
    `${p99(hurt).toFixed(0)} ms while subscribers are killed (99 % of ${hurt.length}), ` +
    `${deaf.at(-1)!.toFixed(0)} ms without any message (all of ${deaf.length})`
  );
}

/** Held on a machine that does nothing else: the time that a change takes. @returns what is broken */
export function checkChangeTimes({ quiet, hurt, deaf }: ChangesReport): string[] {
  const held = (what: string, ms: number, most: number) => (ms <= most ? [] : [`${what}: ${ms.toFixed(0)} ms`]);
  return [
    ...held('a change undisturbed', p99(quiet), 200),
    ...held('a change while subscribers are killed', p99(hurt), 1_000),
    ...held('a change without any message', deaf.at(-1)!, 5_000),
  ];
}
