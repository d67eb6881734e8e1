import { Client, type ClientReadableStream, credentials, Metadata } from '@grpc/grpc-js';
import {
  GetMetricsRequest,
  MetricsServiceService,
  WatchMetricsRequest,
  type WatchMetricsResponse,
} from '../../generated/tollgate/metrics/v1/metrics.ts';
import { Watch } from './watch.ts';

/** A client of WatchMetrics that adds up what it is told. */
export class MetricsWatcher {
  readonly messages: WatchMetricsResponse[] = [];
  /** How the stream ended; undefined while it goes on. */
  end: { readonly code: number; readonly details: string } | undefined = undefined;
  readonly #client: Client;
  readonly #stream: ClientReadableStream<WatchMetricsResponse>;
  readonly #watch = new Watch();

  constructor(port: number, key: string, intervalMs = 100, query: Partial<GetMetricsRequest> = {}) {
    this.#client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
      'grpc.use_local_subchannel_pool': 1,
    });
    const metadata = new Metadata();
    metadata.set('authorization', `Bearer ${key}`);
    const { path, requestSerialize, responseDeserialize } = MetricsServiceService.watchMetrics;
    const request = WatchMetricsRequest.fromPartial({
      query: GetMetricsRequest.fromPartial(query),
      interval: { seconds: Math.floor(intervalMs / 1000), nanos: (intervalMs % 1000) * 1e6 },
    });
    this.#stream = this.#client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request, metadata);
    this.#stream.on('data', (message: WatchMetricsResponse) => {
      this.messages.push(message);
      this.#watch.changed();
    });
    this.#stream.on('error', () => {});
    this.#stream.on('status', ({ code, details }) => {
      this.end = { code, details };
      this.#watch.changed();
    });
  }

  /** Calls that it knows of: what it was told last to be all since the start, and what came after. */
  calls(tenantId?: string): number {
    const from = this.messages.findLastIndex(({ sinceStart }) => sinceStart);
    const series = this.messages.slice(Math.max(0, from)).flatMap(({ metrics }) => metrics?.series ?? []);
    return series
      .filter((each) => tenantId === undefined || each.tenantId === tenantId)
      .reduce((sum, { calls }) => sum + calls, 0);
  }

  until(holds: (watcher: this) => boolean): Promise<void> {
    return this.#watch.until(() => holds(this) || this.end !== undefined);
  }

  /** Takes nothing more, so that the windows fill up. */
  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  close(): void {
    this.#stream.cancel();
    this.#client.close();
  }
}
