export interface SilenceOptions {
  /** Asks the store for a sign of life. */
  readonly probe: () => Promise<unknown>;
  /** Milliseconds that a decision waits; default 20. */
  readonly timeoutMs?: number | undefined;
  /** Failures in a row after which nothing is asked any more; default 3. */
  readonly failures?: number | undefined;
  /** Milliseconds between probes; default 100. */
  readonly probeEveryMs?: number | undefined;
  /** Told why a question failed. Called often while the store is ill: not for logs. */
  readonly onFailure?: ((error: unknown) => void) | undefined;
}

export type SilenceState = 'silent' | 'back';
export type SilenceListener = (state: SilenceState) => void;

/** Thrown inside, when there was no answer in time. */
export class NoAnswer extends Error {
  constructor(ms: number) {
    super(`the store did not answer within ${ms} ms`);
    this.name = 'NoAnswer';
  }
}

/**
 * The store's own breaker. A decision waits at most `timeoutMs` for the store; after a few that were not answered the store
 * is silent: no decision asks any more, until a probe in the background was answered.
 */
export class SilenceGuard {
  readonly #probe: () => Promise<unknown>;
  readonly #timeoutMs: number;
  readonly #failures: number;
  readonly #probeEveryMs: number;
  readonly #onFailure: (error: unknown) => void;
  readonly #listeners = new Set<SilenceListener>();
  #inARow = 0;
  #silent = false;
  #probing = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: SilenceOptions) {
    this.#probe = options.probe;
    this.#timeoutMs = options.timeoutMs ?? 20;
    this.#failures = options.failures ?? 3;
    this.#probeEveryMs = options.probeEveryMs ?? 100;
    this.#onFailure = options.onFailure ?? (() => {});
  }

  get silent(): boolean {
    return this.#silent;
  }

  /**
   * @param ask puts the question; it is not put while the store is silent
   * @param late told of an answer that came too late, when somebody has decided without it: what it granted must go back
   * @returns 'silent' when there was no answer, or an error instead of one
   */
  decide<T>(ask: () => Promise<T>, late?: (answer: T) => void): Promise<T | 'silent'> {
    if (this.#silent) return Promise.resolve('silent');
    const { promise, resolve } = Promise.withResolvers<T | 'silent'>();
    let decided = false;
    const giveUp = (error: unknown) => {
      if (decided) return;
      decided = true;
      clearTimeout(timer);
      this.#failed(error);
      resolve('silent');
    };
    // A busy event loop fires the timer before it reads the answer that has long been there: it gets its turn first.
    const timer = setTimeout(() => setImmediate(() => giveUp(new NoAnswer(this.#timeoutMs))), this.#timeoutMs);
    const answered = (answer: T) => {
      if (decided) {
        late?.(answer);
        return;
      }
      decided = true;
      clearTimeout(timer);
      this.#inARow = 0;
      resolve(answer);
    };
    Promise.try(ask).then(answered, giveUp).catch(this.#onFailure);
    return promise;
  }

  /** Told of each change of state, once. @returns ends the subscription */
  onChange(listener: SilenceListener): () => void {
    const own: SilenceListener = (state) => listener(state);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  /** Ends the probes. */
  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#listeners.clear();
  }

  #failed(error: unknown): void {
    this.#onFailure(error);
    if (this.#silent || ++this.#inARow < this.#failures) return;
    this.#silent = true;
    this.#timer = setInterval(() => void this.#ask(), this.#probeEveryMs).unref();
    this.#tell('silent');
  }

  /** One probe at a time: a store that hangs is not heaped with them. */
  async #ask(): Promise<void> {
    if (this.#probing) return;
    this.#probing = true;
    try {
      await this.#probe();
      if (this.#timer === undefined) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
      this.#silent = false;
      this.#inARow = 0;
      this.#tell('back');
    } catch (error) {
      this.#onFailure(error);
    } finally {
      this.#probing = false;
    }
  }

  #tell(state: SilenceState): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener(state);
      } catch (error) {
        this.#onFailure(error);
      }
    }
  }
}
