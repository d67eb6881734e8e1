import { setImmediate } from 'node:timers/promises';
import type { KeyUseStore } from '../store/store.ts';

export interface KeyUsesOptions {
  readonly store: KeyUseStore;
  readonly onError: (error: unknown) => void;
  /** Milliseconds for which uses are gathered before they are written; default 5,000. */
  readonly gatherMs?: number | undefined;
}

/** Uses that wait; what comes beyond them is not noted this time. */
const MAX_WAITING = 65_536;
/** Rows in one write: SQLite's are made on the thread that serves calls. */
const BATCH = 200;

/** Gathers when keys were used, and writes it behind the calls' back: they neither wait for it nor fail with it. */
export class KeyUses {
  readonly #options: KeyUsesOptions;
  #waiting = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;
  /** Settled when the last write that was begun is done. */
  #last: Promise<void> = Promise.resolve();

  constructor(options: KeyUsesOptions) {
    this.#options = options;
  }

  /** @param at Unix milliseconds */
  used(keyId: string, at: number): void {
    if (this.#waiting.size >= MAX_WAITING && !this.#waiting.has(keyId)) return;
    this.#waiting.set(keyId, at);
    this.#timer ??= setTimeout(() => void this.flush(), this.#options.gatherMs ?? 5_000).unref();
  }

  /** When keys were last used, what waits here included. */
  async read(ids: readonly string[]): Promise<ReadonlyMap<string, number>> {
    await this.flush();
    return this.#options.store.read(ids);
  }

  /** Writes what waits. Never rejects: what could not be written went to `onError`, and is noted when the key is used again. */
  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const uses = this.#waiting;
    if (uses.size > 0) {
      this.#waiting = new Map();
      this.#last = this.#last.then(() => this.#write(uses)).catch(this.#options.onError);
    }
    return this.#last;
  }

  async #write(uses: ReadonlyMap<string, number>): Promise<void> {
    let batch = new Map<string, number>();
    for (const [id, at] of uses) {
      batch.set(id, at);
      if (batch.size < BATCH) continue;
      await this.#options.store.note(batch);
      await setImmediate();
      batch = new Map();
    }
    if (batch.size > 0) await this.#options.store.note(batch);
  }
}
