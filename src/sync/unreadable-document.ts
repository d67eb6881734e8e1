import type { DocumentKind } from '../store/store.ts';

/** Thrown when a stored document does not decode: the store is damaged, or written by something else. */
export class UnreadableDocument extends Error {
  constructor(kind: DocumentKind, id: string, cause: unknown) {
    super(`the stored ${kind} ${id} cannot be read`, { cause });
    this.name = 'UnreadableDocument';
  }
}
