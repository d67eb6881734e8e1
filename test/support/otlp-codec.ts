import { createRequire } from 'node:module';

/** The codec of the published OTLP protos: CommonJS, with names that Node does not see. */
const { opentelemetry }: typeof import('otlp-protos/build/src/generated/root.js') = createRequire(import.meta.url)(
  'otlp-protos/build/src/generated/root.js',
);

export const { ExportTraceServiceRequest } = opentelemetry.proto.collector.trace.v1;
export const { ExportMetricsServiceRequest } = opentelemetry.proto.collector.metrics.v1;
