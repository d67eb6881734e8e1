import { afterEach, expect, it } from 'vitest';
import { StoreUnavailable } from '../../src/store/store-errors.ts';
import { redisSettings } from '../store/redis/support.ts';
import { startRedisCluster, startSentinel } from '../support/redis-server.ts';
import { Member, plan } from './redis-fleet.ts';

const opened: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

async function pair(settings: Parameters<typeof redisSettings>[1]): Promise<[Member, Member]> {
  const members = ['a', 'b'].map((id) => new Member(id, redisSettings(0, settings), 200));
  for (const member of members) opened.push(() => member.dispose());
  const [a, b] = await Promise.all(members.map((member) => member.start()));
  return [a!, b!];
}

it('keeps a fleet in step through a Cluster, its messages too', async () => {
  const cluster = await startRedisCluster();
  opened.push(() => cluster.stop());
  // So seldom that a poll does not explain it.
  const members = ['a', 'b'].map(
    (id) => new Member(id, redisSettings(0, { kind: 'cluster', nodes: cluster.nodes }), 60_000),
  );
  for (const member of members) opened.push(() => member.dispose());
  const [a, b] = await Promise.all(members.map((member) => member.start()));
  for (let i = 1; i <= 20; i++) {
    const { version } = await (i % 2 ? a! : b!).sync.change([plan('free', i)]);
    await Promise.all([a!.reached(version), b!.reached(version)]);
  }
  expect(b!.versions).toEqual(a!.versions);
});

it('keeps a fleet in step over a failover, and goes on with the new master', async () => {
  const set = await startSentinel();
  opened.push(() => set.stop());
  const sentinel = { master: set.masterName, username: undefined, password: undefined };
  const [a, b] = await pair({ kind: 'sentinel', nodes: set.sentinels, sentinel });
  const first = await a.sync.change([plan('free', 1)]);
  await b.reached(first.version);
  await set.master.command('WAIT', 1, 1000);
  await set.failOver();
  for (;;) {
    try {
      const { version } = await a.sync.change([plan('free', 2)]);
      await b.reached(version);
      break;
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  expect(b.sync.current.plans.get('free')?.concurrency).toBe(2);
});
