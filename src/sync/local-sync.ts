import type { MethodEntry } from '../contracts/method-entry.ts';
import type { Note } from '../store/journal.ts';
import type { Change, DocumentStore, Write } from '../store/store.ts';
import { applyChange, checkReadable, readSnapshot, type StoreSnapshot, withFixed } from './apply-change.ts';
import type { ChangeListener, ConfigSync } from './config-sync.ts';
import type { Snapshot } from './snapshot.ts';

export interface LocalSyncOptions {
  readonly documents: DocumentStore;
  /** Of the gateway itself and its configuration file, by `:path`. */
  readonly methods: ReadonlyMap<string, MethodEntry>;
  /** Told what a listener threw. */
  readonly onListenerError: (error: unknown) => void;
}

/**
 * `ConfigSync` of a gateway that is alone on its store: every change passes through here, one after another.
 * @throws UnreadableDocument, and what the store throws
 */
export async function openLocalSync(options: LocalSyncOptions): Promise<ConfigSync> {
  return new LocalSync(options, await readSnapshot(options.documents, options.methods));
}

class LocalSync implements ConfigSync {
  readonly #documents: DocumentStore;
  readonly #onListenerError: (error: unknown) => void;
  readonly #listeners = new Set<ChangeListener>();
  #current: StoreSnapshot;
  /** Settled when the last change that was asked for is done. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: LocalSyncOptions, first: StoreSnapshot) {
    this.#documents = options.documents;
    this.#onListenerError = options.onListenerError;
    this.#current = first;
  }

  get current(): Snapshot {
    return this.#current;
  }

  change(writes: readonly Write[], note?: Note): Promise<Change> {
    // One at a time: changes are applied in the order of their versions, whatever order the store answers in.
    const done = this.#last.then(() => this.#commit(writes, note));
    this.#last = done.catch(() => undefined);
    return done;
  }

  onChange(listener: ChangeListener): () => void {
    // Wrapped, so that a listener given twice is told twice, and each subscription ends by itself.
    const own: ChangeListener = (change, snapshot) => listener(change, snapshot);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  setMethods(methods: ReadonlyMap<string, MethodEntry>): void {
    this.#current = withFixed(this.#current, methods);
  }

  async #commit(writes: readonly Write[], note: Note | undefined): Promise<Change> {
    checkReadable(writes);
    const change = await this.#documents.commit(writes, note);
    if (note?.dryRun || change.version <= this.#current.version) return change;
    this.#current = applyChange(this.#current, change);
    for (const listener of [...this.#listeners]) this.#tell(listener, change);
    return change;
  }

  #tell(listener: ChangeListener, change: Change): void {
    try {
      listener(change, this.#current);
    } catch (error) {
      this.#onListenerError(error);
    }
  }
}
