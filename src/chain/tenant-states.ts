/** Entries looked at for each new one when the table is full. More than one, so that it shrinks to those in use. */
const LOOK_AT = 8;

/** What a stage keeps of a tenant. */
export interface TenantState {
  /** Set at each use; cleared when the table has looked at the entry and left it. */
  recentlyUsed: boolean;
}

/**
 * What a stage keeps per tenant, bounded: with the table full, a new entry makes it drop some that were not used lately (the
 * clock algorithm; a look-up costs one `Map.get` and no reordering) and that the stage allows to drop. If it allows none, the
 * table grows: what must be kept is bounded by what is running.
 */
export class TenantStates<S extends TenantState> {
  readonly #states = new Map<string, S>();
  /** The one that was used last: calls that come together are often of one tenant. */
  #lastId = '';
  #last: S | undefined = undefined;
  readonly #max: number;
  readonly #mayDrop: (state: S) => boolean;
  readonly #onDrop: (state: S) => void;

  /** @param onDrop told of each entry that was dropped to make room; must not throw */
  constructor(max: number, mayDrop: (state: S) => boolean, onDrop: (state: S) => void = () => {}) {
    this.#max = max;
    this.#mayDrop = mayDrop;
    this.#onDrop = onDrop;
  }

  get size(): number {
    return this.#states.size;
  }

  get(tenantId: string): S | undefined {
    if (this.#last === undefined || tenantId !== this.#lastId) {
      this.#last = this.#states.get(tenantId);
      this.#lastId = tenantId;
    }
    if (this.#last !== undefined) this.#last.recentlyUsed = true;
    return this.#last;
  }

  /** Without being a use. */
  peek(tenantId: string): S | undefined {
    return this.#states.get(tenantId);
  }

  set(tenantId: string, state: S): void {
    if (this.#states.size >= this.#max) this.#makeRoom();
    this.#states.set(tenantId, state);
    this.#last = undefined;
  }

  values(): Iterable<S> {
    return this.#states.values();
  }

  /** Looks at the first few in the map's order; whoever stays goes to its end, so all get their turn. */
  #makeRoom(): void {
    let left = Math.min(LOOK_AT, this.#states.size);
    for (const [tenantId, state] of this.#states) {
      if (left-- === 0) break;
      this.#states.delete(tenantId);
      if (!state.recentlyUsed && this.#mayDrop(state)) {
        this.#onDrop(state);
        continue;
      }
      state.recentlyUsed = false;
      this.#states.set(tenantId, state);
    }
  }
}
