/** A stored configuration document: what an admin or the configuration file said. */
export interface Document {
  readonly kind: DocumentKind;
  readonly id: string;
  /** The version at which it was last written; its etag is derived from it. */
  readonly version: number;
  /** Unix milliseconds. */
  readonly createdAt: number;
  readonly updatedAt: number;
  /** Protobuf binary of `tollgate.admin.v1.{Tenant,Plan}` or the stored form of a key. */
  readonly body: Uint8Array;
}
export type DocumentKind = 'tenant' | 'plan' | 'api_key';

/** One write within a change. */
export type Write =
  | {
      readonly op: 'put';
      readonly kind: DocumentKind;
      readonly id: string;
      readonly body: Uint8Array;
      /** undefined: unconditional; 0: must not exist; n: must be at this version. */
      readonly expected?: number | undefined;
      /** Secondary look-up: the SHA-256 of a key's text (hex). Unique per kind. */
      readonly hash?: string | undefined;
      /** The document that this one belongs to (a key's tenant): listed by it, deleted with it. */
      readonly parent?: string | undefined;
    }
  | { readonly op: 'delete'; readonly kind: DocumentKind; readonly id: string; readonly expected?: number | undefined };

/** An entry of the change log: everything that was written at one version. */
export interface Change {
  readonly version: number;
  readonly documents: readonly Document[];
  /** `hash` (of a key) tells caches what to drop. Children deleted with their parent are listed too. */
  readonly deleted: readonly { readonly kind: DocumentKind; readonly id: string; readonly hash?: string | undefined }[];
  /** Hashes of keys that were written or deleted: caches drop what they hold of them. */
  readonly hashes: readonly string[];
}

/** Thrown by `commit` when an `expected` version does not hold. */
export class VersionConflict extends Error {
  readonly kind: DocumentKind;
  readonly id: string;
  /** The current version; 0 when there is no such document. */
  readonly current: number;

  constructor(kind: DocumentKind, id: string, current: number) {
    super(`${kind} ${id} is at version ${current}`);
    this.name = 'VersionConflict';
    this.kind = kind;
    this.id = id;
    this.current = current;
  }
}

export interface Page {
  readonly documents: readonly Document[];
  /** Id to continue after; undefined on the last page. */
  readonly next: string | undefined;
}

/** Tenants, plans and keys with a versioned change log. A commit that returned survives kill -9. */
export interface DocumentStore {
  get(kind: DocumentKind, id: string): Promise<Document | undefined>;
  getByHash(kind: DocumentKind, hash: string): Promise<Document | undefined>;
  /** Ordered by id. */
  list(
    kind: DocumentKind,
    options: { after?: string | undefined; limit: number; parent?: string | undefined },
  ): Promise<Page>;
  /** All writes or none; gives the change as it went into the log. @throws VersionConflict */
  commit(writes: readonly Write[]): Promise<Change>;
  /** The version of the last change. */
  version(): Promise<number>;
}

/** What a lease request asks of a quota counter. */
export interface QuotaLeaseRequest {
  readonly tenantId: string;
  readonly metric: string;
  /** Start of the period, Unix milliseconds: part of the counter's key. */
  readonly periodStart: number;
  readonly periodEnd: number;
  readonly limit: number;
  /** Units wished for, and the least that is of use. */
  readonly want: number;
  readonly least: number;
}

/** Durable counters of used units. What is leased counts as used until it is given back. */
export interface QuotaStore {
  /** Takes up to `want` units from what is left; 0 when less than `least` is left. */
  lease(request: QuotaLeaseRequest): number | Promise<number>;
  /** Gives unused units back (never below 0). */
  giveBack(
    request: Pick<QuotaLeaseRequest, 'tenantId' | 'metric' | 'periodStart'>,
    units: number,
  ): void | Promise<void>;
  /** Units used or leased. */
  used(request: Pick<QuotaLeaseRequest, 'tenantId' | 'metric' | 'periodStart'>): Promise<number>;
}

/** The outcome of asking a rate limit's bucket. */
export interface RateGrant {
  /** Units taken from the bucket for the asker. */
  readonly granted: number;
  /** When `granted` is 0: milliseconds until one unit conforms. */
  readonly retryAfterMs: number;
}

/** GCRA buckets (generic cell rate algorithm, ITU-T I.371). */
export interface RateStore {
  take(bucket: string, rate: number, burst: number, want: number): RateGrant | Promise<RateGrant>;
}

/** One state behind a gateway, or a fleet of them. */
export interface Store {
  readonly documents: DocumentStore;
  readonly quotas: QuotaStore;
  readonly rates: RateStore;
  close(): Promise<void>;
}
