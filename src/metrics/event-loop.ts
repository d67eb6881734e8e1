const TICK_MS = 100;
/** A minute of looks. */
const LOOKS = 600;

/** How late the event loop was in the last minute: how late one timer fires, ten times a second. */
export class EventLoopDelay {
  readonly #now: () => number;
  readonly #late = new Float64Array(LOOKS);
  #looks = 0;
  #expectedAt = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param now monotonic milliseconds */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Looks from here on. Keeps no process alive. */
  start(): this {
    this.#expectedAt = this.#now() + TICK_MS;
    this.#timer ??= setInterval(() => this.tick(), TICK_MS).unref();
    return this;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** One look; the timer calls it, and tests do. */
  tick(): void {
    const now = this.#now();
    this.#late[this.#looks++ % LOOKS] = Math.max(0, now - this.#expectedAt);
    this.#expectedAt = now + TICK_MS;
  }

  /** Milliseconds that this share (0 to 1) of the looks did not exceed. */
  quantile(share: number): number {
    const count = Math.min(this.#looks, LOOKS);
    if (count === 0) return 0;
    const sorted = this.#late.slice(0, count).sort();
    return sorted[Math.max(0, Math.ceil(share * count) - 1)]!;
  }
}
