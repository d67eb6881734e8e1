/** Something with timeouts. */
export interface Swept {
  /** @param now whole milliseconds */
  sweep(now: number): void;
}

/** One timer for the timeouts of all connections of an owner; it runs only while there are any, and keeps no process alive. */
export class Sweeper<T extends Swept> {
  readonly connections = new Set<T>();
  readonly #clock: () => number;
  readonly #intervalMs: number;
  #timer: NodeJS.Timeout | undefined = undefined;

  /** @param clock milliseconds, monotonic */
  constructor(clock: () => number, intervalMs = 900) {
    this.#clock = clock;
    this.#intervalMs = intervalMs;
  }

  /** Whole milliseconds: a number with a fraction is an object, and each connection keeps several. */
  now(): number {
    return Math.floor(this.#clock());
  }

  add(connection: T): void {
    this.connections.add(connection);
    this.#timer ??= setInterval(() => this.sweep(), this.#intervalMs).unref();
  }

  delete(connection: T): void {
    this.connections.delete(connection);
    if (this.connections.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  sweep(): void {
    const now = this.now();
    for (const connection of this.connections) connection.sweep(now);
  }
}
