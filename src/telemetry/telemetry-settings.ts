import type { MetricsExportSettings } from './metrics/plan-metrics.ts';
import type { OtlpSettings } from './otlp/plan-export.ts';
import type { TracingSettings } from './tracing/plan-tracing.ts';

/** What the configuration says of telemetry that leaves the gateway; what it does not say, OTEL_* may. */
export interface TelemetrySettings {
  readonly otlp: OtlpSettings | undefined;
  readonly tracing: TracingSettings | undefined;
  readonly pushed: MetricsExportSettings | undefined;
}
