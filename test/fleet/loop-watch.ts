const EVERY_MS = 1;
/** Turns that are kept: some seconds. */
const KEPT = 20_000;

/** Watches this process's event loop with a timer that is due all the time: when it is late, everything is. */
export class LoopWatch {
  /** When the timer fired late, and by how much. */
  readonly #late: { at: number; ms: number }[] = [];
  readonly #timer: NodeJS.Timeout;
  #dueAt = performance.now() + EVERY_MS;

  constructor() {
    this.#timer = setInterval(() => {
      const at = performance.now();
      if (at > this.#dueAt) this.#late.push({ at, ms: at - this.#dueAt });
      if (this.#late.length > KEPT) this.#late.splice(0, KEPT / 2);
      this.#dueAt = at + EVERY_MS;
    }, EVERY_MS);
  }

  /** Milliseconds between two times in which the loop did not come to a timer that was due. */
  lateness(begin: number, end: number): number {
    let ms = Math.max(0, end - Math.max(begin, this.#dueAt));
    for (let i = this.#late.length - 1; i >= 0 && this.#late[i]!.at > begin; i--) {
      const { at, ms: late } = this.#late[i]!;
      ms += Math.max(0, Math.min(at, end) - Math.max(at - late, begin));
    }
    return ms;
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
