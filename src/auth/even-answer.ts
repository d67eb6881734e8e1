/**
 * Answers of the same kind that have taken more or less work are given at the same time: so many milliseconds after the
 * question, or when the work is done should that be later.
 */
export class EvenAnswer {
  readonly #due: Promise<void>;
  #timer: NodeJS.Timeout | undefined = undefined;

  /** Begins now. @param ms 0: at once */
  constructor(ms: number) {
    this.#due =
      ms === 0
        ? Promise.resolve()
        : new Promise((resolve) => {
            this.#timer = setTimeout(resolve, ms);
          });
  }

  /** Resolves when it is time. */
  due(): Promise<void> {
    return this.#due;
  }

  /** It is not needed any more. */
  end(): void {
    clearTimeout(this.#timer);
  }
}
