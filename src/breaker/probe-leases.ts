/** Leave of the fleet for one probe. */
export interface ProbeLease {
  readonly id: string;
  /** Of the shared state that it was given under. */
  readonly epoch: number;
  /** Monotonic milliseconds: when it came, then when its probe began. */
  since: number;
}

/** The leases that this gateway holds of one backend: those that wait for a call, and those whose probe runs. */
export class ProbeLeases {
  readonly #waiting: ProbeLease[] = [];
  readonly #running = new Set<ProbeLease>();

  add(epoch: number, ids: readonly string[], now: number): void {
    for (const id of ids) this.#waiting.push({ id, epoch, since: now });
  }

  /** Of those that wait. */
  begin(now: number): ProbeLease | undefined {
    const lease = this.#waiting.shift();
    if (lease === undefined) return undefined;
    lease.since = now;
    this.#running.add(lease);
    return lease;
  }

  /** @returns false when it had ended before */
  end(lease: ProbeLease): boolean {
    return this.#running.delete(lease);
  }

  /** Takes out those that wait since then, or longer. */
  takeWaiting(since: number): ProbeLease[] {
    const old = this.#waiting.filter((lease) => lease.since <= since);
    for (const lease of old) this.#waiting.splice(this.#waiting.indexOf(lease), 1);
    return old;
  }

  /** Takes out those whose probe runs since then, or longer. */
  takeRunning(since: number): ProbeLease[] {
    const old = [...this.#running].filter((lease) => lease.since <= since);
    for (const lease of old) this.#running.delete(lease);
    return old;
  }

  /** Takes out those of other epochs that wait; what runs goes on, and counts until it ends. */
  takeOutdated(epoch: number): ProbeLease[] {
    const others = this.#waiting.filter((lease) => lease.epoch !== epoch);
    for (const lease of others) this.#waiting.splice(this.#waiting.indexOf(lease), 1);
    return others;
  }

  get ids(): string[] {
    return [...this.#waiting, ...this.#running].map((lease) => lease.id);
  }
}
