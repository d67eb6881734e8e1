import { Lane, type Question } from './lane.ts';

export interface SilenceOptions {
  /** Asks the store for a sign of life. */
  readonly probe: () => Promise<unknown>;
  /** Errors in a row after which nothing is asked any more; default 3. */
  readonly failures?: number | undefined;
  /** Milliseconds between probes; default 100. */
  readonly probeEveryMs?: number | undefined;
  /** Waits so many times longer than it should; for tests, of something else on a busy machine. Default 1. */
  readonly patience?: number | undefined;
  /** Told why a question failed. Called often while the store is ill: not for logs. */
  readonly onFailure?: ((error: unknown) => void) | undefined;
  /** Told when a store that had been late was heard again, and after how many milliseconds. */
  readonly onLate?: ((ms: number) => void) | undefined;
}

export type SilenceState = 'silent' | 'back';
/** @param quietMs of silence: milliseconds that nothing had been heard, or errors only, when it was noticed */
export type SilenceListener = (state: SilenceState, quietMs: number) => void;

/** Thrown inside, when there was no answer in time. */
export class NoAnswer extends Error {
  constructor(ms: number) {
    super(`the store did not answer within ${ms.toFixed(0)} ms`);
    this.name = 'NoAnswer';
  }
}

/**
 * The store's own breaker. A decision waits for as long as the store is heard; when nothing came for some milliseconds
 * (`Lane`), all that wait are told 'silent', and so is whoever asks before it is heard again. If that lasts, or questions fail
 * one after the other, the store is silent: nothing is asked any more, until a probe in the background was answered.
 */
export class SilenceGuard {
  readonly #probe: () => Promise<unknown>;
  readonly #failures: number;
  readonly #probeEveryMs: number;
  readonly #onFailure: (error: unknown) => void;
  readonly #onLate: (ms: number) => void;
  readonly #listeners = new Set<SilenceListener>();
  /** By name: a connection, or one to each node of a Cluster. */
  readonly #lanes = new Map<string, Lane>();
  readonly #patience: number;
  #inARow = 0;
  /** The first of them: monotonic milliseconds. */
  #failingSince = 0;
  #silent = false;
  #probing = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: SilenceOptions) {
    this.#probe = options.probe;
    this.#failures = options.failures ?? 3;
    this.#probeEveryMs = options.probeEveryMs ?? 100;
    this.#onFailure = options.onFailure ?? (() => {});
    this.#onLate = options.onLate ?? (() => {});
    this.#patience = options.patience ?? 1;
  }

  get silent(): boolean {
    return this.#silent;
  }

  /**
   * @param ask puts the question; it is not put while the store is late or silent
   * @param late told of an answer that came too late, when somebody has decided without it: what it granted must go back
   * @param lane which connection it goes over: whether it is heard is known of each by itself
   * @returns 'silent' when there was no answer, or an error instead of one
   */
  decide<T>(ask: () => Promise<T>, late?: (answer: T) => void, lane = ''): Promise<T | 'silent'> {
    if (this.#silent) return Promise.resolve('silent');
    const way = this.#lane(lane);
    if (way.late) return Promise.resolve('silent');
    const { promise, resolve } = Promise.withResolvers<T | 'silent'>();
    const question: Question = {
      giveUp: (error) => {
        this.#onFailure(error);
        resolve('silent');
      },
    };
    way.ask(question);
    const answered = (answer: T) => {
      this.#inARow = 0;
      if (way.heard(question)) resolve(answer);
      else late?.(answer);
    };
    const failed = (error: unknown) => {
      if (way.failed(question)) question.giveUp(error);
      this.#failed();
    };
    Promise.try(ask).then(answered, failed).catch(this.#onFailure);
    return promise;
  }

  /** Told of each change of state, once. @returns ends the subscription */
  onChange(listener: SilenceListener): () => void {
    const own: SilenceListener = (state, quietMs) => listener(state, quietMs);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  /** Ends the probes. */
  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    for (const lane of this.#lanes.values()) lane.close();
    this.#listeners.clear();
  }

  #lane(name: string): Lane {
    let lane = this.#lanes.get(name);
    if (lane === undefined) {
      lane = new Lane({
        noAnswer: (ms) => new NoAnswer(ms),
        onHeard: (ms) => {
          if (!this.#silent) this.#onLate(ms);
        },
        patience: this.#patience,
        onSilent: (ms) => {
          // One node of a Cluster that is gone is not the store.
          if ([...this.#lanes.values()].every((each) => each.late)) this.#fallSilent(ms);
        },
      });
      this.#lanes.set(name, lane);
    }
    return lane;
  }

  #failed(): void {
    const now = performance.now();
    if (this.#inARow++ === 0) this.#failingSince = now;
    if (this.#inARow >= this.#failures) this.#fallSilent(now - this.#failingSince);
  }

  #fallSilent(quietMs: number): void {
    if (this.#silent) return;
    this.#silent = true;
    for (const lane of this.#lanes.values()) lane.giveUpAll();
    this.#timer = setInterval(() => void this.#ask(), this.#probeEveryMs).unref();
    this.#tell('silent', quietMs);
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
      for (const lane of this.#lanes.values()) lane.begin();
      this.#tell('back', 0);
    } catch (error) {
      this.#onFailure(error);
    } finally {
      this.#probing = false;
    }
  }

  #tell(state: SilenceState, quietMs: number): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener(state, quietMs);
      } catch (error) {
        this.#onFailure(error);
      }
    }
  }
}
