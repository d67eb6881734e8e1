import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace-base';
import type { Logger } from '../logger.ts';

/** Spans that may wait. A span is about 1 KiB. */
const MAX_QUEUED = 2048;
const MAX_BATCH = 512;
/** How long a span waits for others. */
const INTERVAL_MS = 1000;

/** How export went so far. */
export interface ExportCounts {
  readonly exported: number;
  /** Came while the queue was full, or went to a collector that did not take them. */
  readonly dropped: number;
  /** Waiting now. */
  readonly queued: number;
}

/**
 * Takes spans to the exporter, a batch at a time. A collector that is away or hangs costs the queue and one batch, and no call
 * ever waits for it. The SDK's `BatchSpanProcessor` does as much, but does not say how many spans it has dropped.
 */
export class SpanQueue {
  readonly #exporter: SpanExporter;
  readonly #log: Logger;
  readonly #maxQueued: number;
  #queued: ReadableSpan[] = [];
  #timer: NodeJS.Timeout | undefined = undefined;
  #sending: Promise<void> | undefined = undefined;
  #failing = false;
  readonly #counts = { exported: 0, dropped: 0 };

  constructor(exporter: SpanExporter, log: Logger, maxQueued: number = MAX_QUEUED) {
    this.#exporter = exporter;
    this.#log = log;
    this.#maxQueued = maxQueued;
  }

  get counts(): ExportCounts {
    return { ...this.#counts, queued: this.#queued.length };
  }

  /** Whether there is room: who builds spans may ask first. Those that find none count as dropped. */
  hasRoomFor(spans: number): boolean {
    if (this.#queued.length + spans <= this.#maxQueued) return true;
    this.#counts.dropped += spans;
    return false;
  }

  push(spans: readonly ReadableSpan[]): void {
    for (const span of spans) {
      if (this.#queued.length < this.#maxQueued) this.#queued.push(span);
      else this.#counts.dropped++;
    }
    if (this.#queued.length >= MAX_BATCH) this.#send();
    else this.#timer ??= setTimeout(() => this.#send(), INTERVAL_MS).unref();
  }

  /** Sends what waits, for at most that long. */
  async close(graceMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const over = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, graceMs);
    });
    await Promise.race([this.#sendAll(), over]);
    clearTimeout(timer);
    clearTimeout(this.#timer);
    this.#timer = undefined;
    // A collector that hangs would hold this up as well.
    void this.#exporter.shutdown().catch(() => {});
  }

  async #sendAll(): Promise<void> {
    while (this.#queued.length > 0 || this.#sending !== undefined) {
      this.#send();
      await this.#sending;
    }
  }

  #send(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#sending !== undefined || this.#queued.length === 0) return;
    const batch = this.#queued.splice(0, MAX_BATCH);
    this.#sending = this.#export(batch).then((error) => {
      this.#sending = undefined;
      this.#onResult(batch.length, error);
      if (this.#queued.length > 0) this.push([]);
    });
  }

  /** @returns what went wrong */
  #export(batch: ReadableSpan[]): Promise<Error | undefined> {
    return new Promise((resolve) => {
      try {
        this.#exporter.export(batch, ({ code, error }) => {
          resolve(code === 0 ? undefined : (error ?? new Error('the collector did not take the spans')));
        });
      } catch (error) {
        resolve(error instanceof Error ? error : new Error(String(error)));
      }
    });
  }

  /** One line when it begins to fail, one when that is over. */
  #onResult(spans: number, error: Error | undefined): void {
    if (error === undefined) this.#counts.exported += spans;
    else this.#counts.dropped += spans;
    const failing = error !== undefined;
    if (failing === this.#failing) return;
    this.#failing = failing;
    if (failing) this.#log.warn({ why: error.message }, 'traces cannot be exported: spans are dropped until they can');
    else this.#log.info({ dropped: this.#counts.dropped }, 'traces are exported again');
  }
}
