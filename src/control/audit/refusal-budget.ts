/** Refusals of one caller that are written down at once, and how often one more is. */
const BURST = 20;
const EVERY_MS = 1000;
const MAX_CALLERS = 1000;

interface Budget {
  left: number;
  at: number;
  omitted: number;
}

/** Decides which refusals are written down, so that whoever is refused in a flood does not fill the store with it. */
export class RefusalBudget {
  readonly #now: () => number;
  readonly #callers = new Map<string, Budget>();

  /** @param now milliseconds */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** @returns undefined: not this one; else how many of the caller's were left out since the last */
  take(caller: string): number | undefined {
    const budget = this.#budgetOf(caller);
    const earned = Math.floor((this.#now() - budget.at) / EVERY_MS);
    if (earned !== 0) {
      budget.left = Math.min(BURST, budget.left + Math.max(0, earned));
      budget.at += earned * EVERY_MS;
    }
    if (budget.left === 0) {
      budget.omitted++;
      return undefined;
    }
    budget.left--;
    const { omitted } = budget;
    budget.omitted = 0;
    return omitted;
  }

  #budgetOf(caller: string): Budget {
    const known = this.#callers.get(caller);
    // To the end of the map: the first is the one that was refused longest ago.
    this.#callers.delete(caller);
    const budget = known ?? { left: BURST, at: this.#now(), omitted: 0 };
    this.#callers.set(caller, budget);
    for (const first of this.#callers.keys()) {
      if (this.#callers.size <= MAX_CALLERS) break;
      this.#callers.delete(first);
    }
    return budget;
  }
}
