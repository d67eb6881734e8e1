import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import type { ServerWritableStream } from '@grpc/grpc-js';
import type { GetMetricsRequest } from '../../generated/tollgate/metrics/v1/metrics.ts';
import {
  GetMetricsRequest as Query,
  type WatchMetricsRequest,
  WatchMetricsResponse,
} from '../../generated/tollgate/metrics/v1/metrics.ts';
import { durationToMs } from '../contracts/policy.ts';
import type { Audience, Cursors, Progress } from './metrics-service.ts';
import type { Spread } from './spread.ts';

/** What a watcher is told: its `metrics` are encoded already. */
export interface WatchMessage extends WatchMetricsResponse {
  readonly encoded: Uint8Array;
}

export type WatchCall = ServerWritableStream<WatchMetricsRequest, WatchMessage>;

const DEFAULT_INTERVAL_MS = 1000;

/** How watchers hear of what was counted since some cursors were given. */
export type Advance = (request: GetMetricsRequest, audience: Audience, cursors: Cursors) => Promise<Progress>;

/**
 * One watcher. All it holds is where it is: what it has not heard is in the gateway's own log, or in the totals. A message is
 * made when the one before is gone, so that who takes them slowly gets fewer, which say more.
 */
export class MetricsWatch {
  readonly #call: WatchCall;
  readonly #query: GetMetricsRequest;
  readonly #audience: Audience;
  readonly #advance: Advance;
  readonly #onError: (error: unknown) => void;
  readonly #spread: Spread;
  readonly #intervalMs: number;
  #cursors: Cursors = new Map();
  #timer: NodeJS.Timeout | undefined;
  #busy = false;
  #skipped = 0;
  #closed = false;

  constructor(
    call: WatchCall,
    query: GetMetricsRequest,
    audience: Audience,
    advance: Advance,
    onError: (error: unknown) => void,
    spread: Spread,
  ) {
    const { interval } = call.request;
    this.#call = call;
    this.#query = query;
    this.#audience = audience;
    this.#advance = advance;
    this.#onError = onError;
    this.#spread = spread;
    this.#intervalMs = interval === undefined ? DEFAULT_INTERVAL_MS : durationToMs(interval);
  }

  start(): this {
    void this.#tell();
    this.#schedule();
    return this;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  /** At whole multiples of the interval: those who watch alike look at the same moment, and share what is worked out. */
  #schedule(): void {
    const interval = this.#intervalMs;
    this.#timer = setTimeout(
      () => {
        void this.#tell();
        this.#schedule();
      },
      interval - (performance.now() % interval),
    ).unref();
  }

  async #tell(): Promise<void> {
    if (this.#busy || this.#call.writableLength > 0) {
      this.#skipped++;
      return;
    }
    this.#busy = true;
    try {
      const { encoded, cursors, sinceStart } = await this.#advance(this.#query, this.#audience, this.#cursors);
      await this.#spread.turn(encoded.length);
      if (this.#closed) return;
      this.#cursors = cursors;
      const skipped = this.#skipped;
      this.#skipped = 0;
      this.#call.write({ metrics: undefined, encoded, sinceStart, skipped });
    } catch (error) {
      if (!this.#closed) this.#onError(error);
    } finally {
      this.#busy = false;
    }
  }
}

/** The query of a watcher, with everything in its place. */
export function watchedQuery(request: WatchMetricsRequest): GetMetricsRequest {
  return { ...(request.query ?? Query.fromPartial({})), window: undefined };
}

/** `WatchMetricsResponse.metrics`. */
const METRICS = 1;

/** Encodes what watchers are told; those who are told the same share the octets. */
export function createWatchEncoder(): (message: WatchMessage) => Buffer {
  const shared = new WeakMap<Uint8Array, { readonly sinceStart: boolean; readonly octets: Buffer }>();
  const encode = ({ encoded, ...rest }: WatchMessage) => {
    const head = new BinaryWriter().tag(METRICS, WireType.LengthDelimited).uint32(encoded.length).finish();
    return Buffer.concat([head, encoded, WatchMetricsResponse.encode(rest).finish()]);
  };
  return (message) => {
    const { encoded, sinceStart, skipped } = message;
    if (skipped > 0) return encode(message);
    const known = shared.get(encoded);
    if (known?.sinceStart === sinceStart) return known.octets;
    const octets = encode(message);
    shared.set(encoded, { sinceStart, octets });
    return octets;
  };
}
