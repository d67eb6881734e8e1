import {
  DEFAULT_RETENTION,
  MAX_REQUESTS,
  type Note,
  REQUEST_LIFE_MS,
  RequestDone,
  type Retention,
} from '../journal.ts';
import {
  type Change,
  type Document,
  type DocumentKind,
  type DocumentStore,
  HashTaken,
  isDocumentKind,
  PARENT_KIND,
  type Page,
  REFERENCE_KIND,
  ReferenceMissing,
  StillReferenced,
  VersionConflict,
  type Write,
} from '../store.ts';
import { StoreUnavailable } from '../store-errors.ts';
import type { RedisConnection } from './connect.ts';
import { type DocumentKeys, documentKeys } from './document-keys.ts';
import { GATEWAY_ALIVE_MS } from './gateways.ts';
import { parseRequest, toRequestRecord } from './journal.ts';
import { type ChainedChange, MAX_BODY_OCTETS, parseChange, parseDocument, UnreadableRecord } from './records.ts';
import type { RedisReply, Scripts } from './scripts.ts';

export interface RedisDocumentsOptions {
  readonly connection: RedisConnection;
  readonly scripts: Scripts;
  readonly clock: { now(): number };
  /** Unpredictable text that names a change. */
  readonly nonce: () => string;
  /** Changes that the log keeps; default 10,000. */
  readonly keepChanges?: number | undefined;
  /** Octets of them that it keeps, one change more or less; default 64 MiB. */
  readonly keepOctets?: number | undefined;
  /** Of the audit log. */
  readonly retention?: Retention | undefined;
}

/** What Redis has, and what of it the reader lacks. */
export interface Missed {
  /** The store's version, and the nonce of the change that made it; 0 and empty before the first. */
  readonly version: number;
  readonly nonce: string;
  /** Undefined when the log does not reach back that far. */
  readonly changes: readonly ChainedChange[] | undefined;
  /** What is wrong with the log, if that is why there are no changes. */
  readonly fault: UnreadableRecord | undefined;
}

const READY_TIMEOUT_MS = 1000;
/** Of the log of changes: with large contracts 10,000 of them would be gigabytes, and who is that far behind reads everything anyway. */
const KEEP_OCTETS = 64 * 1024 * 1024;
/** Changes are read in pages of about so much: Redis does nothing else meanwhile. */
const PAGE_OCTETS = 4 * 1024 * 1024;
const LINKS = JSON.stringify({ parent: PARENT_KIND, reference: REFERENCE_KIND });

/** Documents in Redis; every change is one script. What the connection reports is thrown as `StoreUnavailable`. */
export class RedisDocuments implements DocumentStore {
  readonly #options: RedisDocumentsOptions;
  readonly #keys: DocumentKeys;
  readonly #keep: readonly [changes: number, octets: number];

  constructor(options: RedisDocumentsOptions) {
    this.#options = options;
    this.#keys = documentKeys(options.connection);
    this.#keep = [options.keepChanges ?? 10_000, options.keepOctets ?? KEEP_OCTETS];
  }

  async get(kind: DocumentKind, id: string): Promise<Document | undefined> {
    const { client } = this.#options.connection;
    const record = await this.#ask(() => client.hget(this.#keys.documents, `${kind}/${id}`));
    return record === null ? undefined : parseDocument(kind, id, record);
  }

  async getByHash(kind: DocumentKind, hash: string): Promise<Document | undefined> {
    const reply = await this.#run('get-by-hash', [this.#keys.hashes, this.#keys.documents], [kind, hash]);
    if (reply === null) return undefined;
    const [id, record] = texts(reply);
    if (id === undefined || record === undefined) throw new UnreadableRecord(`the ${kind} of a hash`);
    return parseDocument(kind, id, record);
  }

  async list(
    kind: DocumentKind,
    { after = '', limit, parent }: { after?: string | undefined; limit: number; parent?: string | undefined },
  ): Promise<Page> {
    const { ids, children, documents } = this.#keys;
    const [index, prefix, end] =
      parent === undefined ? [ids, `${kind}/`, `${kind}0`] : [children, `${kind}/${parent}\0`, `${kind}/${parent}\x01`];
    const reply = await this.#run('list-documents', [index, documents], [kind, prefix, end, after, limit + 1]);
    const flat = texts(reply);
    const found: Document[] = [];
    for (let i = 0; i + 1 < flat.length && found.length < limit; i += 2) {
      found.push(parseDocument(kind, flat[i] ?? '', flat[i + 1] ?? ''));
    }
    return { documents: found, next: flat.length / 2 > limit ? found.at(-1)?.id : undefined };
  }

  async commit(writes: readonly Write[], note?: Note): Promise<Change> {
    return (await this.commitAfter(0, writes, note)).change;
  }

  /**
   * Like `commit`, for a writer that has the version `known`.
   * @throws StoreUnavailable when the store is behind that, or behind a gateway that lives: it has lost changes
   */
  async commitAfter(known: number, writes: readonly Write[], note: Note = {}): Promise<ChainedChange> {
    const { clock, nonce, retention = DEFAULT_RETENTION } = this.#options;
    const { request } = note;
    const k = this.#keys;
    const keys = [k.head, k.documents, k.ids, k.hashes, k.children, k.references, k.changes, k.restoring];
    keys.push(k.audit, k.requests, k.requestTimes, k.keyUses, k.gateways);
    const text = JSON.stringify(writes.map(toJson));
    const reply = await this.#run('commit-documents', keys, [
      k.changed,
      nonce(),
      clock.now(),
      this.#keep[0],
      known,
      LINKS,
      text,
      note.dryRun ? 1 : 0,
      Buffer.from(note.audit ?? []).toString('base64'),
      retention.changes,
      request === undefined ? '' : request.key,
      request === undefined ? '' : toRequestRecord(request),
      REQUEST_LIFE_MS,
      MAX_REQUESTS,
      GATEWAY_ALIVE_MS,
      this.#keep[1],
    ]);
    return toCommitted(reply);
  }

  async version(): Promise<number> {
    return Number((await this.#ask(() => this.#options.connection.client.hget(this.#keys.head, 'version'))) ?? 0);
  }

  async changes(after: number, limit: number): Promise<readonly Change[] | undefined> {
    const { changes, fault } = await this.missed(after, limit);
    if (fault !== undefined) throw fault;
    return changes?.map(({ change }) => change);
  }

  /** What a reader at version `after` lacks, at most `limit` changes. @throws UnreadableRecord, StoreUnavailable */
  async missed(after: number, limit: number): Promise<Missed> {
    const reply = await this.#run('read-changes', [this.#keys.head, this.#keys.changes], [after, limit, PAGE_OCTETS]);
    if (!Array.isArray(reply)) throw new UnreadableRecord('the version');
    const [version, nonce, entries]: readonly RedisReply[] = reply;
    if (typeof version !== 'number' || typeof nonce !== 'string') throw new UnreadableRecord('the version');
    try {
      return { version, nonce, changes: Array.isArray(entries) ? entries.map(toChained) : undefined, fault: undefined };
    } catch (error) {
      if (!(error instanceof UnreadableRecord)) throw error;
      return { version, nonce, changes: undefined, fault: error };
    }
  }

  async #run(name: string, keys: readonly string[], args: readonly (string | number)[]): Promise<RedisReply> {
    return this.#ask(() => this.#options.scripts.run(name, keys, args));
  }

  /** Whatever goes wrong on the way to Redis, or in it. A connection that is just coming back is waited for. */
  async #ask<T>(question: () => Promise<T>): Promise<T> {
    try {
      await this.#options.connection.ready(READY_TIMEOUT_MS);
      return await question();
    } catch (error) {
      throw new StoreUnavailable(error);
    }
  }
}

function toJson(write: Write): object {
  if (write.op === 'delete') return write;
  if (write.body.length > MAX_BODY_OCTETS) throw new RangeError(`the ${write.kind} ${write.id} is too large`);
  return { ...write, body: Buffer.from(write.body).toString('base64') };
}

function toCommitted(reply: RedisReply): ChainedChange {
  const [answer, ...rest] = Array.isArray(reply) ? (reply as readonly RedisReply[]) : [];
  const [a, b, c, d] = rest;
  switch (answer) {
    case 'ok':
      return { change: parseChange(Number(a), String(d)), nonce: String(b), prev: String(c) };
    case 'none':
      return { change: { version: Number(a), documents: [], deleted: [], hashes: [] }, nonce: '', prev: '' };
    case 'done':
      throw new RequestDone(parseRequest(String(a), String(b)));
    case 'conflict':
      throw new VersionConflict(kindOf(a), String(b), Number(c));
    case 'missing':
      throw new ReferenceMissing(kindOf(a), String(b));
    case 'referenced':
      throw new StillReferenced(kindOf(a), String(b), { kind: kindOf(c), id: String(d) });
    case 'taken':
      throw new HashTaken(kindOf(a), String(b));
    case 'behind':
      throw new StoreUnavailable(new Error(`Redis has lost changes: it is at version ${String(a)}`));
    case 'restoring':
      throw new StoreUnavailable(new Error('the configuration in Redis is being restored'));
    default:
      throw new UnreadableRecord('the answer to a change');
  }
}

function toChained(entry: RedisReply): ChainedChange {
  const [id, fields] = Array.isArray(entry) ? (entry as readonly RedisReply[]) : [];
  const [, nonce, , prev, , entries] = texts(fields ?? null);
  const version = Number.parseInt(String(id), 10);
  if (nonce === undefined || prev === undefined || entries === undefined || !(version > 0)) {
    throw new UnreadableRecord(`the change ${String(id)}`);
  }
  return { change: parseChange(version, entries), nonce, prev };
}

function texts(reply: RedisReply): string[] {
  return Array.isArray(reply) ? reply.map(String) : [];
}

function kindOf(reply: RedisReply | undefined): DocumentKind {
  if (isDocumentKind(reply)) return reply;
  throw new UnreadableRecord(`a document of kind ${String(reply)}`);
}
