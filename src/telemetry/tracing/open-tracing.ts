import type { Outcome } from '../../chain/call.ts';
import type { TracePolicy } from '../../routing/call-trace.ts';
import type { EndedCall } from '../../routing/exchange-parts.ts';
import type { Logger } from '../logger.ts';
import { exportBatch, openExporter } from '../otlp/open-exporter.ts';
import { createBatchEncoder } from './encode-batch.ts';
import type { SpanWriter } from './encode-span.ts';
import type { TracingPlan } from './plan-tracing.ts';
import { createSampler } from './sampler.ts';
import { type BatchExporter, type ExportCounts, SpanQueue } from './span-queue.ts';
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
 * Opens the way to the collector. OpenTelemetry's packages are loaded only now, so that a gateway that traces nothing neither
 * waits for them at its start nor keeps them in memory.
 */
export async function openTracing(
  plan: TracingPlan,
  parts: { readonly log: Logger; readonly version: string; readonly now: () => number; readonly wall: () => number },
): Promise<Tracing> {
  const { log, version, now, wall } = parts;
  for (const warning of plan.warnings) log.warn(warning);
  const queue = new SpanQueue({ exporter: await openBatchExporter(plan, version), log, epoch: () => wall() - now() });
  return {
    policy: createSampler(plan.sampling),
    onEnd: createTracer(queue, plan.tail, now),
    get counts() {
      return queue.counts;
    },
    close: (graceMs) => queue.close(Math.min(graceMs, MAX_CLOSE_MS)),
  };
}

async function openBatchExporter(plan: TracingPlan, version: string): Promise<BatchExporter> {
  const { ProtobufTraceSerializer } = await import('@opentelemetry/otlp-transformer');
  const encode = createBatchEncoder({ resource: plan.resource, scope: { name: 'tollgate', version } });
  const exporter = await openExporter<SpanWriter>('traces', plan, {
    serializer: {
      serializeRequest: encode,
      deserializeResponse: (octets) => ProtobufTraceSerializer.deserializeResponse(octets),
    },
    helper: { name: 'span', countItems: (spans) => spans.count },
  });
  return {
    export: (batch) => exportBatch(exporter, batch),
    shutdown: () => exporter.shutdown(),
  };
}
