import { connectRedis, type RedisConnection, type RedisSettings } from '../../../src/store/redis/connect.ts';
import { RedisDocuments } from '../../../src/store/redis/documents.ts';
import { loadScripts, Scripts } from '../../../src/store/redis/scripts.ts';
import type { DocumentsFixture } from '../contract/fixture.ts';
import { FakeClock } from '../support.ts';

export function redisSettings(port: number, over: Partial<RedisSettings> = {}): RedisSettings {
  return {
    kind: 'single',
    nodes: [{ host: '127.0.0.1', port }],
    database: 0,
    username: undefined,
    password: undefined,
    sentinel: undefined,
    tls: undefined,
    keyPrefix: 'test:',
    ...over,
  };
}

let nonces = 0;
export const nextNonce = (): string => `n${++nonces}`;

/** Connects, and waits until commands are taken. */
export async function connected(settings: RedisSettings): Promise<RedisConnection> {
  const connection = connectRedis(settings, { onError: () => {} });
  await connection.ready(5000);
  return connection;
}

let prefixes = 0;

/** Documents under a key prefix of their own. */
export async function redisDocuments(settings: RedisSettings): Promise<DocumentsFixture> {
  const clock = new FakeClock();
  const keyPrefix = `test${++prefixes}:`;
  let connection: RedisConnection | undefined;
  const open = async (keepChanges?: number): Promise<RedisDocuments> => {
    connection = await connected({ ...settings, keyPrefix });
    const scripts = new Scripts(connection.client, loadScripts());
    return new RedisDocuments({ connection, scripts, clock, nonce: nextNonce, keepChanges });
  };
  return {
    clock,
    open,
    async reopen(keepChanges) {
      connection?.close();
      return open(keepChanges);
    },
    async close() {
      connection?.close();
    },
  };
}
