import {
  type Telemetry,
  type Telemetry_AccessLog,
  type Telemetry_Otlp,
  Telemetry_Otlp_Protocol,
  type Telemetry_Otlp_PushedMetrics,
  type Telemetry_Tracing,
} from '../../generated/tollgate/config/v1/config.ts';
import { durationToMs } from '../contracts/policy.ts';
import { type AccessLogSettings, DEFAULT_ACCESS_LOG } from '../telemetry/access-log.ts';
import type { MetricsExportSettings } from '../telemetry/metrics/plan-metrics.ts';
import type { OtlpSettings } from '../telemetry/otlp/plan-export.ts';
import type { TelemetrySettings } from '../telemetry/telemetry-settings.ts';
import { DEFAULT_TRACING, type TracingSettings } from '../telemetry/tracing/plan-tracing.ts';
import type { Environment } from './check-tenants.ts';

/** What leaves the gateway for a collector. */
export function toTelemetry(telemetry: Telemetry | undefined, env: Environment): TelemetrySettings {
  return {
    otlp: telemetry?.otlp && toOtlp(telemetry.otlp, env),
    tracing: telemetry?.tracing && toTracing(telemetry.tracing),
    pushed: telemetry?.otlp?.metrics && toPushed(telemetry.otlp.metrics),
  };
}

function toOtlp(otlp: Telemetry_Otlp, env: Environment): OtlpSettings {
  const headers = Object.entries(otlp.headersFromEnv).map(([name, variable]) => [name, env[variable] ?? '']);
  return {
    endpoint: otlp.endpoint,
    protocol: otlp.protocol === Telemetry_Otlp_Protocol.PROTOCOL_HTTP_PROTOBUF ? 'http/protobuf' : 'grpc',
    serviceName: otlp.serviceName === '' ? undefined : otlp.serviceName,
    resourceAttributes: otlp.resourceAttributes,
    headers: Object.fromEntries(headers),
  };
}

function toPushed({ disabled, interval }: Telemetry_Otlp_PushedMetrics): MetricsExportSettings {
  return { disabled, intervalMs: interval && durationToMs(interval) };
}

function toTracing(tracing: Telemetry_Tracing): TracingSettings {
  return {
    rules: tracing.rules,
    ratio: tracing.ratio,
    followParent: tracing.ignoreParent ? false : undefined,
    baggage: new Set(tracing.baggage),
    slowMs: tracing.slow === undefined ? DEFAULT_TRACING.slowMs : durationToMs(tracing.slow),
    maxPerSecond: tracing.maxRemarkablePerSecond ?? DEFAULT_TRACING.maxPerSecond,
  };
}

/** @returns undefined when no call is to have a line */
export function toAccessLog(log: Telemetry_AccessLog | undefined): AccessLogSettings | undefined {
  if (log?.disabled === true) return undefined;
  return {
    ratio: log?.ratio ?? DEFAULT_ACCESS_LOG.ratio,
    slowMs: log?.slow && durationToMs(log.slow),
    maxPerSecond: log?.maxPerSecond ?? DEFAULT_ACCESS_LOG.maxPerSecond,
    metadata: log?.metadata ?? [],
  };
}
