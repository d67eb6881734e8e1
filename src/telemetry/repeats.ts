/** Lines of one kind in a window; what is above is counted. */
const PER_KIND = 20;
/** Kinds that are told apart in a window; those above share what is left of the budget, and are counted together. */
const MAX_KINDS = 200;
const WINDOW_MS = 1000;

/** What makes two lines like each other. */
export type Likeness = Readonly<Record<string, string | number | undefined>>;

/**
 * Decides which of many lines are written: at most so many a second in all, and 20 of those that are like each other. What is
 * left out is told when the second is over, one line for each kind, so that a flood of one kind hides no other.
 */
export class Repeats {
  readonly #max: number;
  readonly #now: () => number;
  readonly #tell: (what: Likeness, more: number) => void;
  #kinds = new Map<string, { readonly what: Likeness; seen: number; left: number }>();
  #windowStart = Number.NEGATIVE_INFINITY;
  #used = 0;
  /** Left out of kinds that the table had no room for. */
  #others = 0;
  #timer: NodeJS.Timeout | undefined = undefined;

  /** @param max lines a second; @param now monotonic milliseconds; @param tell writes that there were `more` like `what` */
  constructor(max: number, now: () => number, tell: (what: Likeness, more: number) => void) {
    this.#max = max;
    this.#now = now;
    this.#tell = tell;
  }

  /** @returns whether the line is to be written */
  take(what: Likeness): boolean {
    if (this.#now() - this.#windowStart >= WINDOW_MS) this.#begin();
    const key = Object.values(what).join('\u0000');
    let kind = this.#kinds.get(key);
    if (kind === undefined && this.#kinds.size < MAX_KINDS) {
      kind = { what, seen: 0, left: 0 };
      this.#kinds.set(key, kind);
    }
    if (this.#used < this.#max && (kind === undefined || kind.seen < PER_KIND)) {
      this.#used++;
      if (kind !== undefined) kind.seen++;
      return true;
    }
    if (kind === undefined) this.#others++;
    else kind.left++;
    this.#timer ??= setTimeout(() => this.#begin(), WINDOW_MS).unref();
    return false;
  }

  /** Tells what was left out. */
  close(): void {
    this.#begin();
  }

  #begin(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const [kinds, others] = [this.#kinds, this.#others];
    this.#kinds = new Map();
    this.#others = 0;
    this.#used = 0;
    this.#windowStart = this.#now();
    for (const { what, left } of kinds.values()) if (left > 0) this.#tell(what, left);
    if (others > 0) this.#tell({}, others);
  }
}
