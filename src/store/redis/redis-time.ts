/** What tells the time of this machine. */
export interface LocalClock {
  /** Unix milliseconds. */
  now(): number;
  /** Milliseconds that never go back. */
  monotonic(): number;
}

/**
 * Redis' clock as far as it is known here: the fleet's one calendar, by which quotas begin anew. Between answers it runs on
 * by the monotonic clock; before the first one it is this machine's own.
 */
export class RedisTime {
  readonly #clock: LocalClock;
  /** Unix milliseconds less monotonic ones. */
  #offset: number;

  constructor(clock: LocalClock) {
    this.#clock = clock;
    this.#offset = clock.now() - clock.monotonic();
  }

  /** Unix milliseconds; goes back when Redis' clock does. */
  readonly now = (): number => this.#clock.monotonic() + this.#offset;

  /** Takes note of an answer. @param redisMs Unix milliseconds in it @param askedAt monotonic */
  observe(redisMs: number, askedAt: number): void {
    const answeredAt = this.#clock.monotonic();
    const read = redisMs - (askedAt + answeredAt) / 2;
    // Within what the way there and back may explain, the earlier reading stays: the clock does not jitter.
    if (Math.abs(read - this.#offset) > (answeredAt - askedAt) / 2 + 1) this.#offset = read;
  }

  monotonic(): number {
    return this.#clock.monotonic();
  }
}
