import type { DatabaseSync, StatementSync } from 'node:sqlite';
import {
  BadCursor,
  type DoneRequest,
  type Journal,
  type JournalEntry,
  type JournalPage,
  MAX_REQUESTS,
  type Note,
  REQUEST_LIFE_MS,
  RequestDone,
  type Retention,
} from '../journal.ts';
import { blob, integer, type Row, Transactions, text } from './sqlite.ts';

/** Old entries are looked for with every so many new ones. */
const TRIM_EVERY = 100;

/** The audit log and the done requests, in the same file and transactions as the documents. */
export class EmbeddedJournal implements Journal {
  readonly #clock: { now(): number };
  readonly #retention: Retention;
  readonly #transactions: Transactions;
  readonly #statements: ReturnType<typeof prepare>;
  #untrimmed = TRIM_EVERY;

  /** @param db the connection of the documents */
  constructor(db: DatabaseSync, retention: Retention, clock: { now(): number }) {
    this.#clock = clock;
    this.#retention = retention;
    this.#transactions = new Transactions(db);
    this.#statements = prepare(db);
  }

  async append(body: Uint8Array, refused: boolean): Promise<void> {
    this.#transactions.run(() => this.#append(body, refused, undefined));
  }

  /** Within the transaction of a change. */
  write(version: number, { audit, request }: Note): void {
    if (audit !== undefined) this.#append(audit, false, version);
    if (request !== undefined) this.#remember(request);
  }

  /** Within the transaction of a change, before anything is written. @throws RequestDone */
  checkRequest({ request }: Note): void {
    const done = request && this.#find(request.key);
    if (done !== undefined) throw new RequestDone(done);
  }

  async list(cursor: string | undefined, limit: number): Promise<JournalPage> {
    const before = cursor === undefined ? Number.MAX_SAFE_INTEGER : Number(cursor);
    if (!Number.isSafeInteger(before) || before < 1) throw new BadCursor();
    const rows = this.#statements.list.all(before, limit + 1);
    const page = rows.slice(0, limit);
    return { entries: page.map(toEntry), more: rows.length > limit };
  }

  async ofVersions(first: number, last: number): Promise<ReadonlyMap<number, Uint8Array>> {
    const rows = this.#statements.byVersion.all(first, last);
    return new Map(rows.map((row) => [integer(row, 'version'), blob(row, 'body')]));
  }

  async findRequest(key: string): Promise<DoneRequest | undefined> {
    return this.#find(key);
  }

  async rememberRequest(request: DoneRequest): Promise<void> {
    this.#transactions.run(() => this.#remember(request));
  }

  #find(key: string): DoneRequest | undefined {
    const row = this.#statements.findRequest.get(key, this.#clock.now() - REQUEST_LIFE_MS);
    return row === undefined ? undefined : { key, fingerprint: text(row, 'fingerprint'), result: text(row, 'result') };
  }

  #remember({ key, fingerprint, result }: DoneRequest): void {
    const now = this.#clock.now();
    this.#statements.dropRequests.run(now - REQUEST_LIFE_MS, MAX_REQUESTS - 1);
    this.#statements.putRequest.run(key, now, fingerprint, result);
  }

  #append(body: Uint8Array, refused: boolean, version: number | undefined): void {
    this.#statements.insert.run(this.#clock.now(), version ?? null, refused ? 1 : 0, body);
    if (++this.#untrimmed < TRIM_EVERY) return;
    this.#untrimmed = 0;
    this.#trim(0, this.#retention.changes);
    this.#trim(1, this.#retention.refusals);
  }

  /** Says first which entries are no longer kept: the table lets no others be deleted. */
  #trim(refused: 0 | 1, keep: number): void {
    const { oldestKept, keepFrom, trim } = this.#statements;
    const row = oldestKept.get(refused, keep, refused, this.#clock.now() - this.#retention.ageMs);
    if (row === undefined || typeof row.seq !== 'number') return;
    keepFrom.run(row.seq + 1, refused);
    trim.run(refused, row.seq);
  }
}

function toEntry(row: Row): JournalEntry {
  return {
    version: row.version === null ? undefined : integer(row, 'version'),
    at: integer(row, 'at'),
    body: blob(row, 'body'),
    cursor: String(integer(row, 'seq')),
  };
}

function prepare(
  db: DatabaseSync,
): Record<
  'insert' | 'list' | 'byVersion' | 'oldestKept' | 'keepFrom' | 'trim' | 'findRequest' | 'putRequest' | 'dropRequests',
  StatementSync
> {
  return {
    insert: db.prepare('INSERT INTO audit (at, version, refused, body) VALUES (?, ?, ?, ?)'),
    list: db.prepare('SELECT * FROM audit WHERE seq < ? ORDER BY seq DESC LIMIT ?'),
    byVersion: db.prepare('SELECT version, body FROM audit WHERE version BETWEEN ? AND ?'),
    // The newest of those that are too many, or too old.
    oldestKept: db.prepare(
      `SELECT max(seq) AS seq FROM (
         SELECT * FROM (SELECT seq FROM audit WHERE refused = ? ORDER BY seq DESC LIMIT 1 OFFSET ?)
         UNION ALL SELECT max(seq) FROM audit WHERE refused = ? AND at < ?)`,
    ),
    keepFrom: db.prepare('UPDATE audit_kept SET since = max(since, ?) WHERE refused = ?'),
    trim: db.prepare('DELETE FROM audit WHERE refused = ? AND seq <= ?'),
    findRequest: db.prepare('SELECT fingerprint, result FROM done_requests WHERE key = ? AND at > ?'),
    putRequest: db.prepare('INSERT OR REPLACE INTO done_requests (key, at, fingerprint, result) VALUES (?, ?, ?, ?)'),
    dropRequests: db.prepare(
      `DELETE FROM done_requests WHERE at <= ?1 OR key IN
         (SELECT key FROM done_requests ORDER BY at DESC LIMIT -1 OFFSET ?2)`,
    ),
  };
}
