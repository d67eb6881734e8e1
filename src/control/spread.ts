/** Nobody waits for much longer for being one of many: then more have their turn in the same millisecond. */
const LONGEST_MS = 200;
/** Octets that all may send in a millisecond, so 4 MiB a second: what a gateway's callers do not notice (`npm run bench:latency -- watchers`). */
const OCTETS_OF_MS = 4195;

interface Waiting {
  readonly octets: number;
  readonly resolve: () => void;
}

/**
 * Spreads what is sent to many all at once: each who waits for a turn gets one in some millisecond, few in the same one, and after
 * much was sent the next comes later; what else there is to do comes in between.
 */
export class Spread {
  readonly #waiting: Waiting[] = [];
  #timer: NodeJS.Timeout | undefined = undefined;
  #atOnce = 1;
  /** Octets for which there was no time yet. */
  #owed = 0;

  /** Resolves when it is the caller's turn to send so many octets. Never rejects. */
  turn(octets: number): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ octets, resolve });
      this.#atOnce = Math.max(this.#atOnce, Math.ceil(this.#waiting.length / LONGEST_MS));
      this.#timer ??= setTimeout(() => this.#next(), 1).unref();
    });
  }

  #next(): void {
    for (let turns = 0; turns < this.#atOnce && this.#owed < OCTETS_OF_MS; turns++) {
      const next = this.#waiting.shift();
      if (next === undefined) break;
      this.#owed += next.octets;
      next.resolve();
    }
    const wait = Math.max(1, Math.floor(this.#owed / OCTETS_OF_MS));
    this.#owed = Math.max(0, this.#owed - wait * OCTETS_OF_MS);
    // The time that was sent for passes even when nobody waits.
    if (this.#waiting.length > 0 || wait > 1) this.#timer = setTimeout(() => this.#next(), wait).unref();
    else {
      this.#timer = undefined;
      this.#atOnce = 1;
      this.#owed = 0;
    }
  }
}
