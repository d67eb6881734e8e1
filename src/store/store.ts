export {
  HashTaken,
  ReferenceMissing,
  StillReferenced,
  StoreSilent,
  StoreUnavailable,
  StoreUnusable,
  VersionConflict,
} from './store-errors.ts';

import type { Journal, Note } from './journal.ts';
import type { QuotaLedger, QuotaStanding, RateLedger } from './ledger.ts';

/** A stored configuration document: what an admin or the configuration file said. */
export interface Document {
  readonly kind: DocumentKind;
  readonly id: string;
  /** The version at which it was last written; its etag is derived from it. */
  readonly version: number;
  /** Unix milliseconds. */
  readonly createdAt: number;
  readonly updatedAt: number;
  /** Protobuf binary of `tollgate.admin.v1.{Tenant,Plan,ApiKey,Backend,Contract}`, without what the columns beside it say. */
  readonly body: Uint8Array;
  /** Secondary look-up: the SHA-256 of a key's text (lower-case hex). Unique per kind. */
  readonly hash: string | undefined;
  /** The document that this one belongs to (a key's tenant). */
  readonly parent: string | undefined;
  /** The document that this one cannot do without (a tenant's plan, a contract's backend). */
  readonly reference: string | undefined;
}

/** What others need comes first. */
export const DOCUMENT_KINDS = ['plan', 'tenant', 'api_key', 'backend', 'contract'] as const;
export type DocumentKind = (typeof DOCUMENT_KINDS)[number];

export function isDocumentKind(value: unknown): value is DocumentKind {
  return DOCUMENT_KINDS.some((kind) => kind === value);
}

/** The kind that `parent` names. A document is listed by its parent, needs it, and is deleted with it. */
export const PARENT_KIND: Readonly<Record<DocumentKind, DocumentKind | undefined>> = {
  plan: undefined,
  tenant: undefined,
  api_key: 'tenant',
  backend: undefined,
  contract: undefined,
};

/** The kind that `reference` names. A document needs what it refers to, which therefore cannot be deleted. */
export const REFERENCE_KIND: Readonly<Record<DocumentKind, DocumentKind | undefined>> = {
  plan: undefined,
  tenant: 'plan',
  api_key: undefined,
  backend: undefined,
  contract: 'backend',
};

/** One write within a change. A put replaces the whole document; its time of creation stays. */
export type Write =
  | {
      readonly op: 'put';
      readonly kind: DocumentKind;
      readonly id: string;
      readonly body: Uint8Array;
      /** undefined: unconditional; 0: must not exist; n: must be at this version. */
      readonly expected?: number | undefined;
      readonly hash?: string | undefined;
      readonly parent?: string | undefined;
      readonly reference?: string | undefined;
    }
  | { readonly op: 'delete'; readonly kind: DocumentKind; readonly id: string; readonly expected?: number | undefined };

/** An entry of the change log: everything that was written at one version. */
export interface Change {
  readonly version: number;
  readonly documents: readonly Document[];
  /** Children deleted with their parent are listed too. */
  readonly deleted: readonly { readonly kind: DocumentKind; readonly id: string; readonly hash?: string | undefined }[];
  /** Hashes of keys that were written or deleted, old ones that were replaced too: caches drop what they hold of them. */
  readonly hashes: readonly string[];
}

export interface Page {
  readonly documents: readonly Document[];
  /** Id to continue after; undefined on the last page. */
  readonly next: string | undefined;
}

/** Tenants, plans, keys, backends and contracts with a versioned change log. A commit that returned survives kill -9. */
export interface DocumentStore {
  get(kind: DocumentKind, id: string): Promise<Document | undefined>;
  getByHash(kind: DocumentKind, hash: string): Promise<Document | undefined>;
  /** Ordered by id (by code point). `limit` is at least 1. */
  list(
    kind: DocumentKind,
    options: { after?: string | undefined; limit: number; parent?: string | undefined },
  ): Promise<Page>;
  /**
   * All writes or none, in order; parents and references are checked when all are done. Gives the change as it went into
   * the log; when nothing was written (deleting what is not there) there is no new version.
   * @throws VersionConflict, ReferenceMissing, StillReferenced, HashTaken, and RequestDone for a note whose request was
   */
  commit(writes: readonly Write[], note?: Note): Promise<Change>;
  /** The version of the last change; 0 before the first. */
  version(): Promise<number>;
  /**
   * Changes after `version`, oldest first, at most `limit`.
   * @returns undefined when the log no longer reaches back that far: read the documents anew.
   */
  changes(after: number, limit: number): Promise<readonly Change[] | undefined>;
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
  /** Units of earlier leases in hand: what can be told apart from used ones by whoever reads the counter. */
  readonly held?: number | undefined;
}

/** What a store across the network answers. */
export interface QuotaGrant {
  readonly granted: number;
  /** Units that nobody has leased. */
  readonly left: number;
  /** Units that an admin added to the limit in this period; below 0 when they were taken away. */
  readonly adjusted: number;
  /** By the store's clock it is another period than the one that was asked for: work it out anew, and ask again. */
  readonly otherPeriod: boolean;
}

/** Durable counters of used units. What is leased counts as used until it is given back. */
export interface QuotaStore {
  /** It answers with promises, from across a network. */
  readonly remote?: boolean;
  /** True while the store does not answer: asking is of no use. */
  readonly silent?: boolean;
  /** A store that answers at once: units that nobody had leased after the last lease. */
  readonly left?: number;
  /** Likewise: units that an admin had added to the limit. */
  readonly adjusted?: number;
  /**
   * Takes up to `want` units from what is left; 0 when less than `least` is left. Throws (or rejects) when the store fails;
   * with StoreSilent when it does not answer.
   */
  lease(request: QuotaLeaseRequest): number | Promise<QuotaGrant>;
  /** Gives unused units back (never below 0), and keeps `held`. Throws (or rejects) when the store fails. */
  giveBack(
    request: Pick<QuotaLeaseRequest, 'tenantId' | 'metric' | 'periodStart' | 'held'>,
    units: number,
  ): void | Promise<void>;
  /**
   * Counts units that were used while the store was silent, even above the limit. A store that is never silent has none.
   * @param settlement rising; one whose answer was lost may be sent again and counts once
   * @returns how the counter stands then
   */
  settle?(
    request: Pick<QuotaLeaseRequest, 'tenantId' | 'metric' | 'periodStart' | 'periodEnd'>,
    units: number,
    settlement: number,
  ): Promise<Pick<QuotaStanding, 'total' | 'adjusted'>>;
  /** Units used or leased. */
  used(request: Pick<QuotaLeaseRequest, 'tenantId' | 'metric' | 'periodStart'>): Promise<number>;
}

/**
 * When keys were last used: beside the documents, for it is no configuration. To write it is no change, wakes nobody, and is lost
 * with little harm.
 */
export interface KeyUseStore {
  /**
   * Keeps the later of what is known and what is told (Unix milliseconds, by the key's id), unless the two are less than
   * KEY_USE_STEP_MS apart. Keys that are not there are passed over. Throws (or rejects) when the store fails.
   */
  note(uses: ReadonlyMap<string, number>): void | Promise<void>;
  /** Without those of which nothing is known. */
  read(ids: readonly string[]): Promise<ReadonlyMap<string, number>>;
}

/** As often as this the use of one key is written. */
export const KEY_USE_STEP_MS = 60_000;

/** The outcome of asking a rate limit's bucket. */
export interface RateGrant {
  /** Units taken from the bucket for the asker. */
  readonly granted: number;
  /** When nothing is left: milliseconds until one unit conforms. */
  readonly retryAfterMs: number;
  /** Whole units left in the bucket, where the store says so. */
  readonly left?: number | undefined;
}

/** A bucket that is at hand. */
export interface OpenBucket {
  /** As of `RateStore`. */
  take(rate: number, burst: number, want: number): RateGrant;
}

/** GCRA buckets (generic cell rate algorithm, ITU-T I.371). */
export interface RateStore {
  /** It answers with promises, from across a network. */
  readonly remote?: boolean;
  /** True while the store does not answer: asking is of no use. */
  readonly silent?: boolean;
  /**
   * Takes up to `want` units that conform now. Throws (or rejects) when the store fails; with StoreSilent when it does not
   * answer.
   * @param bucket `<tenant>/<limit>`
   * @param rate units per second, above 0
   * @param burst whole units, at least 1
   * @param owed units that were used while the store was silent: taken first, as far as the bucket has any
   * @param late told of an answer that comes after the promise was rejected with StoreSilent
   */
  take(
    bucket: string,
    rate: number,
    burst: number,
    want: number,
    owed?: number,
    late?: (grant: RateGrant) => void,
  ): RateGrant | Promise<RateGrant>;
  /** For who takes of one bucket call after call: the bucket need not be looked for each time. Only where it is in this process. */
  open?(bucket: string): OpenBucket;
  /** Units left, where that can be said at once; `burst` for a bucket that nobody has drawn on. */
  left?(bucket: string, burst: number): number;
}

/** One state behind a gateway, or a fleet of them. */
export interface Store {
  readonly documents: DocumentStore;
  readonly journal: Journal;
  readonly keyUses: KeyUseStore;
  readonly quotas: QuotaStore & QuotaLedger;
  readonly rates: RateStore & RateLedger;
  close(): Promise<void>;
}
