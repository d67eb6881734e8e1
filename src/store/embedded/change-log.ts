import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { type Change, type Document, type DocumentKind, isDocumentKind } from '../store.ts';
import { blob, integer, optionalText, type Row, text } from './sqlite.ts';

/** What one change did to one document. */
export interface ChangeEntry {
  readonly kind: DocumentKind;
  readonly id: string;
  /** As it was written; undefined: deleted. */
  readonly document: Document | undefined;
  /** The hash that it had before the change. */
  readonly oldHash: string | undefined;
}

/** The last changes, in the same file and transactions as the documents. Its newest version is the store's version. */
export class ChangeLog {
  readonly #keep: number;
  readonly #insert: StatementSync;
  readonly #trim: StatementSync;
  readonly #edges: StatementSync;
  readonly #versions: StatementSync;
  readonly #rows: StatementSync;

  /** @param keep how many changes stay */
  constructor(db: DatabaseSync, keep: number) {
    this.#keep = keep;
    this.#insert = db.prepare(
      `INSERT INTO changes (version, seq, kind, id, created_at, updated_at, hash, old_hash, parent, reference, body)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#trim = db.prepare('DELETE FROM changes WHERE version <= ?');
    this.#edges = db.prepare(
      'SELECT (SELECT min(version) FROM changes) AS oldest, (SELECT max(version) FROM changes) AS newest',
    );
    this.#versions = db.prepare('SELECT DISTINCT version FROM changes WHERE version > ? ORDER BY version LIMIT ?');
    this.#rows = db.prepare('SELECT * FROM changes WHERE version = ? ORDER BY seq');
  }

  /** The version of the last change; 0 before the first. */
  version(): number {
    return this.#edgeVersions().newest;
  }

  /** Within a transaction: writes a change, and drops those that are too old. */
  append(version: number, at: number, entries: Iterable<ChangeEntry>): Change {
    const all = [...entries];
    all.forEach(({ kind, id, document, oldHash }, seq) => {
      const { createdAt = null, hash = null, parent = null, reference = null, body = null } = document ?? {};
      this.#insert.run(version, seq, kind, id, createdAt, at, hash, oldHash ?? null, parent, reference, body);
    });
    this.#trim.run(version - this.#keep);
    return toChange(version, all);
  }

  /** @returns undefined when the log no longer reaches back to `after` */
  since(after: number, limit: number): Change[] | undefined {
    const { oldest, newest } = this.#edgeVersions();
    if (after >= newest) return [];
    if (after + 1 < oldest) return undefined;
    return this.#versions.all(after, limit).map((row) => {
      const version = integer(row, 'version');
      return toChange(version, this.#rows.all(version).map(toEntry));
    });
  }

  #edgeVersions(): { oldest: number; newest: number } {
    const row = this.#edges.get();
    // Both are null while the log is empty.
    if (row === undefined || row.newest === null) return { oldest: 1, newest: 0 };
    return { oldest: integer(row, 'oldest'), newest: integer(row, 'newest') };
  }
}

function toChange(version: number, entries: readonly ChangeEntry[]): Change {
  const documents: Document[] = [];
  const deleted: { kind: DocumentKind; id: string; hash: string | undefined }[] = [];
  const hashes = new Set<string>();
  for (const { kind, id, document, oldHash } of entries) {
    if (document !== undefined) documents.push(document);
    else deleted.push({ kind, id, hash: oldHash });
    if (document?.hash !== undefined) hashes.add(document.hash);
    if (oldHash !== undefined) hashes.add(oldHash);
  }
  return { version, documents, deleted, hashes: [...hashes] };
}

function toEntry(row: Row): ChangeEntry {
  return {
    kind: kindOf(row),
    id: text(row, 'id'),
    document: row.body === null ? undefined : toDocument(row),
    oldHash: optionalText(row, 'old_hash'),
  };
}

/** A row of `documents`, or of `changes` where one was written. */
export function toDocument(row: Row): Document {
  return {
    kind: kindOf(row),
    id: text(row, 'id'),
    version: integer(row, 'version'),
    createdAt: integer(row, 'created_at'),
    updatedAt: integer(row, 'updated_at'),
    body: blob(row, 'body'),
    hash: optionalText(row, 'hash'),
    parent: optionalText(row, 'parent'),
    reference: optionalText(row, 'reference'),
  };
}

function kindOf(row: Row): DocumentKind {
  const kind = text(row, 'kind');
  if (!isDocumentKind(kind)) throw new TypeError(`a document of kind ${kind}`);
  return kind;
}
