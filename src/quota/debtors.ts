import type { QuotaStore } from '../store/store.ts';

/** How often the store is told of what was used without it: milliseconds. */
const TELL_EVERY_MS = 50;
/** How many counters at once. */
const AT_ONCE = 256;

interface Debtor {
  /** There is something to tell. */
  readonly any: boolean;
  settle(): Promise<void>;
}

/**
 * Counters of which units were used without their store. They are told as soon as it answers again, and not only at the tenant's next
 * call: until then others may lease the same units, and a process that is killed has told nobody.
 */
export class Debtors {
  readonly #store: QuotaStore;
  readonly #debtors = new Set<Debtor>();
  #timer: NodeJS.Timeout | undefined;

  constructor(store: QuotaStore) {
    this.#store = store;
  }

  add(debtor: Debtor): void {
    this.#debtors.add(debtor);
    this.#timer ??= setInterval(() => this.#tell(), TELL_EVERY_MS).unref();
  }

  /** Tells a last time, and ends. Fulfilled in any case. @returns how many counters were not told */
  async close(): Promise<number> {
    this.#stop();
    await Promise.all([...this.#debtors].map((debtor) => debtor.settle()));
    return [...this.#debtors].filter(({ any }) => any).length;
  }

  #tell(): void {
    if (this.#store.silent === true) return;
    let left = Math.min(this.#debtors.size, AT_ONCE);
    for (const debtor of this.#debtors) {
      if (left-- === 0) break;
      // Who still owes goes to the end: some that cannot be settled must not keep the others waiting.
      this.#debtors.delete(debtor);
      if (!debtor.any) continue;
      this.#debtors.add(debtor);
      void debtor.settle();
    }
    if (this.#debtors.size === 0) this.#stop();
  }

  #stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
