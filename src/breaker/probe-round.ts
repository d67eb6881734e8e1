/** What a round of probes came to. */
export type RoundOutcome = 'recovered' | 'failing';

/**
 * The probes of one HALF_OPEN phase. As cockatiel sees it the round is its single test call: `outcome` settles when enough
 * probes have succeeded, or with the first that failed.
 */
export class ProbeRound {
  readonly outcome: Promise<void>;
  readonly #probes: number;
  #resolve: () => void = () => {};
  #reject: (error: Error) => void = () => {};
  #running = 0;
  #succeeded = 0;
  #over = false;
  /** When the probes that run were begun; freed slots hold Infinity. */
  readonly #startedAt: number[];

  /** @param probes how many may run at once, and have to succeed */
  constructor(probes: number) {
    this.#probes = probes;
    this.#startedAt = new Array(probes).fill(Number.POSITIVE_INFINITY);
    this.outcome = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  get running(): number {
    return this.#running;
  }

  get over(): boolean {
    return this.#over;
  }

  /** Takes a slot for a probe: its number, or -1 when all are taken or the round is over. @param now milliseconds */
  begin(now: number): number {
    // Those that run may be all that is needed: more would only load a backend that has just come back.
    if (this.#over || this.#running + this.#succeeded >= this.#probes) return -1;
    const slot = this.#startedAt.indexOf(Number.POSITIVE_INFINITY);
    if (slot < 0) return -1;
    this.#startedAt[slot] = now;
    this.#running++;
    return slot;
  }

  /** Whether a probe was begun at or before this time and has not ended. */
  hasRunSince(time: number): boolean {
    return this.#startedAt.some((startedAt) => startedAt <= time);
  }

  succeed(slot: number): void {
    this.#free(slot);
    if (++this.#succeeded >= this.#probes) this.#end('recovered');
  }

  fail(slot: number): void {
    this.#free(slot);
    this.#end('failing');
  }

  /** The probe said nothing; another may take its place. */
  ignore(slot: number): void {
    this.#free(slot);
  }

  /** Ends the round as failed, whatever still runs. */
  abandon(): void {
    this.#end('failing');
  }

  /** Ends the round as recovered: somebody else knows. */
  recover(): void {
    this.#end('recovered');
  }

  #free(slot: number): void {
    this.#startedAt[slot] = Number.POSITIVE_INFINITY;
    this.#running--;
  }

  #end(outcome: RoundOutcome): void {
    if (this.#over) return;
    this.#over = true;
    if (outcome === 'recovered') this.#resolve();
    else this.#reject(new Error('a probe failed'));
  }
}
