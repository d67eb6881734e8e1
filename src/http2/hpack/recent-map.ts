/**
 * A map that keeps between `limit` and twice as many of the entries used last. Two maps instead of a list: a look-up of
 * something in use touches one map, and forgetting is dropping the older map. What was found last, and before that, is found
 * without a look-up: a client's answers are two blocks that take turns, headers and trailers.
 */
export class RecentMap<K, V> {
  readonly #limit: number;
  #young = new Map<K, V>();
  /** Undefined until the young one was full for the first time. */
  #old: Map<K, V> | undefined = undefined;
  #lastKey: K | undefined = undefined;
  #lastValue: V | undefined = undefined;
  #beforeKey: K | undefined = undefined;
  #beforeValue: V | undefined = undefined;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get(key: K): V | undefined {
    if (key === this.#lastKey) return this.#lastValue;
    if (key === this.#beforeKey) return this.#beforeValue;
    const value = this.#find(key);
    if (value !== undefined) this.#note(key, value);
    return value;
  }

  #find(key: K): V | undefined {
    const young = this.#young.get(key);
    if (young !== undefined || this.#old === undefined) return young;
    const old = this.#old.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  #note(key: K, value: V): void {
    this.#beforeKey = this.#lastKey;
    this.#beforeValue = this.#lastValue;
    this.#lastKey = key;
    this.#lastValue = value;
  }

  set(key: K, value: V): void {
    if (key === this.#lastKey) this.#lastValue = value;
    else if (key === this.#beforeKey) this.#beforeValue = value;
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
