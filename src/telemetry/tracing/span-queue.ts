import type { Logger } from '../logger.ts';

/** Spans that may wait, each with some hundred octets of its call. */
const MAX_QUEUED = 4096;
/** A request to the collector costs what some hundred spans do. */
const MAX_BATCH = 1024;
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

/** What has spans: a call that is over. */
interface Spanned {
  /** How many spans it has. */
  readonly count: number;
}

/** The way to the collector. */
export interface BatchExporter<Item> {
  /** Never rejects. @returns what went wrong */
  export(batch: readonly Item[]): Promise<Error | undefined>;
  shutdown(): Promise<void>;
}

/**
 * Takes spans to the exporter, a batch at a time. A collector that is away or hangs costs the queue and one batch, and no call
 * ever waits for it. The SDK's `BatchSpanProcessor` does as much, but does not say how many spans it has dropped.
 */
export class SpanQueue<Item extends Spanned> {
  readonly #exporter: BatchExporter<Item>;
  readonly #log: Logger;
  readonly #maxQueued: number;
  #queued: Item[] = [];
  /** How many spans that are. */
  #spans = 0;
  #timer: NodeJS.Timeout | undefined = undefined;
  #sending: Promise<void> | undefined = undefined;
  #failing = false;
  readonly #counts = { exported: 0, dropped: 0 };

  constructor(exporter: BatchExporter<Item>, log: Logger, maxQueued: number = MAX_QUEUED) {
    this.#exporter = exporter;
    this.#log = log;
    this.#maxQueued = maxQueued;
  }

  get counts(): ExportCounts {
    return { ...this.#counts, queued: this.#spans };
  }

  /** Whether there is room: who has spans asks first. Those that find none count as dropped. */
  hasRoomFor(spans: number): boolean {
    if (this.#spans + spans <= this.#maxQueued) return true;
    this.#counts.dropped += spans;
    return false;
  }

  /** Takes the spans of a call, for which there is room. */
  push(call: Item): void {
    this.#queued.push(call);
    this.#spans += call.count;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#spans >= MAX_BATCH) this.#send();
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
    const { batch, spans } = this.#take();
    this.#sending = this.#exporter.export(batch).then((error) => {
      this.#sending = undefined;
      this.#onResult(spans, error);
      if (this.#queued.length > 0) this.#schedule();
    });
  }

  #take(): { readonly batch: readonly Item[]; readonly spans: number } {
    let calls = 0;
    let spans = 0;
    while (calls < this.#queued.length && spans < MAX_BATCH) spans += this.#queued[calls++]!.count;
    this.#spans -= spans;
    return { batch: this.#queued.splice(0, calls), spans };
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
