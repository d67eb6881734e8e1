import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Retention } from '../../../src/store/journal.ts';
import type { RedisConnection } from '../../../src/store/redis/connect.ts';
import { RedisDocuments } from '../../../src/store/redis/documents.ts';
import { RedisJournal } from '../../../src/store/redis/journal.ts';
import { loadScripts, Scripts } from '../../../src/store/redis/scripts.ts';
import { type RedisServer, startRedis } from '../../support/redis-server.ts';
import { type JournalFixture, journalContract } from '../contract/journal.ts';
import { bytes, FakeClock } from '../support.ts';
import { connected, nextNonce, redisSettings } from './support.ts';

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

let prefixes = 0;

async function open(
  retention: Retention | undefined,
): Promise<JournalFixture & { readonly connection: RedisConnection }> {
  const clock = new FakeClock();
  const connection = await connected({ ...redisSettings(redis.port), keyPrefix: `journal${++prefixes}:` });
  const scripts = new Scripts(connection.client, loadScripts());
  const parts = { connection, scripts, clock, retention };
  return {
    clock,
    connection,
    documents: new RedisDocuments({ ...parts, nonce: nextNonce }),
    journal: new RedisJournal(parts),
    close: async () => connection.close(),
  };
}

journalContract(open);

test('what is too old goes, one with each that comes', async () => {
  const fixture = await open({ changes: 1000, refusals: 1000, ageMs: 5000 });
  await fixture.journal.append(bytes('old'), false);
  fixture.clock.ms += 6000;
  await fixture.journal.append(bytes('new'), false);
  expect((await fixture.journal.list(undefined, 9)).entries).toHaveLength(1);
  await fixture.close();
});

test('a log that is ahead of the documents goes on from where it is', async () => {
  const { documents, journal, connection, close } = await open(undefined);
  const put = { op: 'put', kind: 'plan', id: 'a', body: bytes('a') } as const;
  for (const text of ['1', '2', '3']) await documents.commit([put], { audit: bytes(text) });
  // Redis lost the configuration, and nothing else.
  await connection.client.del(
    connection.key('{cfg}:head'),
    connection.key('{cfg}:documents'),
    connection.key('{cfg}:changes'),
  );
  await documents.commit([put], { audit: bytes('after') });
  await journal.append(bytes('last'), false);
  const { entries } = await journal.list(undefined, 9);
  expect(entries.map(({ body }) => Buffer.from(body).toString())).toEqual(['last', 'after', '3', '2', '1']);
  await close();
});
