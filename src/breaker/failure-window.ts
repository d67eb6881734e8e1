const SLICES = 10;

/**
 * Calls and failures within a sliding window: a ring of ten slices, so the window is exact to a tenth of its length. Fixed
 * memory; counting is two increments.
 */
export class FailureWindow {
  readonly #sliceMs: number;
  readonly #calls = new Float64Array(SLICES);
  readonly #failures = new Float64Array(SLICES);
  /** Number of the current slice since the clock's origin. */
  #slice = 0;
  #totalCalls = 0;
  #totalFailures = 0;

  /** @param windowMs length in milliseconds */
  constructor(windowMs: number) {
    this.#sliceMs = Math.max(windowMs, SLICES) / SLICES;
  }

  /** @param now monotonic milliseconds */
  count(failed: boolean, now: number): void {
    this.#advance(now);
    const at = this.#slice % SLICES;
    this.#calls[at]!++;
    this.#totalCalls++;
    if (!failed) return;
    this.#failures[at]!++;
    this.#totalFailures++;
  }

  /** What is in the window. */
  totals(now: number): { readonly calls: number; readonly failures: number } {
    this.#advance(now);
    return { calls: this.#totalCalls, failures: this.#totalFailures };
  }

  /** Whether at least `minCalls` are in the window, and at least `ratio` of them failed. */
  exceeds(ratio: number, minCalls: number, now: number): boolean {
    this.#advance(now);
    return this.#totalCalls >= minCalls && this.#totalFailures > 0 && this.#totalFailures >= ratio * this.#totalCalls;
  }

  reset(): void {
    this.#calls.fill(0);
    this.#failures.fill(0);
    this.#totalCalls = 0;
    this.#totalFailures = 0;
  }

  /** Drops the slices that have left the window. */
  #advance(now: number): void {
    const slice = Math.floor(now / this.#sliceMs);
    if (slice <= this.#slice) return;
    const first = Math.max(this.#slice + 1, slice - SLICES + 1);
    for (let i = first; i <= slice; i++) {
      const at = i % SLICES;
      this.#totalCalls -= this.#calls[at]!;
      this.#totalFailures -= this.#failures[at]!;
      this.#calls[at] = 0;
      this.#failures[at] = 0;
    }
    this.#slice = slice;
  }
}
