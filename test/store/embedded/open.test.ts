import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openEmbeddedStore } from '../../../src/store/embedded/open.ts';
import { StoreUnusable } from '../../../src/store/store.ts';
import { bytes, StoreFolder } from '../support.ts';

let folder: StoreFolder;
beforeEach(() => {
  folder = new StoreFolder();
});
afterEach(() => folder.close());

describe('opening the embedded store', () => {
  it('makes folder and file for this user alone', () => {
    folder.open();
    expect(statSync(folder.path).mode & 0o777).toBe(0o600);
    expect(statSync(`${folder.path}-wal`).mode & 0o777).toBe(0o600);
    expect(statSync(dirname(folder.path)).mode & 0o777).toBe(0o700);
  });

  it('refuses a file that another gateway uses, and says what to do', async () => {
    const first = folder.open();
    expect(() => folder.open()).toThrow(StoreUnusable);
    expect(() => folder.open()).toThrow(/in use by another gateway: stop that one, or/);
    await first.documents.commit([{ op: 'put', kind: 'plan', id: 'free', body: bytes('x') }]);
    const second = await folder.reopen(first);
    expect(await second.documents.version()).toBe(1);
  });

  it('lets others read the file meanwhile', async () => {
    const store = folder.open();
    await store.documents.commit([{ op: 'put', kind: 'plan', id: 'free', body: bytes('x') }]);
    const reader = new DatabaseSync(folder.path, { readOnly: true });
    expect(reader.prepare('SELECT id FROM documents').all()).toEqual([{ id: 'free' }]);
    reader.close();
  });

  it('refuses a file of a newer version', async () => {
    await folder.open().close();
    const db = new DatabaseSync(folder.path);
    db.exec('PRAGMA user_version = 99');
    db.close();
    expect(() => folder.open()).toThrow(/newer Tollgate \(schema 99/);
  });

  it("refuses another program's database, and what is none", () => {
    mkdirSync(dirname(folder.path), { recursive: true });
    const db = new DatabaseSync(folder.path);
    db.exec('CREATE TABLE theirs (x)');
    db.close();
    expect(() => folder.open()).toThrow(/another program's SQLite database/);
    const theirs = new DatabaseSync(folder.path);
    expect(theirs.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'delete' });
    theirs.close();

    const path = join(folder.folder, 'notes.txt');
    writeFileSync(path, 'dear diary, '.repeat(1000));
    expect(() => openEmbeddedStore({ path, clock: folder.clock })).toThrow(/is no SQLite database/);
  });

  it('says so when the folder cannot be made', () => {
    const file = join(folder.folder, 'file');
    writeFileSync(file, '');
    const path = join(file, 'tollgate.db');
    expect(() => openEmbeddedStore({ path, clock: folder.clock })).toThrow(/cannot open the store .*writable/);
  });

  it('fails cleanly when used after it was closed', async () => {
    const store = folder.open();
    await store.close();
    await store.close();
    await expect(store.documents.get('plan', 'free')).rejects.toThrow();
  });
});
