/** The time over which demand is averaged. */
const OVER_MS = 100;
/** Less time than this tells nothing of a rate. */
const LEAST_MS = 5;

/** How many units per second were wanted lately, refused ones too: an exponentially weighted moving average. */
export class Demand {
  #perSecond = 0;
  #since: number;
  #wanted = 0;

  /** @param now monotonic milliseconds */
  constructor(now: number) {
    this.#since = now;
  }

  /** One unit was wanted. */
  count(): void {
    this.#wanted++;
  }

  /** Units per second. */
  at(now: number): number {
    const elapsed = now - this.#since;
    if (elapsed < LEAST_MS) return this.#perSecond;
    const lately = (this.#wanted * 1000) / elapsed;
    this.#perSecond += (1 - Math.exp(-elapsed / OVER_MS)) * (lately - this.#perSecond);
    this.#since = now;
    this.#wanted = 0;
    return this.#perSecond;
  }
}
