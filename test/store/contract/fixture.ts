import type { DocumentStore } from '../../../src/store/store.ts';
import { type FakeClock, StoreFolder } from '../support.ts';

/** A store of documents that starts empty. */
export interface DocumentsFixture {
  readonly clock: FakeClock;
  /** Once. */
  open(keepChanges?: number): Promise<DocumentStore>;
  /** What was opened is closed, and opened again on the same data. */
  reopen(keepChanges?: number): Promise<DocumentStore>;
  close(): Promise<void>;
}

export async function embeddedDocuments(): Promise<DocumentsFixture> {
  const folder = new StoreFolder();
  let store: ReturnType<StoreFolder['open']> | undefined;
  return {
    clock: folder.clock,
    async open(keepChanges) {
      store = folder.open(keepChanges);
      return store.documents;
    },
    async reopen(keepChanges) {
      if (store === undefined) throw new Error('not open');
      store = await folder.reopen(store, keepChanges);
      return store.documents;
    },
    close: () => folder.close(),
  };
}
