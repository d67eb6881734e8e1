/** What an `Lru` keeps: the links are its own, so that a hit by reference needs no look-up and an entry no node beside it. */
export abstract class LruEntry {
  /** @internal Towards the most recently used. */
  newer: LruEntry | undefined = undefined;
  /** @internal Towards the least recently used. */
  older: LruEntry | undefined = undefined;
  readonly key: string;

  constructor(key: string) {
    this.key = key;
  }
}

/** A bounded table that, when full, drops what was used least recently. Every operation is O(1). */
export class Lru<E extends LruEntry> {
  readonly #entries = new Map<string, E>();
  readonly #capacity: number;
  readonly #onEvict: (entry: E) => void;
  #newest: LruEntry | undefined;
  #oldest: LruEntry | undefined;

  /** @param onEvict told of entries that had to make room, not of those deleted or replaced */
  constructor(capacity: number, onEvict: (entry: E) => void) {
    if (!Number.isInteger(capacity) || capacity < 1) throw new RangeError('an LRU needs room for one entry at least');
    this.#capacity = capacity;
    this.#onEvict = onEvict;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** At least half of it is free: who is used least does not matter yet. */
  get isRoomy(): boolean {
    return 2 * this.#entries.size <= this.#capacity;
  }

  /** Finds an entry, and makes it the most recently used. */
  get(key: string): E | undefined {
    const entry = this.#entries.get(key);
    if (entry !== undefined) this.touch(entry);
    return entry;
  }

  /** Makes an entry that is in the table the most recently used, without a look-up. */
  touch(entry: E): void {
    if (entry === this.#newest) return;
    this.#unlink(entry);
    this.#link(entry);
  }

  /** Adds an entry as the most recently used, in place of one of the same key. */
  set(entry: E): void {
    this.delete(entry.key);
    if (this.#entries.size >= this.#capacity) this.#evict();
    this.#entries.set(entry.key, entry);
    this.#link(entry);
  }

  /** @returns what was taken out */
  delete(key: string): E | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    this.#unlink(entry);
    return entry;
  }

  values(): Iterable<E> {
    return this.#entries.values();
  }

  /** From the most to the least recently used. */
  keys(): string[] {
    const keys: string[] = [];
    for (let entry = this.#newest; entry !== undefined; entry = entry.older) keys.push(entry.key);
    return keys;
  }

  #evict(): void {
    if (this.#oldest === undefined) return;
    const entry = this.delete(this.#oldest.key);
    if (entry !== undefined) this.#onEvict(entry);
  }

  #link(entry: LruEntry): void {
    entry.older = this.#newest;
    if (this.#newest !== undefined) this.#newest.newer = entry;
    this.#newest = entry;
    this.#oldest ??= entry;
  }

  #unlink(entry: LruEntry): void {
    if (entry.newer !== undefined) entry.newer.older = entry.older;
    else this.#newest = entry.older;
    if (entry.older !== undefined) entry.older.newer = entry.newer;
    else this.#oldest = entry.newer;
    entry.newer = undefined;
    entry.older = undefined;
  }
}
