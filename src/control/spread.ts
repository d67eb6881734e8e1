/** Nobody waits for much longer: when many do, more have their turn in the same millisecond. */
const LONGEST_MS = 200;

/**
 * Spreads work that falls due all at once: each who waits for a turn gets one in some millisecond, few in the same one, and what
 * else there is to do comes in between.
 */
export class Spread {
  readonly #waiting: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined = undefined;
  #atOnce = 1;

  /** Resolves when it is the caller's turn. Never rejects. */
  turn(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#atOnce = Math.max(this.#atOnce, Math.ceil(this.#waiting.length / LONGEST_MS));
      this.#timer ??= setTimeout(() => this.#next(), 1).unref();
    });
  }

  #next(): void {
    for (const resolve of this.#waiting.splice(0, this.#atOnce)) resolve();
    if (this.#waiting.length > 0) this.#timer = setTimeout(() => this.#next(), 1).unref();
    else {
      this.#timer = undefined;
      this.#atOnce = 1;
    }
  }
}
