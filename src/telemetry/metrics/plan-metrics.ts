import {
  type Environment,
  type ExportPlan,
  type OtlpSettings,
  planExport,
  type ResourceAttributes,
} from '../otlp/plan-export.ts';

/** Where metrics go, and how often. */
export interface MetricsPlan extends ExportPlan {
  readonly intervalMs: number;
  /** How long one round may take. */
  readonly timeoutMs: number;
}

export interface MetricsExportSettings {
  readonly disabled: boolean;
  readonly intervalMs: number | undefined;
}

/** OpenTelemetry specification, "Periodic exporting MetricReader". */
const DEFAULT_INTERVAL_MS = 60_000;
const DEFAULT_TIMEOUT_MS = 30_000;
const LEAST_INTERVAL_MS = 1000;
/** What a timer can wait for. */
const MOST_MS = 2 ** 31 - 1;

/** @returns undefined when metrics are not exported */
export function planMetrics(
  { otlp, pushed }: { readonly otlp: OtlpSettings | undefined; readonly pushed: MetricsExportSettings | undefined },
  env: Environment,
  self: ResourceAttributes,
): MetricsPlan | undefined {
  if (pushed?.disabled === true) return undefined;
  const plan = planExport('metrics', otlp, env, self);
  if (plan === undefined) return undefined;
  const warnings = [...plan.warnings];
  const preference = env.OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE ?? '';
  if (!['', 'cumulative'].includes(preference.toLowerCase())) {
    const variable = 'OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE';
    warnings.push(`${variable} is "${preference}": totals are sent, "cumulative"`);
  }
  const intervalMs = pushed?.intervalMs ?? readMs('OTEL_METRIC_EXPORT_INTERVAL', DEFAULT_INTERVAL_MS, env, warnings);
  const timeoutMs = readMs('OTEL_METRIC_EXPORT_TIMEOUT', DEFAULT_TIMEOUT_MS, env, warnings);
  return { ...plan, warnings, intervalMs: Math.max(LEAST_INTERVAL_MS, intervalMs), timeoutMs };
}

function readMs(variable: string, otherwise: number, env: Environment, warnings: string[]): number {
  const text = env[variable] ?? '';
  if (text === '') return otherwise;
  const ms = Number(text);
  if (ms > 0 && ms <= MOST_MS) return ms;
  warnings.push(`${variable} is "${text}": milliseconds are expected; ${otherwise} is taken`);
  return otherwise;
}
