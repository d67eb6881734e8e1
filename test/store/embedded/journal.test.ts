import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { openEmbeddedStore } from '../../../src/store/embedded/open.ts';
import { DEFAULT_RETENTION } from '../../../src/store/journal.ts';
import { type JournalFixture, journalContract } from '../contract/journal.ts';
import { bytes, StoreFolder } from '../support.ts';

async function open(retention = DEFAULT_RETENTION): Promise<JournalFixture & { readonly path: string }> {
  const folder = new StoreFolder();
  const { clock, path } = folder;
  const { documents, journal, close } = openEmbeddedStore({ path, clock, retention });
  return {
    ...{ clock, path, documents, journal },
    async close() {
      await close();
      await folder.close();
    },
  };
}

journalContract(open);

test('the table lets no entry be changed or deleted that is to be kept', async () => {
  const { path, journal, close } = await open();
  await journal.append(bytes('a change'), false);
  await journal.append(bytes('a refusal'), true);
  const db = new DatabaseSync(path);
  for (const sql of ['DELETE FROM audit', 'DELETE FROM audit WHERE refused = 1', "UPDATE audit SET body = x'00'"]) {
    expect(() => db.exec(sql)).toThrow('the audit log is append-only');
  }
  db.close();
  expect((await journal.list(undefined, 9)).entries).toHaveLength(2);
  await close();
});

test('what is too old goes', async () => {
  const { clock, journal, close } = await open({ changes: 1000, refusals: 1000, ageMs: 5000 });
  await journal.append(bytes('old'), false);
  clock.ms += 6000;
  for (let i = 0; i < 100; i++) await journal.append(bytes('new'), false);
  const { entries } = await journal.list(undefined, 1000);
  expect(new Set(entries.map(({ body }) => Buffer.from(body).toString()))).toEqual(new Set(['new']));
  await close();
});
