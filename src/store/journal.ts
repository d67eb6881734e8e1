/** A request that was done: asked for again, it is not done twice. */
export interface DoneRequest {
  /** Whose it is, and which: a digest. */
  readonly key: string;
  /** Of what was asked for: another request under the same id is a mistake. */
  readonly fingerprint: string;
  /** What came of it, for the answer: `api_key/abc`. Nothing secret. */
  readonly result: string;
}

/** What goes into the store with a change, in the same transaction. */
export interface Note {
  /** Everything is checked, and nothing is written: the change is given as it would have been. */
  readonly dryRun?: boolean | undefined;
  /** An entry of the audit log; its form is the control plane's. */
  readonly audit?: Uint8Array | undefined;
  readonly request?: DoneRequest | undefined;
}

/** Thrown by a commit whose request was done before. */
export class RequestDone extends Error {
  readonly request: DoneRequest;

  constructor(request: DoneRequest) {
    super('the request was done before');
    this.name = 'RequestDone';
    this.request = request;
  }
}

export interface JournalEntry {
  /** Of the change that it tells of; undefined: nothing in the store was changed. */
  readonly version: number | undefined;
  /** Unix milliseconds, when it was written. */
  readonly at: number;
  readonly body: Uint8Array;
  /** Where a list goes on after it. */
  readonly cursor: string;
}

export interface JournalPage {
  /** The last first. */
  readonly entries: readonly JournalEntry[];
  /** There are more. */
  readonly more: boolean;
}

/** How much of the audit log stays. What was refused counts by itself, so that no flood of it drives changes out. */
export interface Retention {
  readonly changes: number;
  readonly refusals: number;
  /** Milliseconds. */
  readonly ageMs: number;
}

export const DEFAULT_RETENTION: Retention = { changes: 100_000, refusals: 10_000, ageMs: 400 * 86_400_000 };

/** Requests are remembered for so long, and at most so many of them. */
export const REQUEST_LIFE_MS = 86_400_000;
export const MAX_REQUESTS = 100_000;

/** The audit log, append-only, and the requests that were done. Bodies are opaque here. */
export interface Journal {
  /** An entry that comes with no commit. On the disk when the promise resolves. */
  append(body: Uint8Array, refused: boolean): Promise<void>;
  /** @param cursor of the last entry before; @param limit entries, at least 1. @throws BadCursor */
  list(cursor: string | undefined, limit: number): Promise<JournalPage>;
  /** Bodies of the entries that tell of these versions, where there are any. */
  ofVersions(first: number, last: number): Promise<ReadonlyMap<number, Uint8Array>>;
  findRequest(key: string): Promise<DoneRequest | undefined>;
  /** For requests without a commit. */
  rememberRequest(request: DoneRequest): Promise<void>;
}

/** Thrown by `list` for what is no cursor of this store. */
export class BadCursor extends Error {
  constructor() {
    super('not a cursor of the audit log');
    this.name = 'BadCursor';
  }
}
