import type { Document } from '../store/store.ts';

/** The etag of a document at its version. Opaque: it is compared, never taken apart. */
export function etagOf({ version }: Pick<Document, 'version'>): string {
  return `v${version.toString(36)}`;
}
