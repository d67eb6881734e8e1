import type { MethodEntry } from '../contracts/method-entry.ts';
import type { Note } from '../store/journal.ts';
import type { Change, Write } from '../store/store.ts';
import type { Snapshot } from './snapshot.ts';

/** Told of each change after `current` has it, in the order of versions. */
export type ChangeListener = (change: Change, snapshot: Snapshot) => void;

/** One versioned state for all gateways: whoever writes the configuration writes it here, whoever reads it holds a snapshot. */
export interface ConfigSync {
  /** Replaced, never changed; a call reads it once and keeps what it got. */
  readonly current: Snapshot;
  /**
   * Commits to the store, then applies to `current` and tells the listeners; all of that before it resolves, so a change
   * that was acknowledged holds for the next decision.
   * @param note goes into the store with the change; a dry run changes nothing
   * @throws what `DocumentStore.commit` throws; then nothing has changed
   */
  change(writes: readonly Write[], note?: Note): Promise<Change>;
  /** @returns ends the subscription. A listener that throws does not keep the others from being told. */
  onChange(listener: ChangeListener): () => void;
  /** Swaps the methods of the gateway itself and its configuration file, at the same version: they are not in the store. */
  setMethods(methods: ReadonlyMap<string, MethodEntry>): void;
}
