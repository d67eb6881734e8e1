import type { Change } from '../store/store.ts';
import type { ChangeListener } from './config-sync.ts';
import type { Snapshot } from './snapshot.ts';

/** Who is told of changes. One that throws does not keep the others from being told. */
export class ChangeListeners {
  readonly #listeners = new Set<ChangeListener>();
  readonly #onError: (error: unknown) => void;

  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  /** @returns ends the subscription */
  add(listener: ChangeListener): () => void {
    // Wrapped, so that a listener given twice is told twice, and each subscription ends by itself.
    const own: ChangeListener = (change, snapshot) => listener(change, snapshot);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  tell(change: Change, snapshot: Snapshot): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener(change, snapshot);
      } catch (error) {
        this.#onError(error);
      }
    }
  }
}
