import { closeSync, existsSync, mkdirSync, openSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { Change, Document, DocumentKind, Page } from '../store.ts';
import { toDocument } from './change-log.ts';
import { lockStore } from './lock.ts';
import { integer, SqliteCode, sqliteCode, Transactions, text } from './sqlite.ts';

/** Which state of the fleet's configuration the copy is. */
export interface ReplicaHead {
  readonly version: number;
  /** Of the change that made the version. */
  readonly nonce: string;
}

/** "tolr": marks the file as a copy. */
const APPLICATION_ID = 0x746f6c72;
const SCHEMA_VERSION = 1;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS documents (
    kind TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL, created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL, hash TEXT, parent TEXT, reference TEXT, body BLOB NOT NULL,
    -- The reading that saw it: what a later one does not see is gone.
    reading INTEGER NOT NULL,
    PRIMARY KEY (kind, id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS documents_by_hash ON documents (kind, hash) WHERE hash IS NOT NULL;
  CREATE TABLE IF NOT EXISTS head (
    one INTEGER PRIMARY KEY CHECK (one = 1), version INTEGER NOT NULL, nonce TEXT NOT NULL, reading INTEGER NOT NULL
  ) STRICT;
  INSERT OR IGNORE INTO head VALUES (1, 0, '', 0);
  -- How many gateways the fleet had when that was last noted.
  CREATE TABLE IF NOT EXISTS fleet (one INTEGER PRIMARY KEY CHECK (one = 1), gateways INTEGER NOT NULL) STRICT;
  INSERT OR IGNORE INTO fleet VALUES (1, 1);
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${SCHEMA_VERSION};`;

/**
 * A gateway's own copy of the fleet's documents, in one SQLite file. Keys are looked up here, so that authentication never
 * waits for the network; and from here a gateway starts when the store is away. It is only a copy: a damaged file is
 * dropped, and what was not yet on the disk is read again.
 */
export class Replica {
  readonly #db: DatabaseSync;
  readonly #release: () => void;
  readonly #transactions: Transactions;
  readonly #statements: Statements;

  private constructor(db: DatabaseSync, release: () => void) {
    this.#db = db;
    this.#release = release;
    this.#transactions = new Transactions(db);
    this.#statements = prepare(db);
  }

  /** @throws StoreUnusable when another gateway has the file; the system's errors */
  static open(path: string): Replica {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    for (const file of [path, `${path}.lock`]) {
      if (!existsSync(file)) closeSync(openSync(file, 'ax', 0o600));
    }
    const lock = lockStore(path);
    const release = () => lock.release();
    try {
      return new Replica(connect(path), release);
    } catch (error) {
      if (!isDamaged(error)) {
        release();
        throw error;
      }
      for (const file of [path, `${path}-wal`, `${path}-shm`]) rmSync(file, { force: true });
      return new Replica(connect(path), release);
    }
  }

  get head(): ReplicaHead {
    const row = this.#statements.head.get();
    if (row === undefined) throw new TypeError('the copy has no head');
    return { version: integer(row, 'version'), nonce: text(row, 'nonce') };
  }

  /** Gateways of the fleet as they were last noted; 1 before. */
  get gateways(): number {
    const row = this.#statements.fleet.get();
    return row === undefined ? 1 : integer(row, 'gateways');
  }

  noteGateways(gateways: number): void {
    this.#statements.setFleet.run(gateways);
  }

  get(kind: DocumentKind, id: string): Document | undefined {
    const row = this.#statements.get.get(kind, id);
    return row === undefined ? undefined : toDocument(row);
  }

  async getByHash(kind: DocumentKind, hash: string): Promise<Document | undefined> {
    const row = this.#statements.byHash.get(kind, hash);
    return row === undefined ? undefined : toDocument(row);
  }

  async list(kind: DocumentKind, { after = '', limit }: { after?: string | undefined; limit: number }): Promise<Page> {
    const rows = this.#statements.list.all(kind, after, limit + 1);
    const documents = rows.slice(0, limit).map(toDocument);
    return { documents, next: rows.length > limit ? documents.at(-1)?.id : undefined };
  }

  async version(): Promise<number> {
    return this.head.version;
  }

  /** Takes changes that follow on the head, one transaction for all. */
  apply(changes: readonly Change[], head: ReplicaHead): void {
    this.#transactions.run(() => {
      const reading = this.#reading();
      for (const change of changes) this.#apply(change, reading);
      this.#statements.setHead.run(head.version, head.nonce);
    });
  }

  /** Begins to read everything anew; until `finish` nothing of it counts. */
  beginReading(): ReplicaReading {
    this.#db.exec('BEGIN IMMEDIATE');
    const reading = this.#reading() + 1;
    this.#statements.setReading.run(reading);
    const changed = new Map<string, { before: Document | undefined; document: Document | undefined }>();
    const note = (kind: DocumentKind, id: string, document: Document | undefined) => {
      const key = `${kind}/${id}`;
      const before = changed.has(key) ? changed.get(key)?.before : this.get(kind, id);
      changed.set(key, { before, document });
    };
    return {
      add: (documents) => {
        for (const document of documents) {
          const before = this.get(document.kind, document.id);
          if (before === undefined || !isSame(before, document)) note(document.kind, document.id, document);
          this.#put(document, reading);
        }
      },
      follow: (change) => {
        for (const document of change.documents) note(document.kind, document.id, document);
        for (const { kind, id } of change.deleted) note(kind, id, undefined);
        this.#apply(change, reading);
      },
      finish: (head) => {
        for (const row of this.#statements.unseen.all(reading)) {
          const { kind, id } = toDocument(row);
          note(kind, id, undefined);
          this.#statements.delete.run(kind, id);
        }
        this.#statements.setHead.run(head.version, head.nonce);
        return toChange(head.version, changed);
      },
      commit: () => this.#db.exec('COMMIT'),
      abandon: () => {
        if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      },
    };
  }

  close(): void {
    if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
    this.#db.close();
    this.#release();
  }

  #reading(): number {
    const row = this.#statements.head.get();
    return row === undefined ? 0 : integer(row, 'reading');
  }

  #apply(change: Change, reading: number): void {
    for (const { kind, id } of change.deleted) this.#statements.delete.run(kind, id);
    for (const document of change.documents) this.#put(document, reading);
  }

  #put({ kind, id, version, createdAt, updatedAt, hash, parent, reference, body }: Document, reading: number): void {
    const links = [hash ?? null, parent ?? null, reference ?? null];
    this.#statements.put.run(kind, id, version, createdAt, updatedAt, ...links, body, reading);
  }
}

/** Everything, read anew. Exactly one of `commit` (after `finish`) and `abandon` ends it. */
export interface ReplicaReading {
  add(documents: readonly Document[]): void;
  /** A change that came while it was read. */
  follow(change: Change): void;
  /** @returns what is different from before, as one change */
  finish(head: ReplicaHead): Change;
  commit(): void;
  abandon(): void;
}

function isSame(a: Document, b: Document): boolean {
  return (
    a.version === b.version &&
    a.hash === b.hash &&
    a.parent === b.parent &&
    a.reference === b.reference &&
    Buffer.compare(a.body, b.body) === 0
  );
}

function toChange(
  version: number,
  changed: ReadonlyMap<string, { before: Document | undefined; document: Document | undefined }>,
): Change {
  const documents: Document[] = [];
  const deleted: { kind: DocumentKind; id: string; hash: string | undefined }[] = [];
  const hashes = new Set<string>();
  for (const { before, document } of changed.values()) {
    if (document !== undefined) documents.push(document);
    else if (before !== undefined) deleted.push({ kind: before.kind, id: before.id, hash: before.hash });
    for (const hash of [before?.hash, document?.hash]) if (hash !== undefined) hashes.add(hash);
  }
  return { version, documents, deleted, hashes: [...hashes] };
}

function connect(path: string): DatabaseSync {
  const db = new DatabaseSync(path, { timeout: 1000 });
  try {
    const { application_id: application } = db.prepare('PRAGMA application_id').get() ?? {};
    const { user_version: version } = db.prepare('PRAGMA user_version').get() ?? {};
    if (application !== 0 && (application !== APPLICATION_ID || version !== SCHEMA_VERSION)) throw new ForeignCopy();
    // What a power cut takes is read again from the store.
    db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; ${SCHEMA}`);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** A copy that another version of this program made. */
class ForeignCopy extends Error {}

function isDamaged(error: unknown): boolean {
  const code = sqliteCode(error);
  return error instanceof ForeignCopy || code === SqliteCode.NOTADB || code === SQLITE_CORRUPT;
}
const SQLITE_CORRUPT = 11;

interface Statements {
  readonly head: StatementSync;
  readonly setHead: StatementSync;
  readonly setReading: StatementSync;
  readonly get: StatementSync;
  readonly byHash: StatementSync;
  readonly list: StatementSync;
  readonly put: StatementSync;
  readonly delete: StatementSync;
  readonly unseen: StatementSync;
  readonly fleet: StatementSync;
  readonly setFleet: StatementSync;
}

function prepare(db: DatabaseSync): Statements {
  return {
    head: db.prepare('SELECT version, nonce, reading FROM head'),
    setHead: db.prepare('UPDATE head SET version = ?, nonce = ?'),
    setReading: db.prepare('UPDATE head SET reading = ?'),
    get: db.prepare('SELECT * FROM documents WHERE kind = ? AND id = ?'),
    byHash: db.prepare('SELECT * FROM documents WHERE kind = ? AND hash = ?'),
    list: db.prepare('SELECT * FROM documents WHERE kind = ? AND id > ? ORDER BY id LIMIT ?'),
    put: db.prepare('INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)'),
    delete: db.prepare('DELETE FROM documents WHERE kind = ? AND id = ?'),
    unseen: db.prepare('SELECT * FROM documents WHERE reading <> ?'),
    fleet: db.prepare('SELECT gateways FROM fleet'),
    setFleet: db.prepare('UPDATE fleet SET gateways = ?'),
  };
}
