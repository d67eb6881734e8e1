import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Backend } from '../../generated/tollgate/admin/v1/backend.ts';
import { Contract } from '../../generated/tollgate/admin/v1/contract.ts';
import { documentKeys } from '../../src/store/redis/document-keys.ts';
import { StoreUnusable } from '../../src/store/store.ts';
import { StoreUnavailable } from '../../src/store/store-errors.ts';
import { redisSettings } from '../store/redis/support.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { contents, key, Member, plan, tenant } from './redis-fleet.ts';

let redis: RedisServer;
let members: Member[] = [];
let prefix = 0;

beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());
afterEach(async () => {
  await Promise.all(members.map((member) => member.dispose()));
  members = [];
});

/** A fleet of its own. */
function fleet(size: number, pollMs = 60_000): Member[] {
  const settings = redisSettings(redis.port, { keyPrefix: `s${++prefix}:` });
  const made = Array.from({ length: size }, (_, i) => new Member(`g${i}`, settings, pollMs));
  members.push(...made);
  return made;
}

describe('the sync of a fleet', () => {
  it('brings a change to every gateway, in the order of versions', async () => {
    const [a, b] = await Promise.all(fleet(2).map((member) => member.start()));
    const change = await a!.sync.change([plan('free'), tenant('demo'), key('k', 'demo', 'h1')]);
    expect(a!.sync.current.version).toBe(change.version);
    await b!.reached(change.version);
    expect(b!.sync.current.tenants.get('demo')?.plan).toBe('free');
    expect(b!.hashes).toEqual(['h1']);
    expect((await b!.replica.getByHash('api_key', 'h1'))?.id).toBe('k');
    const { version } = await b!.sync.change([{ op: 'delete', kind: 'tenant', id: 'demo' }]);
    await a!.reached(version);
    expect(a!.sync.current.tenants.get('demo')).toBeUndefined();
    expect(await a!.replica.getByHash('api_key', 'h1')).toBeUndefined();
    expect([a!.versions, b!.versions]).toEqual([
      [1, 2],
      [1, 2],
    ]);
  });

  it('finds by polling what no message told of', async () => {
    const [a, b] = await Promise.all(fleet(2, 20).map((member) => member.start()));
    // Messages go to nobody: the channel has another name for this writer.
    const keys = documentKeys(a!.connection);
    await a!.connection.client.call('ACL', ['SETUSER', 'default', 'resetchannels']);
    try {
      await a!.sync.change([plan('free')]).catch(() => {});
    } finally {
      await a!.connection.client.call('ACL', ['SETUSER', 'default', 'allchannels']);
    }
    const { version } = await a!.sync.change([plan('free', 2)]);
    await b!.reached(version);
    expect(await a!.connection.client.hget(keys.head, 'version')).toBe(String(version));
  });

  it('reads everything anew when the log no longer reaches back, and tells which keys changed', async () => {
    const [a, b] = fleet(2);
    await a!.start();
    await b!.start();
    const { version } = await a!.sync.change([
      plan('free'),
      plan('old'),
      tenant('t'),
      key('k', 't', 'h1'),
      key('x', 't', 'h2'),
    ]);
    await b!.reached(version);
    await b!.stop();
    await a!.sync.change([key('k', 't', 'h3'), { op: 'delete', kind: 'api_key', id: 'x' }]);
    await a!.sync.change([{ op: 'delete', kind: 'plan', id: 'old' }, plan('new', 4)]);
    const keys = documentKeys(a!.connection);
    await a!.connection.client.call('XTRIM', [keys.changes, 'MAXLEN', '0']);
    await b!.start();
    expect(b!.sync.status).toMatchObject({ state: 'synced', version: 3, readings: 1 });
    expect(contents(b!.sync, ['t'])).toEqual(contents(a!.sync, ['t']));
    expect(await b!.replica.getByHash('api_key', 'h1')).toBeUndefined();
    expect((await b!.replica.getByHash('api_key', 'h3'))?.id).toBe('k');
    expect(await b!.replica.getByHash('api_key', 'h2')).toBeUndefined();
  });

  it('tells listeners of every key that is different after all was read anew', async () => {
    const [a, b] = await Promise.all(fleet(2).map((member) => member.start()));
    await a!.sync.change([plan('free'), tenant('t'), key('same', 't', 'h0'), key('k', 't', 'h1'), key('x', 't', 'h2')]);
    await b!.reached(1);
    b!.hashes.length = 0;
    // A damaged entry of the log hides what came with it: only reading everything helps.
    const { changes, head } = documentKeys(a!.connection);
    await a!.documents.commit([key('k', 't', 'h3'), { op: 'delete', kind: 'api_key', id: 'x' }]);
    await Promise.all([a!.reached(2), b!.reached(2)]);
    expect(b!.hashes.toSorted()).toEqual(['h1', 'h2', 'h3']);
    await a!.connection.client.xadd(changes, '3-0', 'nonce', 'n', 'prev', 'p', 'entries', '{');
    await a!.connection.client.hset(head, { version: '3', nonce: 'n' });
    b!.hashes.length = 0;
    b!.sync.wake();
    await b!.reached(3);
    expect(b!.hashes).toEqual([]);
    expect(b!.sync.status).toMatchObject({ state: 'synced', readings: 1 });
  });

  it('starts from its own copy while Redis is away, and catches up when it is back', async () => {
    const own = await startRedis({ durable: true });
    const settings = redisSettings(own.port);
    const [a, b] = [new Member('a', settings, 50), new Member('b', settings, 50)];
    members.push(a, b);
    try {
      await a.start();
      await b.start();
      const { version } = await a.sync.change([plan('free'), tenant('t'), key('k', 't', 'h1')]);
      await b.reached(version);
      await b.stop();
      await a.sync.change([plan('free', 5)]);
      await own.kill();
      await b.start();
      expect(b.sync.status.state).toBe('away');
      expect(b.sync.current.tenants.get('t')?.plan).toBe('free');
      expect((await b.replica.getByHash('api_key', 'h1'))?.id).toBe('k');
      // Of what is for the whole fleet it takes its part, and not all.
      expect(b.sync.liveGateways).toBe(2);
      await expect(b.sync.change([plan('x')])).rejects.toThrow(StoreUnavailable);
      await own.restart();
      await b.reached(version + 1);
      expect(b.sync.current.plans.get('free')?.concurrency).toBe(5);
      await until(() => b.sync.status.state === 'synced');
      await expect(new Member('c', redisSettings(1)).start()).rejects.toThrow(StoreUnusable);
    } finally {
      await own.stop();
    }
  });

  it('keeps the last good snapshot when Redis has lost changes, and takes no new ones', async () => {
    const [a] = fleet(1);
    await a!.start();
    await a!.sync.change([plan('free'), tenant('t')]);
    const { version } = await a!.sync.change([plan('free', 9)]);
    await redis.command('FLUSHALL');
    await expect(a!.sync.change([plan('other')])).rejects.toThrow('lost changes');
    a!.sync.wake();
    await until(() => a!.sync.status.state === 'behind');
    expect(a!.sync.current.version).toBe(version);
    expect(a!.sync.current.tenants.get('t')).toBeDefined();
  });

  it('takes no change from a gateway that lags when another knows what Redis has lost', async () => {
    const [a, b] = fleet(2);
    await a!.start();
    await b!.start();
    await a!.sync.change([plan('free')]);
    const { version } = await a!.sync.change([plan('free', 9)]);
    const announced = async () => (await a!.sync.view()).gateways.some((gateway) => gateway.version === version);
    while (!(await announced())) await new Promise((resolve) => setTimeout(resolve, 5));
    // As after a failover to a replica that had not got the last change.
    const [head] = (await redis.command('KEYS', '*{cfg}:head')) as string[];
    await redis.command('HSET', head!, 'version', version - 1);
    await expect(b!.documents.commit([plan('late')])).rejects.toThrow('lost changes');
    await redis.command('HSET', head!, 'version', version);
    expect((await b!.documents.commit([plan('late')])).version).toBe(version + 1);
  });

  it('gives back what Redis has lost, from the gateway that has the most', async () => {
    const [a, b] = fleet(2, 30);
    await a!.start();
    await a!.sync.change([plan('free'), tenant('t'), key('k', 't', 'h1')]);
    await b!.start();
    const { version } = await b!.sync.change([plan('free', 9)]);
    await a!.reached(version);
    await redis.command('FLUSHALL');
    await Promise.all([a!.reached(version + 1), b!.reached(version + 1)]);
    await until(() => a!.sync.status.state === 'synced' && b!.sync.status.state === 'synced');
    expect((await a!.documents.get('plan', 'free'))?.version).toBe(version);
    expect((await a!.documents.getByHash('api_key', 'h1'))?.parent).toBe('t');
    expect(contents(a!.sync, ['t'])).toEqual(contents(b!.sync, ['t']));
    // Links are there too: a plan that is in use stays, a tenant goes with its keys.
    await expect(a!.sync.change([{ op: 'delete', kind: 'plan', id: 'free' }])).rejects.toThrow('used by tenant t');
    const gone = await a!.sync.change([{ op: 'delete', kind: 'tenant', id: 't' }]);
    expect(gone.hashes).toEqual(['h1']);
  });

  it('does not bring back from its disk what somebody may have removed on purpose, unless told to', async () => {
    const [a] = fleet(1, 10);
    await a!.start();
    await a!.sync.change([plan('free'), tenant('t')]);
    await a!.stop();
    await redis.command('FLUSHALL');
    await a!.start();
    expect(a!.sync.status.state).toBe('behind');
    expect(a!.sync.current.tenants.get('t')).toBeDefined();
    expect(await a!.documents.version()).toBe(0);
    expect(await a!.sync.restore()).toBe(true);
    await a!.sync.whenSynced();
    expect((await a!.documents.get('tenant', 't'))?.reference).toBe('free');
    expect(await a!.sync.restore()).toBe(false);
  });

  it('notices another history of the same length', async () => {
    // That polls so seldom that the new history begins without it: nobody writes where another is known to be ahead.
    const [a, b] = fleet(2, 60_000);
    await a!.start();
    await a!.sync.change([plan('free', 1)]);
    await a!.sync.change([plan('free', 2)]);
    await redis.command('FLUSHALL');
    await b!.start();
    for (const n of [11, 12, 13]) await b!.sync.change([plan('free', n)]);
    a!.sync.wake();
    await a!.reached(3);
    expect(a!.sync.current.plans.get('free')?.concurrency).toBe(13);
    expect(a!.sync.status.readings).toBe(1);
  });

  it.each([
    ['plan', new Uint8Array([0xff, 0xff])],
    ['backend', Backend.encode(Backend.fromPartial({ endpoints: ['nowhere'] })).finish()],
    ['contract', Contract.encode(Contract.fromPartial({ descriptorSet: Buffer.from('nonsense') })).finish()],
  ] as const)('refuses a damaged %s, says so, and goes on when it is replaced', async (kind, body) => {
    const [a, b] = await Promise.all(fleet(2).map((member) => member.start()));
    await a!.sync.change([plan('free', 1)]);
    await b!.reached(1);
    // Past the checks of a gateway: a writer of another make.
    await a!.documents.commit([{ op: 'put', kind, id: 'bad', body }]);
    await a!.documents.commit([plan('free', 2)]);
    await until(() => a!.sync.status.state === 'refused' && b!.sync.status.state === 'refused');
    expect(b!.sync.current.version).toBe(1);
    expect(b!.sync.current.plans.get('free')?.concurrency).toBe(1);
    expect(b!.sync.status.refused).toBeGreaterThan(0);
    const { version } = await a!.sync.change([{ op: 'delete', kind, id: 'bad' }]);
    await b!.reached(version);
    await until(() => b!.sync.status.state === 'synced');
    expect(b!.sync.current.plans.get('free')?.concurrency).toBe(2);
  });

  it('drops a damaged copy and reads anew', async () => {
    const [a] = fleet(1);
    await a!.start();
    await a!.sync.change([plan('free', 1)]);
    await a!.stop();
    writeFileSync(
      join(a!.folder, 'replica.db'),
      'this is no database, but it is long enough to be looked at'.repeat(99),
    );
    await a!.start();
    expect(a!.sync.current.plans.get('free')?.concurrency).toBe(1);
  });

  it('knows which gateways there are, and what they have', async () => {
    const [a, b] = await Promise.all(fleet(2, 20).map((member) => member.start()));
    const { version } = await a!.sync.change([plan('free', 1)]);
    await b!.reached(version);
    await until(async () => (await a!.sync.view()).gateways.filter((g) => g.version === version).length === 2);
    const { gateways } = await a!.sync.view();
    expect(gateways.map(({ id }) => id).toSorted()).toEqual(['g0', 'g1']);
    expect(a!.sync.liveGateways).toBe(2);
    await b!.stop();
    expect((await a!.sync.view()).gateways.map(({ id }) => id)).toEqual(['g0']);
  });
});

describe('a fleet under attack', () => {
  it('is equal after 1,000 changes, however often subscriptions break and wake-ups are lost', async () => {
    const fleetOf = fleet(4, 100);
    await Promise.all(fleetOf.map((member) => member.start()));
    const ids = new Set<string>();
    await fleetOf[0]!.sync.change([plan('free')]);
    let version = 0;
    for (let i = 0; i < 1000; i++) {
      const id = `t${(i * 7919) % 300}`;
      ids.add(id);
      const gone = i % 5 === 4;
      const write = gone ? ({ op: 'delete', kind: 'tenant', id } as const) : tenant(id, `name ${i}`);
      ({ version } = await persist(() => fleetOf[i % 4]!.sync.change([write])));
      if (i % 50 === 25) await redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
      if (i % 100 === 75) await redis.command('CLIENT', 'KILL', 'TYPE', 'normal');
      if (i % 10 === 3) await redis.command('PUBLISH', 's1:{cfg}:changed', 'stray');
    }
    await Promise.all(fleetOf.map((member) => member.reached(version)));
    const [first, ...others] = fleetOf.map((member) => contents(member.sync, ids));
    for (const other of others) expect(other).toEqual(first);
    for (const { versions, errors } of fleetOf) {
      expect(versions).toEqual(versions.toSorted((x, y) => x - y));
      expect(new Set(versions).size).toBe(versions.length);
      expect(errors).toEqual([]);
    }
  });
});

/** As a client does when it is told that the store is not available. */
async function persist<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
      // The connection's end has to be heard before it is asked again.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

/** Asks again and again: the state of another process, or of another part of this one that tells nobody. */
async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5));
}
