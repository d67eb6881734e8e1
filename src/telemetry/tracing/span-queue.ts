import type { Outcome } from '../../chain/call.ts';
import type { EndedCall } from '../../routing/exchange-parts.ts';
import type { Logger } from '../logger.ts';
import { createSpanBuilder } from './build-spans.ts';
import { SpanWriter } from './encode-span.ts';
import { SpannedCall, type SpannedTrace } from './spanned-call.ts';

/** Spans that may wait, some hundred octets each. */
const MAX_QUEUED = 4096;
/** A request to the collector costs what some hundred spans do. */
const MAX_BATCH = 1024;
/** Calls whose spans are made in a row: alone they take five times as long, and later all that they say is out of the cache. */
const AT_ONCE = 64;
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

/** The way to the collector. */
export interface BatchExporter {
  /** Never rejects. @param batch written anew once the promise resolves @returns what went wrong */
  export(batch: SpanWriter): Promise<Error | undefined>;
  shutdown(): Promise<void>;
}

export interface SpanQueueParts {
  readonly exporter: BatchExporter;
  readonly log: Logger;
  /** Unix milliseconds of the monotonic clock's zero. */
  readonly epoch: () => number;
  /** Spans that may wait. */
  readonly maxQueued?: number;
}

/**
 * Makes the spans of calls and takes them to the exporter, a batch at a time. A collector that is away or hangs costs the queue and one
 * batch, and no call ever waits for it. The SDK's `BatchSpanProcessor` does as much, but keeps an object for each span and does not say
 * how many it has dropped.
 */
export class SpanQueue {
  readonly #exporter: BatchExporter;
  readonly #log: Logger;
  readonly #epoch: () => number;
  readonly #maxQueued: number;
  readonly #build = createSpanBuilder();
  /** Calls whose spans are not made yet: the first `#noted` of them. */
  readonly #calls = Array.from({ length: AT_ONCE }, () => new SpannedCall());
  #noted = 0;
  #filling = new SpanWriter();
  /** Batches that wait, the oldest first. */
  readonly #full: SpanWriter[] = [];
  /** One that was sent. */
  #spare: SpanWriter | undefined = undefined;
  /** Spans that wait, made or not. */
  #spans = 0;
  #timer: NodeJS.Timeout | undefined = undefined;
  #sending: Promise<void> | undefined = undefined;
  #failing = false;
  readonly #counts = { exported: 0, dropped: 0 };

  constructor({ exporter, log, epoch, maxQueued = MAX_QUEUED }: SpanQueueParts) {
    this.#exporter = exporter;
    this.#log = log;
    this.#epoch = epoch;
    this.#maxQueued = maxQueued;
  }

  get counts(): ExportCounts {
    return { ...this.#counts, queued: this.#spans };
  }

  /** Takes the spans of a call that has ended. Those that find no room count as dropped. */
  add(call: EndedCall, trace: SpannedTrace, outcome: Outcome): void {
    const noted = this.#calls[this.#noted]!;
    noted.note(call, trace, outcome);
    if (this.#spans + noted.count > this.#maxQueued) {
      this.#counts.dropped += noted.count;
      return;
    }
    this.#spans += noted.count;
    if (++this.#noted === AT_ONCE) this.#write();
    this.#schedule();
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
    while (this.#spans > 0 || this.#sending !== undefined) {
      this.#send();
      await this.#sending;
    }
  }

  /** Makes the spans of the calls that were noted. A fault of ours costs those that are not in a whole batch, and no call. */
  #write(): void {
    try {
      this.#writeNoted();
    } catch (error) {
      const left = this.#full.reduce((sum, { count }) => sum + count, 0);
      const lost = this.#spans - left;
      this.#spans = left;
      this.#noted = 0;
      this.#filling.clear();
      this.#onResult(lost, error instanceof Error ? error : new Error(String(error)));
    }
  }

  #writeNoted(): void {
    const epoch = this.#epoch();
    for (let i = 0; i < this.#noted; i++) {
      this.#build(this.#calls[i]!, this.#filling, epoch);
      if (this.#filling.count >= MAX_BATCH) this.#endBatch();
    }
    this.#noted = 0;
  }

  #endBatch(): void {
    this.#full.push(this.#filling);
    this.#filling = this.#spare ?? new SpanWriter();
    this.#spare = undefined;
  }

  #send(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#sending !== undefined) return;
    if (this.#full.length === 0) {
      this.#write();
      if (this.#filling.count > 0) this.#endBatch();
    }
    const batch = this.#full.shift();
    if (batch === undefined) return;
    this.#spans -= batch.count;
    this.#sending = this.#exporter.export(batch).then((error) => {
      this.#sending = undefined;
      this.#onResult(batch.count, error);
      batch.clear();
      this.#spare = batch;
      if (this.#spans > 0) this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#full.length > 0) this.#send();
    else this.#timer ??= setTimeout(() => this.#send(), INTERVAL_MS).unref();
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
