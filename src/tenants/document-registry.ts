import { setImmediate } from 'node:timers/promises';
import {
  type Document,
  type DocumentKind,
  type DocumentStore,
  HashTaken,
  type Page,
  ReferenceMissing,
  StillReferenced,
  VersionConflict,
  type Write,
} from '../store/store.ts';
import type { ConfigSync } from '../sync/config-sync.ts';
import { AlreadyExists, EtagMismatch, FailedPrecondition, NotFound, type RegistryError } from './errors.ts';
import { etagOf } from './etag.ts';
import { decodePageToken, encodePageToken, type PageRequest, pageLimit } from './page-token.ts';

/** Writers without an etag that keep losing the race are told so at last. */
const ATTEMPTS = 20;
/** Documents that are looked at at once where not all are wanted, and how often for one page. */
const LOOK = 500;
const MAX_LOOKS = 10;

export type Put = Extract<Write, { op: 'put' }>;
/** A put without what the registry adds. */
export type Content = Pick<Put, 'body' | 'hash' | 'parent' | 'reference'>;

/**
 * What tenants, plans, keys, backends and contracts have in common: create, read, update and delete with etags, pages, and the store's errors in
 * the registry's words. Reads go to the store, writes through `ConfigSync`.
 */
export class DocumentRegistry {
  readonly #documents: DocumentStore;
  readonly #sync: ConfigSync;
  readonly #kind: DocumentKind;

  constructor(documents: DocumentStore, sync: ConfigSync, kind: DocumentKind) {
    this.#documents = documents;
    this.#sync = sync;
    this.#kind = kind;
  }

  /** @throws AlreadyExists, and what the store refuses */
  async create(id: string, content: Content): Promise<Document> {
    try {
      return await this.#put({ op: 'put', kind: this.#kind, id, expected: 0, ...content });
    } catch (error) {
      if (error instanceof VersionConflict) throw new AlreadyExists(this.#kind, id);
      throw registryError(error);
    }
  }

  /** @throws NotFound */
  async get(id: string): Promise<Document> {
    const document = await this.#documents.get(this.#kind, id);
    if (document === undefined) throw new NotFound(this.#kind, id);
    return document;
  }

  /** @returns the page, with the token of the next. @throws InvalidArgument */
  async list(request: PageRequest, parent?: string): Promise<{ documents: Page['documents']; nextPageToken: string }> {
    const name = parent === undefined ? this.#kind : `${this.#kind}/${parent}`;
    const limit = pageLimit(request.pageSize);
    const after = decodePageToken(name, request.pageToken);
    const { documents, next } = await this.#documents.list(this.#kind, { after, limit, parent });
    return { documents, nextPageToken: encodePageToken(name, next) };
  }

  /**
   * Like `list`, of those alone that `keeps` keeps. So many are looked at for one page that it may be short, and not the last.
   * @param filter names what is kept, so that a token is not taken for that of another list
   * @throws InvalidArgument
   */
  async listWhere(
    request: PageRequest,
    filter: string,
    keeps: (document: Document) => boolean,
  ): Promise<{ documents: Page['documents']; nextPageToken: string }> {
    const name = `${this.#kind}?${filter}`;
    const limit = pageLimit(request.pageSize);
    const documents: Document[] = [];
    let after = decodePageToken(name, request.pageToken);
    for (let looks = 0; looks < MAX_LOOKS; looks++) {
      const page = await this.#documents.list(this.#kind, { after, limit: LOOK });
      for (const document of page.documents) {
        if (keeps(document)) {
          if (documents.length === limit) return { documents, nextPageToken: encodePageToken(name, after) };
          documents.push(document);
        }
        after = document.id;
      }
      if (page.next === undefined) return { documents, nextPageToken: '' };
      // A store that answers at once would hold up calls meanwhile.
      await setImmediate();
    }
    return { documents, nextPageToken: encodePageToken(name, after) };
  }

  /**
   * Like `list`, with ids that are defined elsewhere among them: those have no document, and hide one that has the same id.
   * @throws InvalidArgument
   */
  async listAmong(
    request: PageRequest,
    others: readonly string[],
  ): Promise<{ entries: { id: string; document: Document | undefined }[]; nextPageToken: string }> {
    const limit = pageLimit(request.pageSize);
    const after = decodePageToken(this.#kind, request.pageToken);
    const { documents, next } = await this.#documents.list(this.#kind, { after, limit });
    const entries = [
      ...documents.filter(({ id }) => !others.includes(id)).map((document) => ({ id: document.id, document })),
      ...others
        .filter((id) => (after === undefined || id > after) && (next === undefined || id <= next))
        .map((id) => ({ id, document: undefined })),
    ].sort((a, b) => (a.id < b.id ? -1 : 1));
    const page = entries.slice(0, limit);
    const last = entries.length > limit ? page.at(-1)?.id : next;
    return { entries: page, nextPageToken: encodePageToken(this.#kind, last) };
  }

  /**
   * Changes a document as it is at the moment of the commit; nothing is written when nothing changes.
   * @param etag when empty, whoever comes last wins, but no change of another is lost: `change` runs again on what it left
   * @throws NotFound, EtagMismatch, what `change` throws and what the store refuses
   */
  async update(id: string, etag: string, change: (current: Document) => Content): Promise<Document> {
    return this.#attempt(id, etag, async (current) => {
      const content = change(current);
      if (sameContent(current, content)) return current;
      return this.#put({ op: 'put', kind: this.#kind, id, expected: current.version, ...content });
    });
  }

  /**
   * Changes a document and makes another of its kind beside it, in one change.
   * @throws NotFound, EtagMismatch, what `change` throws and what the store refuses
   */
  async updateAndCreate(
    id: string,
    etag: string,
    change: (current: Document) => { readonly content: Content; readonly id: string; readonly created: Content },
  ): Promise<{ readonly updated: Document; readonly created: Document }> {
    return this.#attempt(id, etag, async (current) => {
      const made = change(current);
      const kind = this.#kind;
      const { documents } = await this.#sync.change([
        { op: 'put', kind, id: made.id, expected: 0, ...made.created },
        { op: 'put', kind, id, expected: current.version, ...made.content },
      ]);
      const find = (wanted: string) => documents.find((document) => document.kind === kind && document.id === wanted);
      const [updated, created] = [find(id), find(made.id)];
      if (updated === undefined || created === undefined) throw new Error('the change lacks what was put');
      return { updated, created };
    });
  }

  /** @param etag when empty, whatever the document is like. @throws NotFound, EtagMismatch, FailedPrecondition */
  async delete(id: string, etag: string): Promise<void> {
    await this.#attempt(id, etag, async ({ version }) => {
      await this.#sync.change([{ op: 'delete', kind: this.#kind, id, expected: version }]);
    });
  }

  async #attempt<T>(id: string, etag: string, write: (current: Document) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      const current = await this.get(id);
      const currentEtag = etagOf(current);
      if (etag !== '' && etag !== currentEtag) throw new EtagMismatch(this.#kind, id, currentEtag);
      try {
        return await write(current);
      } catch (error) {
        if (!(error instanceof VersionConflict)) throw registryError(error);
        if (attempt === ATTEMPTS) throw new EtagMismatch(this.#kind, id, etagOf({ version: error.current }));
      }
    }
  }

  async #put(write: Put): Promise<Document> {
    const change = await this.#sync.change([write]);
    const document = change.documents.find(({ kind, id }) => kind === write.kind && id === write.id);
    if (document === undefined) throw new Error(`the change ${change.version} lacks what was put`);
    return document;
  }
}

/** Whether a put would leave the document as it is. */
export function sameContent(document: Document, content: Content): boolean {
  return (
    document.hash === content.hash &&
    document.parent === content.parent &&
    document.reference === content.reference &&
    Buffer.compare(document.body, content.body) === 0
  );
}

/** What the store refused, in the registry's words; other errors as they are. */
export function registryError(error: unknown): RegistryError | unknown {
  if (error instanceof ReferenceMissing) {
    const { kind, id } = error;
    if (kind !== 'plan' && kind !== 'backend') return new NotFound(kind, id);
    const message = `there is no ${kind} "${id}": create it first, or name another`;
    return new FailedPrecondition(message, { type: `${kind.toUpperCase()}_UNKNOWN`, subject: `${kind}s/${id}` });
  }
  if (error instanceof StillReferenced) {
    const { kind, id, by } = error;
    const message = `${by.kind} "${by.id}" (perhaps others too) has the ${kind} "${id}": give it another one first`;
    return new FailedPrecondition(message, { type: `${kind.toUpperCase()}_IN_USE`, subject: `${by.kind}s/${by.id}` });
  }
  if (error instanceof HashTaken) return new AlreadyExists(error.kind, error.id);
  return error;
}
