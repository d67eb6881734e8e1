import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { checkServer } from '../../../src/store/redis/check-server.ts';
import { connectRedis, type RedisConnection, type RedisSettings } from '../../../src/store/redis/connect.ts';
import { RedisDocuments } from '../../../src/store/redis/documents.ts';
import { loadScripts, Scripts } from '../../../src/store/redis/scripts.ts';
import { StoreUnavailable } from '../../../src/store/store-errors.ts';
import { startRedis, startRedisCluster, startSentinel } from '../../support/redis-server.ts';
import { TLS_CERT, TLS_KEY } from '../../support/test-config.ts';
import { bytes, FakeClock } from '../support.ts';
import { connected, nextNonce, redisSettings } from './support.ts';

/** What is to be closed, the last first. */
const opened: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

async function closing<T extends { stop(): Promise<void> }>(starting: Promise<T>): Promise<T> {
  const started = await starting;
  opened.push(() => started.stop());
  return started;
}

async function open(settings: RedisSettings): Promise<{ documents: RedisDocuments; connection: RedisConnection }> {
  const connection = await connected(settings);
  opened.push(() => connection.close());
  const scripts = new Scripts(connection.client, loadScripts());
  return {
    connection,
    documents: new RedisDocuments({ connection, scripts, clock: new FakeClock(), nonce: nextNonce }),
  };
}

const put = (id: string) => [{ op: 'put', kind: 'plan', id, body: bytes(id) } as const];

describe('Redis as it is run', () => {
  it('over TLS, as an ACL user who may touch the prefix only', async () => {
    const tlsPort = await freePort();
    const redis = await closing(
      startRedis({
        config: {
          'tls-port': String(tlsPort),
          'tls-cert-file': TLS_CERT,
          'tls-key-file': TLS_KEY,
          'tls-ca-cert-file': TLS_CERT,
          'tls-auth-clients': 'no',
          'user tollgate': 'on >secret ~gate:* &gate:* +@all -@admin',
          'user default': 'off nopass ~* &* +@all',
        },
      }),
    );
    const settings = redisSettings(tlsPort, {
      tls: { ca: TLS_CERT, serverName: 'localhost', cert: undefined, key: undefined },
      username: 'tollgate',
      password: 'secret',
      keyPrefix: 'gate:',
    });
    const { documents, connection } = await open(settings);
    expect((await documents.commit(put('a'))).version).toBe(1);
    expect((await documents.list('plan', { limit: 5 })).documents).toHaveLength(1);
    expect(await checkServer(connection.client)).toEqual([expect.stringContaining('appendonly')]);
    const wrong = connectRedis({ ...settings, password: 'wrong' }, { onError: () => {} });
    opened.push(() => wrong.close());
    await expect(wrong.ready(1000)).rejects.toThrow('WRONGPASS');
    expect(redis.port).not.toBe(tlsPort);
  });

  it('restarted, and so without the scripts that it knew', async () => {
    const redis = await closing(startRedis({ durable: true }));
    const { documents } = await open(redisSettings(redis.port));
    await documents.commit(put('a'));
    await redis.command('SCRIPT', 'FLUSH');
    expect((await documents.commit(put('b'))).version).toBe(2);
    await redis.kill();
    await expect(documents.commit(put('c'))).rejects.toThrow(StoreUnavailable);
    await redis.restart();
    expect((await documents.commit(put('c'))).version).toBe(3);
  });

  it('out of memory: the change is refused whole, what is there can be read', async () => {
    const redis = await closing(startRedis());
    const { documents } = await open(redisSettings(redis.port));
    await documents.commit(put('a'));
    await redis.command('CONFIG', 'SET', 'maxmemory', '1mb');
    await expect(documents.commit(put('b'))).rejects.toThrow('OOM');
    expect((await documents.get('plan', 'a'))?.version).toBe(1);
    await redis.command('CONFIG', 'SET', 'maxmemory', '0');
    expect((await documents.commit(put('b'))).version).toBe(2);
  });

  it('failed over by a Sentinel', async () => {
    const set = await closing(startSentinel());
    const { documents } = await open(
      redisSettings(0, {
        kind: 'sentinel',
        nodes: set.sentinels,
        sentinel: { master: set.masterName, username: undefined, password: undefined },
      }),
    );
    await documents.commit(put('a'));
    await set.master.command('WAIT', 1, 1000);
    await set.failOver();
    const { version } = await persist(() => documents.commit(put('b')));
    expect(version).toBeGreaterThan(1);
    expect((await documents.list('plan', { limit: 5 })).documents.map(({ id }) => id)).toEqual(['a', 'b']);
  });

  it('made a replica: the master is looked for anew', async () => {
    const [first, second] = [await closing(startRedis()), await closing(startRedis())];
    const { documents } = await open(redisSettings(first.port));
    await documents.commit(put('a'));
    await first.command('REPLICAOF', '127.0.0.1', second.port);
    await expect(documents.commit(put('b'))).rejects.toThrow(StoreUnavailable);
    await first.command('REPLICAOF', 'NO', 'ONE');
    await persist(() => documents.commit(put('b')));
  });

  it('set up to forget: what is wrong is said, with what to do', async () => {
    const bad = await closing(startRedis({ config: { maxmemory: '50mb', 'maxmemory-policy': 'allkeys-lru' } }));
    const good = await closing(startRedis({ durable: true }));
    expect(await checkServer((await open(redisSettings(bad.port))).connection.client)).toEqual([
      expect.stringContaining('appendonly yes'),
      expect.stringContaining('noeviction'),
    ]);
    expect(await checkServer((await open(redisSettings(good.port))).connection.client)).toEqual([]);
    await good.command('CONFIG', 'SET', 'appendfsync', 'no');
    expect(await checkServer((await open(redisSettings(good.port))).connection.client)).toEqual([
      expect.stringContaining('appendfsync everysec'),
    ]);
  });

  it('as a Cluster: each node is looked at', async () => {
    const cluster = await closing(startRedisCluster());
    const { connection } = await open(redisSettings(0, { kind: 'cluster', nodes: cluster.nodes }));
    expect(await checkServer(connection.client)).toEqual([expect.stringContaining('appendonly')]);
  });
});

/** As a client does when it is told that the store is not available. */
async function persist<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
