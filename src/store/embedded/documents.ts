import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Note } from '../journal.ts';
import {
  type Change,
  DOCUMENT_KINDS,
  type Document,
  type DocumentKind,
  type DocumentStore,
  HashTaken,
  PARENT_KIND,
  type Page,
  REFERENCE_KIND,
  ReferenceMissing,
  StillReferenced,
  VersionConflict,
  type Write,
} from '../store.ts';
import { type ChangeEntry, type ChangeLog, toDocument } from './change-log.ts';
import type { EmbeddedJournal } from './journal.ts';
import { Transactions } from './sqlite.ts';

/** A change while it is made: the last word on each document that it touches. */
interface Draft {
  readonly version: number;
  readonly at: number;
  readonly entries: Map<string, ChangeEntry>;
}

/** Documents in SQLite. SQLite answers at once; the promises are for stores that cannot. */
export class EmbeddedDocuments implements DocumentStore {
  readonly #log: ChangeLog;
  readonly #journal: EmbeddedJournal;
  readonly #clock: { now(): number };
  readonly #transactions: Transactions;
  readonly #statements: Statements;

  constructor(db: DatabaseSync, log: ChangeLog, journal: EmbeddedJournal, clock: { now(): number }) {
    this.#log = log;
    this.#journal = journal;
    this.#clock = clock;
    this.#transactions = new Transactions(db);
    this.#statements = prepare(db);
  }

  async get(kind: DocumentKind, id: string): Promise<Document | undefined> {
    return this.#find(kind, id);
  }

  async getByHash(kind: DocumentKind, hash: string): Promise<Document | undefined> {
    const row = this.#statements.byHash.get(kind, hash);
    return row === undefined ? undefined : toDocument(row);
  }

  async list(
    kind: DocumentKind,
    { after = '', limit, parent }: { after?: string | undefined; limit: number; parent?: string | undefined },
  ): Promise<Page> {
    // One more than asked for tells whether there is another page.
    const rows =
      parent === undefined
        ? this.#statements.list.all(kind, after, limit + 1)
        : this.#statements.listByParent.all(kind, parent, after, limit + 1);
    const documents = rows.slice(0, limit).map(toDocument);
    return { documents, next: rows.length > limit ? documents.at(-1)?.id : undefined };
  }

  async commit(writes: readonly Write[], note: Note = {}): Promise<Change> {
    try {
      return this.#transactions.run(() => this.#commit(writes, note));
    } catch (error) {
      if (error instanceof DryRun) return error.change;
      throw error;
    }
  }

  #commit(writes: readonly Write[], note: Note): Change {
    this.#journal.checkRequest(note);
    const version = this.#log.version();
    const draft: Draft = { version: version + 1, at: this.#clock.now(), entries: new Map() };
    for (const write of writes) this.#write(draft, write);
    for (const entry of draft.entries.values()) this.#checkLinks(entry);
    if (draft.entries.size === 0) return { version, documents: [], deleted: [], hashes: [] };
    const change = this.#log.append(draft.version, draft.at, draft.entries.values());
    // All that was written is taken back with it.
    if (note.dryRun) throw new DryRun(change);
    this.#journal.write(change.version, note);
    return change;
  }

  async version(): Promise<number> {
    return this.#log.version();
  }

  async changes(after: number, limit: number): Promise<readonly Change[] | undefined> {
    return this.#log.since(after, limit);
  }

  #find(kind: DocumentKind, id: string): Document | undefined {
    const row = this.#statements.get.get(kind, id);
    return row === undefined ? undefined : toDocument(row);
  }

  #write(draft: Draft, write: Write): void {
    const before = this.#find(write.kind, write.id);
    const current = before?.version ?? 0;
    if (write.expected !== undefined && write.expected !== current) {
      throw new VersionConflict(write.kind, write.id, current);
    }
    if (write.op === 'put') this.#put(draft, before, write);
    else if (before !== undefined) this.#delete(draft, before);
  }

  #put(draft: Draft, before: Document | undefined, write: Extract<Write, { op: 'put' }>): void {
    const { kind, id, body, hash, parent, reference } = write;
    const { version, at } = draft;
    const createdAt = before?.createdAt ?? at;
    if (hash !== undefined) {
      const holder = this.#statements.byHash.get(kind, hash);
      if (holder !== undefined && holder.id !== id) throw new HashTaken(kind, String(holder.id));
    }
    this.#statements.put.run(kind, id, version, createdAt, at, hash ?? null, parent ?? null, reference ?? null, body);
    record(draft, before, { kind, id, version, createdAt, updatedAt: at, body, hash, parent, reference });
  }

  #delete(draft: Draft, before: Document): void {
    for (const kind of DOCUMENT_KINDS) {
      if (PARENT_KIND[kind] !== before.kind) continue;
      for (const row of this.#statements.children.all(kind, before.id)) this.#delete(draft, toDocument(row));
    }
    this.#statements.delete.run(before.kind, before.id);
    record(draft, before, undefined);
  }

  /** Checked at the end of the change, so that the order of its writes does not matter. */
  #checkLinks({ kind, id, document }: ChangeEntry): void {
    if (document !== undefined) {
      this.#checkExists(PARENT_KIND[kind], document.parent);
      this.#checkExists(REFERENCE_KIND[kind], document.reference);
      return;
    }
    for (const other of DOCUMENT_KINDS) {
      if (REFERENCE_KIND[other] !== kind) continue;
      const row = this.#statements.referring.get(other, id);
      if (row !== undefined) throw new StillReferenced(kind, id, { kind: other, id: String(row.id) });
    }
  }

  #checkExists(kind: DocumentKind | undefined, id: string | undefined): void {
    if (kind === undefined || id === undefined) return;
    if (this.#statements.get.get(kind, id) === undefined) throw new ReferenceMissing(kind, id);
  }
}

/** Ends the transaction of a change that was only to be checked. */
class DryRun extends Error {
  readonly change: Change;

  constructor(change: Change) {
    super('a dry run');
    this.change = change;
  }
}

function record(draft: Draft, before: Document | undefined, document: Document | undefined): void {
  const subject = document ?? before;
  if (subject === undefined) return;
  const { kind, id } = subject;
  const key = `${kind}/${id}`;
  const earlier = draft.entries.get(key);
  draft.entries.set(key, { kind, id, document, oldHash: earlier === undefined ? before?.hash : earlier.oldHash });
}

interface Statements {
  readonly get: StatementSync;
  readonly byHash: StatementSync;
  readonly list: StatementSync;
  readonly listByParent: StatementSync;
  readonly children: StatementSync;
  readonly referring: StatementSync;
  readonly put: StatementSync;
  readonly delete: StatementSync;
}

function prepare(db: DatabaseSync): Statements {
  const select = 'SELECT * FROM documents WHERE kind = ?';
  return {
    get: db.prepare(`${select} AND id = ?`),
    byHash: db.prepare(`${select} AND hash = ?`),
    list: db.prepare(`${select} AND id > ? ORDER BY id LIMIT ?`),
    listByParent: db.prepare(`${select} AND parent = ? AND id > ? ORDER BY id LIMIT ?`),
    children: db.prepare(`${select} AND parent = ?`),
    referring: db.prepare('SELECT id FROM documents WHERE kind = ? AND reference = ? LIMIT 1'),
    put: db.prepare(
      `INSERT INTO documents (kind, id, version, created_at, updated_at, hash, parent, reference, body)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (kind, id) DO UPDATE SET version = excluded.version, updated_at = excluded.updated_at,
         hash = excluded.hash, parent = excluded.parent, reference = excluded.reference, body = excluded.body`,
    ),
    delete: db.prepare('DELETE FROM documents WHERE kind = ? AND id = ?'),
  };
}
