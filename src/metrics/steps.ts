import { setTimeout } from 'node:timers/promises';

/** Work that can be left between any two of its steps, each of which takes some microseconds. */
export type Steps<T> = Generator<void, T, void>;

/** Milliseconds of a slice: what a call that comes meanwhile waits for at most, but for the last step. */
const SLICE_MS = 0.05;
/** Who asks each second is to hear within it: after so many slices, which is half of one, they are longer. */
const SHORT_SLICES = 400;
const LONG_SLICE_MS = 1;
const BETWEEN_SLICES_MS = 1;

/** Does all of it now. */
export function finish<T>(steps: Steps<T>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

/** Works on what takes long in slices, one of all jobs in a millisecond: what else there is to do has the time between. */
export class Slices {
  readonly #now: () => number;
  #last: Promise<unknown> = Promise.resolve();

  /** @param now monotonic milliseconds */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Does a job behind those before. @param isVain asked before each slice @returns undefined once it is in vain */
  run<T>(steps: Steps<T>, isVain: () => boolean): Promise<T | undefined> {
    const done = this.#last.then(() => this.#work(steps, isVain));
    this.#last = done.catch(() => {});
    return done;
  }

  async #work<T>(steps: Steps<T>, isVain: () => boolean): Promise<T | undefined> {
    for (let slice = 0; ; slice++) {
      if (slice > 0) await setTimeout(BETWEEN_SLICES_MS, undefined, { ref: false });
      if (isVain()) return undefined;
      const end = this.#now() + (slice < SHORT_SLICES ? SLICE_MS : LONG_SLICE_MS);
      do {
        const { done, value } = steps.next();
        if (done) return value;
      } while (this.#now() < end);
    }
  }
}
