/** Lets tests wait for a state instead of for time: whoever changes the state says so. */
export class Watch {
  readonly #waiting = new Set<() => void>();

  /** The state changed: those who wait look again. */
  changed(): void {
    for (const look of [...this.#waiting]) look();
  }

  /** Resolves as soon as `holds()`; it is asked at once, and after every change. The test's timeout bounds the wait. */
  until(holds: () => boolean): Promise<void> {
    if (holds()) return Promise.resolve();
    return new Promise((resolve) => {
      const look = (): void => {
        if (!holds()) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
    });
  }
}
