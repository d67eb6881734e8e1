import { getHeapStatistics } from 'node:v8';
import type { GetStateResponse } from '../generated/tollgate/admin/v1/diagnostics.ts';
import type { Listener } from './http2/index.ts';
import type { MemoryFacts } from './overload/memory-share.ts';
import type { Backend } from './routing/backend.ts';
import type { PushCounts } from './telemetry/metrics/metrics-push.ts';
import type { ExportCounts } from './telemetry/tracing/span-queue.ts';

export interface StateFacts {
  readonly id: string;
  /** Unix milliseconds. */
  readonly startedAt: number;
  /** Of the configuration. */
  readonly version: number;
  readonly memory: MemoryFacts | undefined;
  readonly listeners: readonly { readonly name: string; readonly listener: Listener | undefined }[];
  readonly backends: readonly Backend[];
  /** Of a backend, by its name. */
  readonly breakerState: (backend: string) => string;
  /** Monotonic milliseconds. */
  readonly now: number;
  readonly spans: ExportCounts | undefined;
  readonly metricPushes: PushCounts | undefined;
}

/** What a gateway is doing, for people who look for a fault. Names, addresses and numbers; nothing that a caller sent. */
export function describeState(facts: StateFacts): GetStateResponse {
  return {
    gateway: facts.id,
    startedAt: new Date(facts.startedAt),
    configVersion: facts.version,
    residentOctets: facts.memory?.rss() ?? 0,
    heapOctets: getHeapStatistics().used_heap_size,
    listeners: facts.listeners.map(({ name, listener }) => ({
      name,
      address: listener === undefined ? '' : `${listener.address.host}:${listener.address.port}`,
      connections: listener?.connections ?? 0,
      streams: listener === undefined ? 0 : countStreams(listener),
    })),
    backends: facts.backends.map((backend) => ({
      name: backend.name,
      breaker: facts.breakerState(backend.name),
      endpoints: backend.endpoints.map(({ name, client, outstanding, avoidUntil }) => ({
        address: name,
        connections: client.connections,
        outstanding,
        avoided: avoidUntil > facts.now,
      })),
      retriesUnseen: backend.retries.counts.transparent,
      retriesAfterFailure: backend.retries.counts.afterFailure,
      retriesOverBudget: backend.retries.counts.overBudget,
    })),
    spans: facts.spans && { ...facts.spans },
    metricPushes: facts.metricPushes && { ...facts.metricPushes },
  };
}

function countStreams(listener: Listener): number {
  let count = 0;
  listener.eachStream(() => count++);
  return count;
}
