import type { DocumentKind } from '../store/store.ts';

/** A contract may be a megabyte. */
const CONTRACTS = 20;

/** How many documents of a kind are read at once. @param most of kinds that are small */
export function pageOf(kind: DocumentKind, most: number): number {
  return kind === 'contract' ? Math.min(CONTRACTS, most) : most;
}
