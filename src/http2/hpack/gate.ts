const HIT_CREDIT = 4;
/** A connection begins with misses: each of its methods enters the table, and then is seen for the first time. */
const START_CREDIT = 128;
const MAX_CREDIT = 256;
const REST = 256;

/**
 * Shuts a cache that does not pay. A peer whose blocks all differ (a deadline in the dynamic table with every call) would
 * make it hash, look up and store for nothing: below one hit in five the cache is left out for a while, then tried again.
 */
export class Gate {
  #credit = START_CREDIT;
  #rest = 0;

  /** Whether to use the cache this time. */
  open(): boolean {
    if (this.#rest === 0) return true;
    this.#rest--;
    return false;
  }

  hit(): void {
    if (this.#credit < MAX_CREDIT) this.#credit += HIT_CREDIT;
  }

  miss(): void {
    if (--this.#credit > 0) return;
    this.#credit = START_CREDIT;
    this.#rest = REST;
  }
}
