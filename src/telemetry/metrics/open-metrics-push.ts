import type { ResourceMetrics } from '@opentelemetry/sdk-metrics';
import type { GatewayMetrics } from '../../metrics/gateway-metrics.ts';
import { takeSnapshot } from '../../metrics/snapshot.ts';
import type { Logger } from '../logger.ts';
import { exportBatch, openExporter } from '../otlp/open-exporter.ts';
import { MetricsPush, type PushCounts } from './metrics-push.ts';
import type { MetricsPlan } from './plan-metrics.ts';

/** Metrics that are pushed. */
export interface OpenMetricsPush {
  readonly counts: PushCounts;
  close(graceMs: number): Promise<void>;
}

/**
 * Points of a request: some 20 KiB, and less than a millisecond to make (500 took four). Between two of them other things have their
 * turn. But a round is of no more requests than so many, for the collector may be far away.
 */
const POINTS_OF_BATCH = 100;
const MOST_BATCHES = 100;
const MAX_CLOSE_MS = 3000;

/** Opens the way to the collector; as with traces, OpenTelemetry's packages are loaded only now. */
export async function openMetricsPush(
  plan: MetricsPlan,
  metrics: GatewayMetrics,
  parts: { readonly log: Logger; readonly version: string; readonly now: () => number },
): Promise<OpenMetricsPush> {
  const { log, version, now } = parts;
  for (const warning of plan.warnings) log.warn(warning);
  const [
    { resourceFromAttributes },
    { toBatches },
    { ProtobufMetricsSerializer: serializer, MetricsExporterMetricsHelper: helper },
  ] = await Promise.all([
    import('@opentelemetry/resources'),
    import('./to-otlp.ts'),
    import('@opentelemetry/otlp-transformer'),
  ]);
  const exporter = await openExporter<ResourceMetrics>('metrics', plan, { serializer, helper });
  const resource = resourceFromAttributes(plan.resource);
  const scope = { name: 'tollgate', version };
  const push = new MetricsPush({
    ...plan,
    log,
    collect() {
      const families = takeSnapshot(metrics);
      const points = families.reduce((sum, family) => sum + family.points.length, 0);
      const ofBatch = Math.max(POINTS_OF_BATCH, Math.ceil(points / MOST_BATCHES));
      return toBatches(families, { startTime: metrics.startedAt, endTime: now() }, ofBatch);
    },
    send: (batch) => exportBatch(exporter, { resource, scopeMetrics: [{ scope, metrics: batch }] }),
  });
  return {
    get counts() {
      return push.counts;
    },
    async close(graceMs) {
      await push.close(Math.min(graceMs, MAX_CLOSE_MS));
      // A collector that hangs would hold this up as well.
      void exporter.shutdown().catch(() => {});
    },
  };
}
