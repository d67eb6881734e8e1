/**
 * A map that keeps between `limit` and twice as many of the entries used last. Two maps instead of a list: a look-up of
 * something in use touches one map, and forgetting is dropping the older map.
 */
export class RecentMap<K, V> {
  readonly #limit: number;
  #young = new Map<K, V>();
  /** Undefined until the young one was full for the first time. */
  #old: Map<K, V> | undefined = undefined;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get(key: K): V | undefined {
    const young = this.#young.get(key);
    if (young !== undefined || this.#old === undefined) return young;
    const old = this.#old.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  set(key: K, value: V): void {
    if (this.#young.size >= this.#limit && !this.#young.has(key)) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, value);
  }

  get size(): number {
    return this.#young.size + (this.#old?.size ?? 0);
  }
}
