import type { SpanExporter } from '@opentelemetry/sdk-trace-base';
import type { Outcome } from '../../chain/call.ts';
import type { TracePolicy } from '../../routing/call-trace.ts';
import type { EndedCall } from '../../routing/exchange-parts.ts';
import type { Logger } from '../logger.ts';
import { signalUrl } from '../otlp/plan-export.ts';
import type { TracingPlan } from './plan-tracing.ts';
import { createSampler } from './sampler.ts';
import { type ExportCounts, SpanQueue } from './span-queue.ts';
import { createTracer } from './tracer.ts';

/** Tracing that is on. */
export interface Tracing {
  readonly policy: TracePolicy;
  /** A subscriber of the end of calls. */
  readonly onEnd: (call: EndedCall, outcome: Outcome) => void;
  readonly counts: ExportCounts;
  close(graceMs: number): Promise<void>;
}

/** Milliseconds that the last spans get at a stop. */
const MAX_CLOSE_MS = 3000;

/**
 * Opens the way to the collector. OpenTelemetry's packages are loaded here, so that a gateway that traces nothing neither waits a
 * third of a second for them at its start nor keeps 25 MiB for them.
 */
export async function openTracing(
  plan: TracingPlan,
  parts: { readonly log: Logger; readonly version: string; readonly now: () => number; readonly wall: () => number },
): Promise<Tracing> {
  const { log, version, now, wall } = parts;
  for (const warning of plan.warnings) log.warn(warning);
  const [{ resourceFromAttributes }, exporter] = await Promise.all([
    import('@opentelemetry/resources'),
    openExporter(plan),
  ]);
  const queue = new SpanQueue(exporter, log);
  const source = {
    resource: resourceFromAttributes(plan.resource),
    scope: { name: 'tollgate', version },
    epoch: () => wall() - now(),
  };
  return {
    policy: createSampler(plan.sampling),
    onEnd: createTracer(queue, source, plan.tail, now),
    get counts() {
      return queue.counts;
    },
    close: (graceMs) => queue.close(Math.min(graceMs, MAX_CLOSE_MS)),
  };
}

async function openExporter({ protocol, endpoint, headers }: TracingPlan): Promise<SpanExporter> {
  if (protocol === 'grpc') {
    const [{ OTLPTraceExporter }, { Metadata }] = await Promise.all([
      import('@opentelemetry/exporter-trace-otlp-grpc'),
      import('@grpc/grpc-js'),
    ]);
    const metadata = new Metadata();
    for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
    return new OTLPTraceExporter({ ...(endpoint !== undefined && { url: endpoint }), metadata });
  }
  const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-proto');
  return new OTLPTraceExporter({ ...(endpoint !== undefined && { url: signalUrl(endpoint, 'traces') }), headers });
}
