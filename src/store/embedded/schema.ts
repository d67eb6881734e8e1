import type { DatabaseSync } from 'node:sqlite';
import { StoreUnusable } from '../store.ts';
import { integer, Transactions } from './sqlite.ts';

/** "toll": marks the file as ours (PRAGMA application_id). */
const APPLICATION_ID = 0x746f6c6c;

/** One step per schema version, each from the one before it. Steps that were released are never changed. */
const STEPS: readonly string[] = [
  `CREATE TABLE documents (
     kind TEXT NOT NULL,
     id TEXT NOT NULL,
     version INTEGER NOT NULL,
     created_at INTEGER NOT NULL,
     updated_at INTEGER NOT NULL,
     hash TEXT,
     parent TEXT,
     reference TEXT,
     body BLOB NOT NULL,
     PRIMARY KEY (kind, id)
   ) STRICT, WITHOUT ROWID;
   CREATE UNIQUE INDEX documents_by_hash ON documents (kind, hash) WHERE hash IS NOT NULL;
   CREATE INDEX documents_by_parent ON documents (kind, parent, id) WHERE parent IS NOT NULL;
   CREATE INDEX documents_by_reference ON documents (kind, reference) WHERE reference IS NOT NULL;

   -- One row per document written in a change; created_at and body are null when it was deleted.
   CREATE TABLE changes (
     version INTEGER NOT NULL,
     seq INTEGER NOT NULL,
     kind TEXT NOT NULL,
     id TEXT NOT NULL,
     created_at INTEGER,
     updated_at INTEGER NOT NULL,
     hash TEXT,
     old_hash TEXT,
     parent TEXT,
     reference TEXT,
     body BLOB,
     PRIMARY KEY (version, seq)
   ) STRICT, WITHOUT ROWID;

   CREATE TABLE quota_counters (
     tenant TEXT NOT NULL,
     metric TEXT NOT NULL,
     period_start INTEGER NOT NULL,
     period_end INTEGER NOT NULL,
     used INTEGER NOT NULL,
     PRIMARY KEY (tenant, metric, period_start)
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX quota_counters_by_end ON quota_counters (period_end);`,
  `-- Append-only: entries are not changed, and deleted only when they need no longer be kept.
   CREATE TABLE audit (
     seq INTEGER PRIMARY KEY AUTOINCREMENT,
     at INTEGER NOT NULL,
     version INTEGER,
     refused INTEGER NOT NULL,
     body BLOB NOT NULL
   ) STRICT;
   CREATE INDEX audit_by_refused ON audit (refused, seq);
   CREATE INDEX audit_by_version ON audit (version) WHERE version IS NOT NULL;
   CREATE TABLE audit_kept (refused INTEGER PRIMARY KEY, since INTEGER NOT NULL) STRICT;
   INSERT INTO audit_kept VALUES (0, 0), (1, 0);
   CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
     BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
   CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit
     WHEN OLD.seq >= (SELECT since FROM audit_kept WHERE refused = OLD.refused)
     BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

   CREATE TABLE done_requests (
     key TEXT PRIMARY KEY,
     at INTEGER NOT NULL,
     fingerprint TEXT NOT NULL,
     result TEXT NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX done_requests_by_time ON done_requests (at);`,

  `CREATE TABLE key_uses (id TEXT PRIMARY KEY, used_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
   CREATE TRIGGER key_uses_of_deleted AFTER DELETE ON documents WHEN OLD.kind = 'api_key'
   BEGIN
     DELETE FROM key_uses WHERE id = OLD.id;
   END;`,

  `ALTER TABLE quota_counters ADD COLUMN adjusted INTEGER NOT NULL DEFAULT 0;
   CREATE TABLE quota_adjustments (
     tenant TEXT NOT NULL,
     metric TEXT NOT NULL,
     period_start INTEGER NOT NULL,
     key TEXT NOT NULL,
     PRIMARY KEY (tenant, metric, period_start, key)
   ) STRICT, WITHOUT ROWID;
   CREATE TRIGGER quota_adjustments_go_with_the_counter AFTER DELETE ON quota_counters
     BEGIN DELETE FROM quota_adjustments
       WHERE tenant = OLD.tenant AND metric = OLD.metric AND period_start = OLD.period_start; END;`,
];

/**
 * To be asked before anything in the file is touched, its journal mode too.
 * @throws StoreUnusable when the file is another program's, or of a newer version
 */
export function refuseForeign(db: DatabaseSync, path: string): void {
  const version = pragma(db, 'user_version');
  const tables = integer(db.prepare('SELECT count(*) AS n FROM sqlite_schema').get() ?? {}, 'n');
  if (tables > 0 && pragma(db, 'application_id') !== APPLICATION_ID) {
    throw new StoreUnusable(`${path} is another program's SQLite database: give the store a path of its own`);
  }
  if (version > STEPS.length) {
    throw new StoreUnusable(
      `${path} was written by a newer Tollgate (schema ${version}, this one knows up to ${STEPS.length}): ` +
        'run that version, or restore a backup made before the upgrade',
    );
  }
}

/** Brings the file to this version's schema, in one transaction. */
export function migrate(db: DatabaseSync): void {
  new Transactions(db).run(() => {
    const version = pragma(db, 'user_version');
    if (version === STEPS.length) return;
    for (const step of STEPS.slice(version)) db.exec(step);
    db.exec(`PRAGMA user_version = ${STEPS.length}; PRAGMA application_id = ${APPLICATION_ID}`);
  });
}

function pragma(db: DatabaseSync, name: string): number {
  return integer(db.prepare(`PRAGMA ${name}`).get() ?? {}, name);
}
