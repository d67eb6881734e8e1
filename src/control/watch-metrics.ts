import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import type { ServerWritableStream } from '@grpc/grpc-js';
import type { GetMetricsRequest } from '../../generated/tollgate/metrics/v1/metrics.ts';
import {
  GetMetricsRequest as Query,
  type WatchMetricsRequest,
  WatchMetricsResponse,
} from '../../generated/tollgate/metrics/v1/metrics.ts';
import { durationToMs } from '../contracts/policy.ts';
import type { Cursors, Progress } from './metrics-service.ts';

/** What a watcher is told: its `metrics` are encoded already. */
export interface WatchMessage extends WatchMetricsResponse {
  readonly encoded: Uint8Array;
}

export type WatchCall = ServerWritableStream<WatchMetricsRequest, WatchMessage>;

/** What a watcher needs of its call. */
type Told = Pick<WatchCall, 'write' | 'writableLength'>;

const DEFAULT_INTERVAL_MS = 1000;

/**
 * One watcher. All it holds is where it is: what it has not heard is in the gateway's own log, or in the totals. It is told more
 * when what it was told before is gone, so that who takes it slowly gets fewer messages, which say more.
 */
export class MetricsWatch {
  readonly #call: Told;
  readonly #onError: (error: unknown) => void;
  #cursors: Cursors = new Map();
  #place = '';
  #isBeingTold = false;
  #isClosed = false;
  /** Messages that were left out, and those of them before the one that is on its way. */
  #skipped = 0;
  #skippedBefore = 0;

  constructor(call: Told, onError: (error: unknown) => void) {
    this.#call = call;
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

  /** It has taken all that it was told. */
  get isReady(): boolean {
    return !this.#isClosed && !this.#isBeingTold && this.#call.writableLength === 0;
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

  tell({ encoded, cursors, sinceStart }: Progress): void {
    this.#isBeingTold = false;
    if (this.#isClosed) return;
    this.#cursors = cursors;
    this.#place = [...cursors].join(' ');
    this.#call.write({ metrics: undefined, encoded, sinceStart, skipped: this.#skippedBefore });
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

/** `WatchMetricsResponse.metrics`. */
const METRICS = 1;

/** Encodes what watchers are told; those who are told the same share the octets. */
export function createWatchEncoder(): (message: WatchMessage) => Buffer {
  const shared = new WeakMap<Uint8Array, { readonly sinceStart: boolean; readonly skipped: number; octets: Buffer }>();
  return ({ encoded, ...rest }) => {
    const { sinceStart, skipped } = rest;
    const known = shared.get(encoded);
    if (known?.sinceStart === sinceStart && known.skipped === skipped) return known.octets;
    const head = new BinaryWriter().tag(METRICS, WireType.LengthDelimited).uint32(encoded.length).finish();
    const octets = Buffer.concat([head, encoded, WatchMetricsResponse.encode(rest).finish()]);
    shared.set(encoded, { sinceStart, skipped, octets });
    return octets;
  };
}
