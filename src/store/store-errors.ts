import type { DocumentKind } from './store.ts';

/** Thrown by `commit` when an `expected` version does not hold. */
export class VersionConflict extends Error {
  readonly kind: DocumentKind;
  readonly id: string;
  /** The current version; 0 when there is no such document. */
  readonly current: number;

  constructor(kind: DocumentKind, id: string, current: number) {
    super(current === 0 ? `${kind} ${id} does not exist` : `${kind} ${id} is at version ${current}`);
    this.name = 'VersionConflict';
    this.kind = kind;
    this.id = id;
    this.current = current;
  }
}

/** Thrown by `commit` when a document's parent or reference (`kind`, `id`) does not exist. */
export class ReferenceMissing extends Error {
  readonly kind: DocumentKind;
  readonly id: string;

  constructor(kind: DocumentKind, id: string) {
    super(`there is no ${kind} ${id}`);
    this.name = 'ReferenceMissing';
    this.kind = kind;
    this.id = id;
  }
}

/** Thrown by `commit` when a document to be deleted is referred to by another. */
export class StillReferenced extends Error {
  readonly kind: DocumentKind;
  readonly id: string;
  /** One of those that refer to it. */
  readonly by: { readonly kind: DocumentKind; readonly id: string };

  constructor(kind: DocumentKind, id: string, by: { kind: DocumentKind; id: string }) {
    super(`${kind} ${id} is used by ${by.kind} ${by.id}`);
    this.name = 'StillReferenced';
    this.kind = kind;
    this.id = id;
    this.by = by;
  }
}

/** Thrown by `commit` when another document of the kind has the hash. */
export class HashTaken extends Error {
  readonly kind: DocumentKind;
  /** The document that has it. */
  readonly id: string;

  constructor(kind: DocumentKind, id: string) {
    super(`${kind} ${id} has the same hash`);
    this.name = 'HashTaken';
    this.kind = kind;
    this.id = id;
  }
}

/** The store cannot be opened; the message says why and what to do next. */
export class StoreUnusable extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'StoreUnusable';
  }
}

/** The store does not answer, or cannot take changes now; to try again later is right. */
export class StoreUnavailable extends Error {
  constructor(cause: unknown) {
    super(`the store is not available: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.name = 'StoreUnavailable';
  }
}

/** For a question that nobody can do without: whatever went wrong. @throws StoreUnavailable */
export function unavailable(cause: unknown): never {
  throw new StoreUnavailable(cause);
}

/** The store did not answer in time, or is known not to answer: whoever asked decides without it. */
export class StoreSilent extends Error {
  constructor() {
    super('the store does not answer');
    this.name = 'StoreSilent';
  }
}
