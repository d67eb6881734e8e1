import { Metadata, type ServerWritableStream } from '@grpc/grpc-js';
import {
  type GetMetricsRequest,
  type GetMetricsResponse,
  GetMetricsRequest_Label as Label,
  type MetricsServiceServer,
  GetMetricsRequest as Query,
  type TopMethodsRequest,
  type TopTenantsRequest,
  type WatchMetricsRequest,
  type WatchMetricsResponse,
} from '../../generated/tollgate/metrics/v1/metrics.ts';
import { Code } from '../grpc/status.ts';
import { DIRECT_HEADER, type DirectAnswers } from '../routing/direct-answers.ts';
import type { Logger } from '../telemetry/logger.ts';
import { type Caller, readCaller } from './caller.ts';
import { ControlError } from './control-error.ts';
import { toErrorStatus } from './error-status.ts';
import type { Health } from './health.ts';
import { tenantFor } from './self-service.ts';
import { createUnaryHandler } from './unary-handler.ts';
import { MetricsWatch, watchedInterval, watchedQuery } from './watch-metrics.ts';
import { WatchTable } from './watch-rounds.ts';

/** Who reads: a `tenant` sees nothing of the gateway, and of others nothing either. */
export type Audience = 'administrator' | 'tenant';

/** Where a watcher is, by gateway. */
export type Cursors = ReadonlyMap<string, number>;

export interface Progress {
  /** The answer (`GetMetricsResponse`): those who share the octets share the object. */
  readonly encoded: Uint8Array;
  readonly cursors: Cursors;
  /** All since the start, not since the cursors. */
  readonly sinceStart: boolean;
}

/** What the gateways counted; `FleetReports` is one. */
export interface MetricsSource {
  get(request: GetMetricsRequest, audience: Audience): Promise<GetMetricsResponse>;
  advance(request: GetMetricsRequest, audience: Audience, cursors: Cursors): Promise<Progress>;
}

/** Watchers at once, and those of one tenant that are no administrator's. */
export const MAX_WATCHERS = 500;
const MAX_WATCHERS_OF_TENANT = 20;
const DEFAULT_TOP = 10;

/** `tollgate.metrics.v1.MetricsService`. */
export function createMetricsService(
  source: MetricsSource,
  direct: DirectAnswers,
  health: Health,
  log: Logger,
): MetricsServiceServer {
  const get = (request: GetMetricsRequest, caller: Caller) => source.get(own(request, caller), audienceOf(caller));
  const watchers = new WatcherCount();
  const table = new WatchTable(source);
  return {
    getMetrics: createUnaryHandler(log, get),

    topTenants: createUnaryHandler(log, async ({ by, limit, ...rest }: TopTenantsRequest, caller) => {
      const found = await get(top({ ...rest, orderBy: by, limit, groupBy: [Label.LABEL_TENANT] }), caller);
      const { series: tenants, omittedSeries: omitted, startTime, endTime, gateways } = found;
      return { tenants, omitted, startTime, endTime, gateways };
    }),

    topMethods: createUnaryHandler(log, async ({ by, limit, ...rest }: TopMethodsRequest, caller) => {
      const found = await get(top({ ...rest, orderBy: by, limit, groupBy: [Label.LABEL_METHOD] }), caller);
      const { series: methods, omittedSeries: omitted, startTime, endTime, gateways } = found;
      return { methods, omitted, startTime, endTime, gateways };
    }),

    watchMetrics(call) {
      const caller = readCaller(call.metadata);
      const fail = (error: unknown) => void call.emit('error', toErrorStatus(error, caller.requestId, log));
      const writer = direct.writerOf(String(call.metadata.get(DIRECT_HEADER)[0]));
      // The call is over already.
      if (writer === undefined) return call.end();
      let query: GetMetricsRequest;
      try {
        query = own(watchedQuery(call.request), caller);
        watchers.enter(caller);
      } catch (error) {
        return fail(error);
      }
      const headers = new Metadata();
      if (writer.acceptsGzip) headers.set('grpc-encoding', 'gzip');
      call.sendMetadata(headers);
      const watch = new MetricsWatch(writer, fail);
      const leave = table.add(watch, {
        query,
        audience: audienceOf(caller),
        intervalMs: watchedInterval(call.request),
      });
      closeAtEnd(call, health, () => {
        watchers.leave(caller);
        watch.close();
        leave();
      });
    },
  };
}

type WatchCall = ServerWritableStream<WatchMetricsRequest, WatchMetricsResponse>;

/** A watch has no end of its own: open, it would hold up the gateway's stop for the whole grace. */
function closeAtEnd(call: WatchCall, health: Health, close: () => void): void {
  const unsubscribe = health.watch('', (_serving, last) => {
    if (last) call.end();
  });
  let closed = false;
  const end = () => {
    if (closed) return;
    closed = true;
    unsubscribe();
    close();
  };
  for (const event of ['cancelled', 'close', 'error', 'finish']) call.on(event, end);
}

function top(request: Partial<GetMetricsRequest>): GetMetricsRequest {
  return { ...Query.fromPartial({}), ...request, limit: request.limit || DEFAULT_TOP };
}

/** A tenant asks about itself. @throws NotFound when it asks about another */
function own(request: GetMetricsRequest, caller: Caller): GetMetricsRequest {
  return { ...request, tenantId: tenantFor(caller, request.tenantId) };
}

function audienceOf({ role }: Caller): Audience {
  return role === undefined ? 'tenant' : 'administrator';
}

/** How many watch: each holds a stream, and a tenant must leave room for others. */
class WatcherCount {
  #all = 0;
  readonly #byTenant = new Map<string, number>();

  /** @throws ControlError when there are too many */
  enter({ tenantId, role }: Caller): void {
    const own = this.#byTenant.get(tenantId) ?? 0;
    const most = role === undefined && own >= MAX_WATCHERS_OF_TENANT ? MAX_WATCHERS_OF_TENANT : MAX_WATCHERS;
    if (this.#all >= MAX_WATCHERS || most < MAX_WATCHERS) {
      const message = `there are ${most} watchers of metrics already: use GetMetrics with a window instead`;
      throw new ControlError(Code.RESOURCE_EXHAUSTED, 'TOO_MANY_WATCHES', message);
    }
    this.#all++;
    this.#byTenant.set(tenantId, own + 1);
  }

  leave({ tenantId }: Caller): void {
    this.#all--;
    const own = this.#byTenant.get(tenantId) ?? 0;
    if (own > 1) this.#byTenant.set(tenantId, own - 1);
    else this.#byTenant.delete(tenantId);
  }
}
