import type { OTLPExporterBase } from '@opentelemetry/otlp-exporter-base';
import type { ResourceMetrics } from '@opentelemetry/sdk-metrics';
import type { GatewayMetrics } from '../../metrics/gateway-metrics.ts';
import { takeSnapshot } from '../../metrics/snapshot.ts';
import type { Logger } from '../logger.ts';
import { signalUrl } from '../otlp/plan-export.ts';
import { MetricsPush, type PushCounts } from './metrics-push.ts';
import type { MetricsPlan } from './plan-metrics.ts';

/** Metrics that are pushed. */
export interface OpenMetricsPush {
  readonly counts: PushCounts;
  close(graceMs: number): Promise<void>;
}

/** Points of a request: about 100 KiB, and a millisecond or two to make. Between two of them other things have their turn. */
const MAX_POINTS = 500;
const MAX_CLOSE_MS = 3000;
const EXPORT_PATH = '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export';

/** Opens the way to the collector; as with traces, OpenTelemetry's packages are loaded only now. */
export async function openMetricsPush(
  plan: MetricsPlan,
  metrics: GatewayMetrics,
  parts: { readonly log: Logger; readonly version: string; readonly now: () => number },
): Promise<OpenMetricsPush> {
  const { log, version, now } = parts;
  for (const warning of plan.warnings) log.warn(warning);
  const [{ resourceFromAttributes }, { toBatches }, exporter] = await Promise.all([
    import('@opentelemetry/resources'),
    import('./to-otlp.ts'),
    openExporter(plan),
  ]);
  const resource = resourceFromAttributes(plan.resource);
  const scope = { name: 'tollgate', version };
  const push = new MetricsPush({
    ...plan,
    log,
    collect: () => toBatches(takeSnapshot(metrics), { startTime: metrics.startedAt, endTime: now() }, MAX_POINTS),
    send: (batch) => send(exporter, { resource, scopeMetrics: [{ scope, metrics: batch }] }),
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

function send(exporter: OTLPExporterBase<ResourceMetrics>, metrics: ResourceMetrics): Promise<Error | undefined> {
  return new Promise((resolve) => {
    exporter.export(metrics, ({ code, error }) => {
      resolve(code === 0 ? undefined : (error ?? new Error('the collector did not take the metrics')));
    });
  });
}

/**
 * As `@opentelemetry/exporter-metrics-otlp-*` do, without the aggregation they are for: the gateway has counted already. The
 * exporter retries within its timeout (OTEL_EXPORTER_OTLP_TIMEOUT), and has one request under way.
 */
async function openExporter({ protocol, endpoint, headers }: MetricsPlan): Promise<OTLPExporterBase<ResourceMetrics>> {
  const [{ OTLPExporterBase }, { ProtobufMetricsSerializer, MetricsExporterMetricsHelper }] = await Promise.all([
    import('@opentelemetry/otlp-exporter-base'),
    import('@opentelemetry/otlp-transformer'),
  ]);
  if (protocol === 'grpc') {
    const [{ convertLegacyOtlpGrpcOptions, createOtlpGrpcExportDelegate }, { Metadata }] = await Promise.all([
      import('@opentelemetry/otlp-grpc-exporter-base'),
      import('@grpc/grpc-js'),
    ]);
    const metadata = new Metadata();
    for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
    return new OTLPExporterBase(
      createOtlpGrpcExportDelegate(
        convertLegacyOtlpGrpcOptions({ ...(endpoint !== undefined && { url: endpoint }), metadata }, 'METRICS'),
        ProtobufMetricsSerializer,
        'otlp_grpc_metric_exporter',
        MetricsExporterMetricsHelper,
        undefined,
        'MetricsExportService',
        EXPORT_PATH,
      ),
    );
  }
  const { convertLegacyHttpOptions, createOtlpHttpExportDelegate } = await import(
    '@opentelemetry/otlp-exporter-base/node-http'
  );
  const options = { ...(endpoint !== undefined && { url: signalUrl(endpoint, 'metrics') }), headers };
  return new OTLPExporterBase(
    createOtlpHttpExportDelegate(
      convertLegacyHttpOptions(options, 'METRICS', 'v1/metrics', { 'Content-Type': 'application/x-protobuf' }),
      ProtobufMetricsSerializer,
      'otlp_http_metric_exporter',
      MetricsExporterMetricsHelper,
      undefined,
    ),
  );
}
