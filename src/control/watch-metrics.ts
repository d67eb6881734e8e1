import type { GetMetricsRequest } from '../../generated/tollgate/metrics/v1/metrics.ts';
import { GetMetricsRequest as Query, type WatchMetricsRequest } from '../../generated/tollgate/metrics/v1/metrics.ts';
import { durationToMs } from '../contracts/policy.ts';
import type { DirectWriter } from '../routing/direct-answers.ts';
import type { Cursors } from './metrics-service.ts';

const DEFAULT_INTERVAL_MS = 1000;

/**
 * One watcher. All it holds is where it is: what it has not heard is in the gateway's own log, or in the totals. It is told more
 * when what it was told before is gone, so that who takes it slowly gets fewer messages, which say more.
 */
export class MetricsWatch {
  readonly #writer: DirectWriter;
  readonly #onError: (error: unknown) => void;
  #cursors: Cursors = new Map();
  #place = '';
  #isBeingTold = false;
  #isClosed = false;
  /** Messages that were left out, and those of them before the one that is on its way. */
  #skipped = 0;
  #skippedBefore = 0;

  constructor(writer: DirectWriter, onError: (error: unknown) => void) {
    this.#writer = writer;
    this.#onError = onError;
  }

  get cursors(): Cursors {
    return this.#cursors;
  }

  /** The same for those whose cursors are. */
  get place(): string {
    return this.#place;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  get acceptsGzip(): boolean {
    return this.#writer.acceptsGzip;
  }

  /** Messages that were left out before the one that has begun. */
  get skippedBefore(): number {
    return this.#skippedBefore;
  }

  /** It has taken all that it was told. */
  get isReady(): boolean {
    return !this.#isClosed && !this.#isBeingTold && this.#writer.isReady;
  }

  skip(): void {
    this.#skipped++;
  }

  /** A message is worked out. */
  begin(): void {
    this.#isBeingTold = true;
    this.#skippedBefore = this.#skipped;
    this.#skipped = 0;
  }

  /** @param message what was left out is `skippedBefore`; compressed only where `acceptsGzip` @param place of the cursors */
  tell(message: Buffer, cursors: Cursors, place: string): void {
    this.#isBeingTold = false;
    if (this.#isClosed) return;
    this.#cursors = cursors;
    this.#place = place;
    this.#writer.write(message);
  }

  fail(error: unknown): void {
    if (!this.#isClosed) this.#onError(error);
  }

  close(): void {
    this.#isClosed = true;
  }
}

/** Milliseconds between the messages of a watcher. */
export function watchedInterval({ interval }: WatchMetricsRequest): number {
  return interval === undefined ? DEFAULT_INTERVAL_MS : durationToMs(interval);
}

/** The query of a watcher, with everything in its place. */
export function watchedQuery(request: WatchMetricsRequest): GetMetricsRequest {
  return { ...(request.query ?? Query.fromPartial({})), window: undefined };
}
