/** Who watches learns of every change until it unsubscribes. After the `last` there are no more: the gateway stops. */
export type HealthListener = (serving: boolean, last: boolean) => void;

/**
 * Which services serve. What nobody spoke of serves, so a service needs no registration here; draining overrides all.
 */
export class Health {
  readonly #down = new Set<string>();
  readonly #listeners = new Map<HealthListener, string>();
  #draining = false;

  /** @param service full name; empty is the gateway as a whole */
  isServing(service: string): boolean {
    return !this.#draining && !this.#down.has(service);
  }

  /** Says that one service (empty: the gateway as a whole) serves, or does not. */
  set(service: string, serving: boolean): void {
    const before = this.isServing(service);
    if (serving) this.#down.delete(service);
    else this.#down.add(service);
    if (before !== this.isServing(service)) this.#tell(service);
  }

  /** Nothing serves from here on: load balancers send no more calls while those running end. */
  drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    this.#tell(undefined);
  }

  get watches(): number {
    return this.#listeners.size;
  }

  /** Tells `listener` of changes of that service. @returns unsubscribe */
  watch(service: string, listener: HealthListener): () => void {
    this.#listeners.set(listener, service);
    return () => void this.#listeners.delete(listener);
  }

  #tell(service: string | undefined): void {
    for (const [listener, watched] of [...this.#listeners]) {
      if (service === undefined || service === watched) listener(this.isServing(watched), this.#draining);
    }
  }
}
