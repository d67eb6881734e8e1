import { closeSync, existsSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { DEFAULT_RETENTION, type Retention } from '../journal.ts';
import { type Store, StoreUnusable } from '../store.ts';
import { ChangeLog } from './change-log.ts';
import { EmbeddedDocuments } from './documents.ts';
import { EmbeddedJournal } from './journal.ts';
import { EmbeddedKeyUses } from './key-uses.ts';
import { lockStore } from './lock.ts';
import { EmbeddedQuotas } from './quotas.ts';
import { MemoryRates } from './rates.ts';
import { migrate, refuseForeign } from './schema.ts';
import { SqliteCode, sqliteCode } from './sqlite.ts';

export interface StoreClock {
  /** Unix milliseconds. */
  now(): number;
  /** Milliseconds that never go back. */
  monotonic(): number;
}

export interface EmbeddedStoreOptions {
  /** The SQLite file. It and its folder are made when absent, for this user alone. */
  readonly path: string;
  readonly clock: StoreClock;
  /** Changes that the log keeps; default 10,000. */
  readonly keepChanges?: number | undefined;
  /** Of the audit log. */
  readonly retention?: Retention | undefined;
}

/** A document's commit may wait this long for an outside writer (somebody with a shell); a quota's may not hold up calls. */
const DOCUMENTS_TIMEOUT_MS = 1000;
const QUOTAS_TIMEOUT_MS = 20;

/**
 * Opens the store of one gateway: one SQLite file, no server.
 * @throws StoreUnusable when the file is in use, of a newer version, no store, or out of reach
 */
export function openEmbeddedStore(options: EmbeddedStoreOptions): Store {
  const { path, clock } = options;
  const opened: { close(): void }[] = [];
  const closeAll = () => {
    for (const one of opened.splice(0).reverse()) one.close();
  };
  try {
    makeFile(path);
    const lock = lockStore(path);
    opened.push({ close: () => lock.release() });
    // Changes of documents are rare and acknowledged to people: each is on the disk before it is (synchronous=FULL).
    const documents = connect(path, DOCUMENTS_TIMEOUT_MS, 'FULL');
    opened.push(documents);
    migrate(documents);
    // Leases are many. With NORMAL a commit is in the operating system's hands when it returns: it survives the death of
    // the process, and only a power cut could take the last ones, after which some units could be used twice.
    const quotas = connect(path, QUOTAS_TIMEOUT_MS, 'NORMAL');
    opened.push(quotas);
    const log = new ChangeLog(documents, options.keepChanges ?? 10_000);
    const journal = new EmbeddedJournal(documents, options.retention ?? DEFAULT_RETENTION, clock);
    return {
      documents: new EmbeddedDocuments(documents, log, journal, clock),
      journal,
      quotas: new EmbeddedQuotas(quotas, clock),
      keyUses: new EmbeddedKeyUses(quotas),
      rates: new MemoryRates(() => clock.monotonic()),
      close: async () => closeAll(),
    };
  } catch (error) {
    closeAll();
    throw unusable(path, error);
  }
}

/** SQLite would make the file by the umask; its side files then take the mode of the file. */
function makeFile(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  for (const file of [path, `${path}.lock`]) {
    // Only a file that is not there yet: to close one that is would drop the locks that this process has on it
    // (POSIX; https://sqlite.org/howtocorrupt.html section 2.2).
    if (existsSync(file)) continue;
    closeSync(openSync(file, 'ax', 0o600));
  }
}

function connect(path: string, timeout: number, synchronous: 'FULL' | 'NORMAL'): DatabaseSync {
  const db = new DatabaseSync(path, { timeout });
  try {
    refuseForeign(db, path);
    const mode = db.prepare('PRAGMA journal_mode = WAL').get()?.journal_mode;
    if (mode !== 'wal') {
      throw new StoreUnusable(
        `${path} lies on a file system without shared memory (a network share?): use a local disk`,
      );
    }
    db.exec(`PRAGMA synchronous = ${synchronous}; PRAGMA journal_size_limit = 67108864; PRAGMA trusted_schema = OFF`);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Says what to do next about what the system or SQLite reported. */
function unusable(path: string, error: unknown): StoreUnusable {
  if (error instanceof StoreUnusable) return error;
  const why = error instanceof Error ? error.message : String(error);
  const code = sqliteCode(error);
  if (code === SqliteCode.NOTADB) {
    return new StoreUnusable(
      `${path} is no SQLite database: give the store another path, or move that file away`,
      error,
    );
  }
  if (code === SqliteCode.BUSY || code === SqliteCode.LOCKED) {
    return new StoreUnusable(`${path} is locked by another program: close it, then start again`, error);
  }
  return new StoreUnusable(
    `cannot open the store ${path} (${why}): the folder must exist or be makeable, and writable`,
    error,
  );
}
