import {
  BadCursor,
  DEFAULT_RETENTION,
  type DoneRequest,
  type Journal,
  type JournalEntry,
  type JournalPage,
  MAX_REQUESTS,
  REQUEST_LIFE_MS,
  type Retention,
} from '../journal.ts';
import { StoreUnavailable } from '../store-errors.ts';
import type { RedisConnection } from './connect.ts';
import { type DocumentKeys, documentKeys } from './document-keys.ts';
import { UnreadableRecord } from './records.ts';
import type { Scripts } from './scripts.ts';

export interface RedisJournalOptions {
  readonly connection: RedisConnection;
  readonly scripts: Scripts;
  readonly clock: { now(): number };
  readonly retention?: Retention | undefined;
}

interface Found extends Omit<JournalEntry, 'cursor'> {
  readonly id: string;
}

const READY_TIMEOUT_MS = 1000;
/** Where a stream is read from its end. */
const END = '+';
const CURSOR = /^(\+|\d+-\d+) (\+|\d+-\d+)$/;

/** The audit log in two streams, of changes and of refusals, and the done requests. */
export class RedisJournal implements Journal {
  readonly #options: RedisJournalOptions;
  readonly #keys: DocumentKeys;
  readonly #retention: Retention;

  constructor(options: RedisJournalOptions) {
    this.#options = options;
    this.#keys = documentKeys(options.connection);
    this.#retention = options.retention ?? DEFAULT_RETENTION;
  }

  async append(body: Uint8Array, refused: boolean): Promise<void> {
    const { scripts, clock, connection } = this.#options;
    const { changes, refusals, ageMs } = this.#retention;
    const stream = refused ? this.#keys.refusals : this.#keys.audit;
    const text = Buffer.from(body).toString('base64');
    const args = [clock.now(), text, refused ? refusals : changes];
    await this.#ask(() => scripts.run('append-audit', [this.#keys.head, stream], args));
    await this.#ask(() => dropOlder(connection, stream, clock.now() - ageMs));
  }

  async list(cursor: string | undefined, limit: number): Promise<JournalPage> {
    const [, first = '', second = ''] = CURSOR.exec(cursor ?? `${END} ${END}`) ?? [];
    if (first === '') throw new BadCursor();
    const [changes, refusals] = await Promise.all([
      this.#read(this.#keys.audit, first, limit),
      this.#read(this.#keys.refusals, second, limit),
    ]);
    const entries = merge(changes, refusals, [first, second]).slice(0, limit);
    return { entries, more: changes.length + refusals.length > entries.length };
  }

  async ofVersions(first: number, last: number): Promise<ReadonlyMap<number, Uint8Array>> {
    const { client } = this.#options.connection;
    const found = await this.#ask(() => client.xrange(this.#keys.audit, `${first}-0`, `${last}`));
    const entries = found.map(toEntry);
    return new Map(entries.flatMap(({ version, body }) => (version === undefined ? [] : [[version, body] as const])));
  }

  async findRequest(key: string): Promise<DoneRequest | undefined> {
    const { clock, connection } = this.#options;
    const { requests, requestTimes } = this.#keys;
    const [record, at] = await this.#ask(() =>
      Promise.all([connection.client.hget(requests, key), connection.client.zscore(requestTimes, key)]),
    );
    if (record === null || at === null || Number(at) <= clock.now() - REQUEST_LIFE_MS) return undefined;
    return parseRequest(key, record);
  }

  async rememberRequest(request: DoneRequest): Promise<void> {
    const { clock, scripts } = this.#options;
    const { requests, requestTimes } = this.#keys;
    const args = [clock.now(), request.key, toRequestRecord(request), REQUEST_LIFE_MS, MAX_REQUESTS];
    await this.#ask(() => scripts.run('remember-request', [requests, requestTimes], args));
  }

  /** Backwards. @param before an id, which is passed over */
  async #read(stream: string, before: string, limit: number): Promise<Found[]> {
    const from = before === END ? END : `(${before}`;
    const { client } = this.#options.connection;
    const found = await this.#ask(() => client.xrevrange(stream, from, '-', 'COUNT', limit + 1));
    return found.map(toEntry);
  }

  async #ask<T>(question: () => Promise<T>): Promise<T> {
    try {
      await this.#options.connection.ready(READY_TIMEOUT_MS);
      return await question();
    } catch (error) {
      throw new StoreUnavailable(error);
    }
  }
}

/** Both streams as one, the last first; each entry knows where both of them go on after it. */
function merge(changes: readonly Found[], refusals: readonly Found[], from: [string, string]): JournalEntry[] {
  const merged: JournalEntry[] = [];
  let [c, r] = [0, 0];
  for (;;) {
    const [change, refusal] = [changes[c], refusals[r]];
    const isChange = refusal === undefined || (change !== undefined && change.at >= refusal.at);
    const next = isChange ? change : refusal;
    if (next === undefined) return merged;
    if (isChange) {
      c++;
      from[0] = next.id;
    } else {
      r++;
      from[1] = next.id;
    }
    merged.push({ version: next.version, at: next.at, body: next.body, cursor: from.join(' ') });
  }
}

/** Drops the oldest entry when it is too old: one with each that is written is enough to keep up. */
async function dropOlder({ client }: RedisConnection, stream: string, before: number): Promise<void> {
  const oldest = await client.xrange(stream, '-', '+', 'COUNT', 2);
  const gone = oldest.map(toEntry).filter(({ at }) => at < before);
  if (gone.length > 0) await client.xdel(stream, ...gone.map(({ id }) => id));
}

function toEntry([id, fields]: [string, string[]]): Found {
  const [, at, , version, , body] = fields;
  if (at === undefined || version === undefined || body === undefined) throw new UnreadableRecord(`audit entry ${id}`);
  return {
    id,
    at: Number(at),
    version: version === '' ? undefined : Number(version),
    body: Buffer.from(body, 'base64'),
  };
}

export function toRequestRecord({ fingerprint, result }: DoneRequest): string {
  return JSON.stringify([fingerprint, result]);
}

/** @throws UnreadableRecord */
export function parseRequest(key: string, record: string): DoneRequest {
  const parsed: unknown = JSON.parse(record);
  const [fingerprint, result] = Array.isArray(parsed) ? (parsed as readonly unknown[]) : [];
  if (typeof fingerprint !== 'string' || typeof result !== 'string') throw new UnreadableRecord('a done request');
  return { key, fingerprint, result };
}
