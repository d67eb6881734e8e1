import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEmbeddedStore } from '../../src/store/embedded/open.ts';
import type { Store } from '../../src/store/store.ts';

/** A clock that moves when told. Unix time and monotonic time run alike. */
export class FakeClock {
  ms = 1_700_000_000_000;
  now(): number {
    return this.ms;
  }
  monotonic(): number {
    return this.ms - 1_699_000_000_000;
  }
}

/** A folder of its own, and what is opened in it; all of it is gone after `close`. */
export class StoreFolder {
  readonly clock = new FakeClock();
  readonly folder = mkdtempSync(join(tmpdir(), 'tollgate-store-'));
  readonly path = join(this.folder, 'data', 'tollgate.db');
  readonly #open = new Set<Store>();

  open(keepChanges?: number): Store {
    const store = openEmbeddedStore({ path: this.path, clock: this.clock, keepChanges });
    this.#open.add(store);
    return store;
  }

  async reopen(store: Store, keepChanges?: number): Promise<Store> {
    await store.close();
    this.#open.delete(store);
    return this.open(keepChanges);
  }

  async close(): Promise<void> {
    for (const store of this.#open) await store.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
