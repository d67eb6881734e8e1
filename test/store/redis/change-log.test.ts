import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectRedis } from '../../../src/store/redis/connect.ts';
import { documentKeys } from '../../../src/store/redis/document-keys.ts';
import { RedisDocuments } from '../../../src/store/redis/documents.ts';
import { loadScripts, Scripts } from '../../../src/store/redis/scripts.ts';
import { type RedisServer, startRedis } from '../../support/redis-server.ts';
import { FakeClock } from '../support.ts';
import { nextNonce, redisSettings } from './support.ts';

// The log of changes is bounded by their number, and by their octets: contracts are up to a mebibyte each.

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis?.stop());

const KEEP_OCTETS = 500_000;
const BODY = Buffer.alloc(60_000, 'x');

test('the log keeps as many octets as it may, and one change more, however many changes that are', async () => {
  const connection = connectRedis(redisSettings(redis.port), { onError: () => {} });
  await connection.ready(5000);
  const scripts = new Scripts(connection.client, loadScripts());
  const options = { connection, scripts, clock: new FakeClock(), nonce: nextNonce };
  const documents = new RedisDocuments({ ...options, keepOctets: KEEP_OCTETS });
  const put = (body: Buffer) => documents.commit([{ op: 'put', kind: 'contract', id: 'shop', body }]);
  const length = () => connection.client.xlen(documentKeys(connection).changes);
  for (let i = 0; i < 30; i++) await put(BODY);
  // 80,000 octets each in base64.
  expect(await length()).toBe(7);
  expect((await documents.missed(22, 100)).changes).toBeUndefined();
  expect((await documents.missed(23, 100)).changes).toHaveLength(7);
  // Small ones have room again when large ones have gone.
  for (let i = 0; i < 200; i++) await put(Buffer.from('small'));
  expect(await length()).toBeGreaterThan(205);
  for (let i = 0; i < 10; i++) await put(BODY);
  expect(await length()).toBe(7);

  // What is read at once is bounded, too; the rest follows.
  const all = new RedisDocuments(options);
  for (let i = 0; i < 70; i++) await all.commit([{ op: 'put', kind: 'contract', id: 'shop', body: BODY }]);
  const version = await all.version();
  const { changes } = await all.missed(version - 70, 500);
  expect(changes!.length).toBeGreaterThan(50);
  expect(changes!.length).toBeLessThan(60);
  const rest = await all.missed(version - 70 + changes!.length, 500);
  expect([...changes!, ...rest.changes!].map(({ change }) => change.version)).toEqual(
    Array.from({ length: 70 }, (_, index) => version - 69 + index),
  );
  connection.close();
});
