import type { Logger } from '../logger.ts';

/** How the export of metrics went so far. */
export interface PushCounts {
  /** Rounds that the collector took whole. */
  readonly pushed: number;
  /** Rounds that it did not, or not in time. */
  readonly failed: number;
}

export interface MetricsPushOptions<Batch> {
  readonly intervalMs: number;
  /** Milliseconds for a round. */
  readonly timeoutMs: number;
  /** What is to be said now, in batches that are made as they are sent. */
  readonly collect: () => Iterable<Batch>;
  /** @returns what went wrong */
  readonly send: (batch: Batch) => Promise<Error | undefined>;
  readonly log: Logger;
}

/**
 * Sends all metrics at an interval, batch after batch, one at a time. A collector that is away or hangs costs what one round
 * says, and the rounds that would have come meanwhile: they are left out, for the next says all that they would have said.
 */
export class MetricsPush<Batch> {
  readonly #options: MetricsPushOptions<Batch>;
  readonly #timer: NodeJS.Timeout;
  readonly #counts = { pushed: 0, failed: 0 };
  #round: Promise<void> | undefined = undefined;
  #failing = false;
  #closed = false;

  constructor(options: MetricsPushOptions<Batch>) {
    this.#options = options;
    this.#timer = setInterval(() => void this.push(), options.intervalMs).unref();
  }

  get counts(): PushCounts {
    return { ...this.#counts };
  }

  /** Sends everything now, unless that is being done. Never rejects. */
  push(): Promise<void> {
    this.#round ??= this.#sendAll().then((error) => {
      this.#round = undefined;
      this.#onResult(error);
    });
    return this.#round;
  }

  /** Says for the last time how things stand, for at most that long. */
  async close(graceMs: number): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#timer);
    const last = (this.#round ?? Promise.resolve()).then(() => this.push());
    let timer: NodeJS.Timeout | undefined;
    const over = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, graceMs);
    });
    await Promise.race([last, over]);
    clearTimeout(timer);
  }

  /** @returns what went wrong: then the rest is not sent */
  async #sendAll(): Promise<Error | undefined> {
    const { collect, send, timeoutMs } = this.#options;
    const over = AbortSignal.timeout(timeoutMs);
    try {
      for (const batch of collect()) {
        const error = await send(batch);
        if (error !== undefined) return error;
        if (over.aborted) return new Error(`the collector did not take all of it in ${timeoutMs} ms`);
      }
      return undefined;
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }

  /** One line when it begins to fail, one when that is over. */
  #onResult(error: Error | undefined): void {
    if (error === undefined) this.#counts.pushed++;
    else this.#counts.failed++;
    const failing = error !== undefined;
    if (failing === this.#failing) return;
    this.#failing = failing;
    if (failing)
      this.#options.log.warn({ why: error.message }, 'metrics cannot be exported: tried again each interval');
    else this.#options.log.info({ failed: this.#counts.failed }, 'metrics are exported again');
  }
}
