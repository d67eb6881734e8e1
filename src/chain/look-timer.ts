export interface LookTimerOptions {
  /** `now`: Unix milliseconds; `monotonic`: those that never go back. */
  readonly clock: { now(): number; monotonic(): number };
  /** Looks at all running calls. Must not throw. */
  readonly look: () => void;
}

/** Looks have at least so many milliseconds between them: many changes at once cost one look. */
const GAP_MS = 100;
/** A time further away is waited for in pieces: timers take 24 days, and the wall clock may be set. */
const MAX_WAIT_MS = 60_000;

/** The one timer by which running calls are looked at again: for the earliest of the times that it was asked for. */
export class LookTimer {
  readonly #options: LookTimerOptions;
  #at = Number.POSITIVE_INFINITY;
  #lastLook = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: LookTimerOptions) {
    this.#options = options;
  }

  /** Asks for a look by this time (Unix milliseconds), or as soon after it as the gap allows. Cheap when there is one before. */
  by(at: number): void {
    if (at >= this.#at || this.#closed) return;
    this.#at = at;
    this.#start();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #start(): void {
    const { clock } = this.#options;
    const gap = this.#lastLook + GAP_MS - clock.monotonic();
    const wait = Math.max(0, gap, Math.min(this.#at - clock.now(), MAX_WAIT_MS));
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#onTimer, wait).unref();
  }

  readonly #onTimer = (): void => {
    const { clock, look } = this.#options;
    if (this.#at > clock.now()) {
      this.#start();
      return;
    }
    this.#lastLook = clock.monotonic();
    // The look asks anew for what is still to come.
    this.#at = Number.POSITIVE_INFINITY;
    look();
  };
}
