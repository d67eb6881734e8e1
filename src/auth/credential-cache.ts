import type { CachedCredential } from './cached-credential.ts';
import { Lru } from './lru.ts';

/** Counters since the start, and what is held now; for metrics. */
export interface CredentialCacheStats {
  /** Found, by memo or by hash. */
  readonly hits: number;
  /** Not found, so that the store was asked. */
  readonly misses: number;
  readonly evictions: number;
  readonly positives: number;
  readonly negatives: number;
}

/**
 * Credentials by SHA-256, valid and invalid ones in tables of their own: strangers fill the latter as fast as they like, and
 * no valid key ever makes room for one of theirs.
 */
export class CredentialCache {
  readonly #positives: Lru<CachedCredential>;
  readonly #negatives: Lru<CachedCredential>;
  #hits = 0;
  #misses = 0;
  #evictions = 0;

  constructor(maxPositives: number, maxNegatives: number) {
    const onEvict = (entry: CachedCredential) => {
      entry.valid = false;
      this.#evictions++;
    };
    this.#positives = new Lru(maxPositives, onEvict);
    this.#negatives = new Lru(maxNegatives, onEvict);
  }

  get stats(): CredentialCacheStats {
    return {
      hits: this.#hits,
      misses: this.#misses,
      evictions: this.#evictions,
      positives: this.#positives.size,
      negatives: this.#negatives.size,
    };
  }

  /** @param now Unix milliseconds */
  get(hash: string, now: number): CachedCredential | undefined {
    const entry = this.#positives.get(hash) ?? this.#negatives.get(hash);
    if (entry === undefined || entry.expiresAt <= now) {
      this.#misses++;
      return undefined;
    }
    this.#hits++;
    return entry;
  }

  /**
   * An entry was used by its memo: it counts as a hit, and stays recent. The order is not kept while there is room for as many
   * again: its links are five places in memory, and who is in use is touched often enough once it matters.
   */
  touch(entry: CachedCredential): void {
    this.#hits++;
    const table = entry.principal === undefined ? this.#negatives : this.#positives;
    if (!table.isRoomy) table.touch(entry);
  }

  set(entry: CachedCredential): void {
    this.drop(entry.key);
    (entry.principal === undefined ? this.#negatives : this.#positives).set(entry);
  }

  /** Forgets what is known of a hash; entries that were handed out become invalid. */
  drop(hash: string): void {
    for (const table of [this.#positives, this.#negatives]) {
      const entry = table.delete(hash);
      if (entry !== undefined) entry.valid = false;
    }
  }
}
