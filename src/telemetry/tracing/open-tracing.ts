import { setImmediate } from 'node:timers/promises';
import type { Outcome } from '../../chain/call.ts';
import type { TracePolicy } from '../../routing/call-trace.ts';
import type { EndedCall } from '../../routing/exchange-parts.ts';
import type { Logger } from '../logger.ts';
import { exportBatch, openExporter } from '../otlp/open-exporter.ts';
import { createSpanBuilder } from './build-spans.ts';
import { createBatchEncoder } from './encode-batch.ts';
import { SpanWriter } from './encode-span.ts';
import type { TracingPlan } from './plan-tracing.ts';
import { createSampler } from './sampler.ts';
import { type BatchExporter, type ExportCounts, SpanQueue } from './span-queue.ts';
import type { SpannedCall } from './spanned-call.ts';
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
/** Calls whose spans are made in a row: alone they take 50 us, in a row 2 to 10, and calls that come meanwhile wait. */
const AT_ONCE = 64;

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
  const queue = new SpanQueue(await openBatchExporter(plan, version, () => wall() - now()), log);
  return {
    policy: createSampler(plan.sampling),
    onEnd: createTracer(queue, plan.tail, now),
    get counts() {
      return queue.counts;
    },
    close: (graceMs) => queue.close(Math.min(graceMs, MAX_CLOSE_MS)),
  };
}

/** @param epoch Unix milliseconds of the monotonic clock's zero */
async function openBatchExporter(
  plan: TracingPlan,
  version: string,
  epoch: () => number,
): Promise<BatchExporter<SpannedCall>> {
  const { ProtobufTraceSerializer } = await import('@opentelemetry/otlp-transformer');
  const encode = createBatchEncoder({ resource: plan.resource, scope: { name: 'tollgate', version } });
  const exporter = await openExporter<SpanWriter>('traces', plan, {
    serializer: {
      serializeRequest: encode,
      deserializeResponse: (octets) => ProtobufTraceSerializer.deserializeResponse(octets),
    },
    helper: { name: 'span', countItems: (spans) => spans.count },
  });
  const write = createRowWriter(epoch);
  return {
    export: (batch) => write(batch).then((spans) => exportBatch(exporter, spans), toError),
    shutdown: () => exporter.shutdown(),
  };
}

function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

/** Writes the spans of calls, those of some in a turn of the event loop; one batch at a time, in one buffer for all. */
function createRowWriter(epoch: () => number): (calls: readonly SpannedCall[]) => Promise<SpanWriter> {
  const build = createSpanBuilder();
  const writer = new SpanWriter();
  return async (calls) => {
    writer.clear();
    for (let first = 0; first < calls.length; first += AT_ONCE) {
      if (first > 0) await setImmediate();
      const zero = epoch();
      const end = Math.min(first + AT_ONCE, calls.length);
      for (let i = first; i < end; i++) build(calls[i]!, writer, zero);
    }
    return writer;
  };
}
