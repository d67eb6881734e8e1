import type { OTLPExporterBase } from '@opentelemetry/otlp-exporter-base';
import type { IExporterMetricsHelper, ISerializer } from '@opentelemetry/otlp-transformer';
import { type ExportPlan, type Signal, signalUrl } from './plan-export.ts';

/** How a signal is encoded, and how much of it there is. */
export interface SignalParts<Batch> {
  readonly serializer: ISerializer<Batch, unknown>;
  readonly helper: IExporterMetricsHelper<Batch>;
}

const NAMES = {
  traces: {
    upper: 'TRACES',
    service: 'TraceExportService',
    path: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
  },
  metrics: {
    upper: 'METRICS',
    service: 'MetricsExportService',
    path: '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export',
  },
} as const;

/**
 * As `@opentelemetry/exporter-*-otlp-*` do, for batches of our own making. The exporter retries within its timeout
 * (OTEL_EXPORTER_OTLP_TIMEOUT). OpenTelemetry's packages are loaded here, when something is exported.
 */
export async function openExporter<Batch>(
  signal: Signal,
  { protocol, endpoint, headers }: ExportPlan,
  { serializer, helper }: SignalParts<Batch>,
): Promise<OTLPExporterBase<Batch>> {
  const { OTLPExporterBase } = await import('@opentelemetry/otlp-exporter-base');
  const { upper, service, path } = NAMES[signal];
  if (protocol === 'grpc') {
    const [{ convertLegacyOtlpGrpcOptions, createOtlpGrpcExportDelegate }, { Metadata }] = await Promise.all([
      import('@opentelemetry/otlp-grpc-exporter-base'),
      import('@grpc/grpc-js'),
    ]);
    const metadata = new Metadata();
    for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
    const options = convertLegacyOtlpGrpcOptions({ ...(endpoint !== undefined && { url: endpoint }), metadata }, upper);
    return new OTLPExporterBase(
      createOtlpGrpcExportDelegate(options, serializer, `otlp_grpc_${signal}`, helper, undefined, service, path),
    );
  }
  const { convertLegacyHttpOptions, createOtlpHttpExportDelegate } = await import(
    '@opentelemetry/otlp-exporter-base/node-http'
  );
  const options = convertLegacyHttpOptions(
    { ...(endpoint !== undefined && { url: signalUrl(endpoint, signal) }), headers },
    upper,
    `v1/${signal}`,
    { 'Content-Type': 'application/x-protobuf' },
  );
  return new OTLPExporterBase(
    createOtlpHttpExportDelegate(options, serializer, `otlp_http_${signal}`, helper, undefined),
  );
}

/** Hands a batch over. @returns what went wrong */
export function exportBatch<Batch>(exporter: OTLPExporterBase<Batch>, batch: Batch): Promise<Error | undefined> {
  return new Promise((resolve) => {
    try {
      exporter.export(batch, ({ code, error }) => {
        resolve(code === 0 ? undefined : (error ?? new Error('the collector did not take it')));
      });
    } catch (error) {
      resolve(error instanceof Error ? error : new Error(String(error)));
    }
  });
}
