/** Work that is not urgent waits so long for other work to go with. */
const SOON_MS = 8;

/**
 * Puts work off to the end of the event loop's turn: what a turn's calls need of a store is then known as a whole, and asked
 * for at once. Nothing waits longer for it, for a socket is written at the end of a turn anyway.
 */
export class EndOfTurn {
  #work: (() => void)[] = [];
  #planned = false;
  #timer: NodeJS.Timeout | undefined = undefined;

  /** Does it at the end of this turn. It must not throw. */
  add(work: () => void): void {
    this.#work.push(work);
    this.hurry();
  }

  /** Does it with the next that is added, and no later than in 8 ms. It must not throw. */
  addSoon(work: () => void): void {
    this.#work.push(work);
    if (!this.#planned) this.#timer ??= setTimeout(this.#run, SOON_MS).unref();
  }

  /** What was to be done soon is done at the end of this turn: somebody waits for it. */
  hurry(): void {
    if (this.#planned || this.#work.length === 0) return;
    this.#planned = true;
    setImmediate(this.#run);
  }

  readonly #run = (): void => {
    this.#planned = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const work = this.#work;
    this.#work = [];
    for (const each of work) each();
  };
}
