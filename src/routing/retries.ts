/** How often calls to a backend are tried. */
export interface RetryOptions {
  /** Attempts of one call in all, those that certainly were not processed not counted. 1: nothing is ever tried again. */
  readonly maxAttempts: number;
  /** Retries that a call of the backend pays for: 0.2 is one retry for five calls. */
  readonly budgetRatio: number;
}

export const DEFAULT_RETRY: RetryOptions = { maxAttempts: 3, budgetRatio: 0.2 };

/** Retries that may be made at once, whatever happened before. */
const BURST = 10;
const INITIAL_BACKOFF_MS = 50;
const MAX_BACKOFF_MS = 1000;
/** A backend that wants to be asked again so late is not waited for: its caller may. */
const MAX_PUSHBACK_MS = 10_000;

/**
 * Whether and when calls to one backend are tried again (gRFC A6). The budget is what keeps retries from being the load under
 * which a backend dies: in the long run they are at most `budgetRatio` of its calls, however many fail (the token bucket of
 * Finagle's `RetryBudget`; A6's throttle counts failures instead, and lets twice the calls through before it closes).
 */
export class Retries {
  readonly options: RetryOptions;
  /** For metrics: attempts made again unseen by the backend, attempts made after a failure, and those for which no budget was left. */
  readonly counts = { transparent: 0, afterFailure: 0, overBudget: 0 };
  readonly #random: () => number;
  #tokens = BURST;

  /** @param random in [0, 1) */
  constructor(options: RetryOptions, random: () => number) {
    this.options = options;
    this.#random = random;
  }

  /** A call was sent for the first time. */
  onCall(): void {
    this.#tokens = Math.min(BURST, this.#tokens + this.options.budgetRatio);
  }

  /** Takes a retry out of the budget. */
  take(): boolean {
    if (this.#tokens < 1) {
      this.counts.overBudget++;
      return false;
    }
    this.#tokens--;
    return true;
  }

  /** Milliseconds before the next attempt: spread over all of the time, so that those who failed together do not come back together. */
  backoffMs(attemptsMade: number): number {
    return this.#random() * Math.min(MAX_BACKOFF_MS, INITIAL_BACKOFF_MS * 2 ** (attemptsMade - 1));
  }
}

/**
 * Reads `grpc-retry-pushback-ms` (gRFC A6, "Pushback").
 * @returns milliseconds; -1 when there must be no retry, which is also what an unreadable value means
 */
export function readPushback(text: string): number {
  if (!/^\d{1,9}$/.test(text)) return -1;
  const ms = Number(text);
  return ms > MAX_PUSHBACK_MS ? -1 : ms;
}
