/** Where the time comes from. */
export interface ClockSource {
  /** Unix milliseconds. */
  now(): number;
  /** Monotonic milliseconds. */
  monotonic(): number;
}

/**
 * The time as of the first question in this turn of the event loop. A call asks a dozen times in the two turns that it takes
 * (stages, breaker, deadline, request id, metrics), and a turn that brings the requests of many connections asks for each of
 * them: a tenth of a call's CPU went to the system's clocks. What is late by a turn is late anyway: requests have waited in the
 * kernel for as long as the turn before took.
 */
export class TurnClock implements ClockSource {
  readonly #source: ClockSource;
  readonly #turn: () => number;
  #nowTurn = -1;
  #now = 0;
  #monotonicTurn = -1;
  #monotonic = 0;

  /** @param turn the number of this turn of the event loop; it changes with each */
  constructor(source: ClockSource, turn: () => number) {
    this.#source = source;
    this.#turn = turn;
  }

  // Arrow functions, to be handed over alone.

  readonly now = (): number => {
    const turn = this.#turn();
    if (turn !== this.#nowTurn) {
      this.#nowTurn = turn;
      this.#now = this.#source.now();
    }
    return this.#now;
  };

  readonly monotonic = (): number => {
    const turn = this.#turn();
    if (turn !== this.#monotonicTurn) {
      this.#monotonicTurn = turn;
      this.#monotonic = this.#source.monotonic();
    }
    return this.#monotonic;
  };
}
