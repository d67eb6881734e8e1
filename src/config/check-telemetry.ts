import type { Config, Telemetry_Metrics } from '../../generated/tollgate/config/v1/config.ts';
import { nearest } from '../contracts/nearest.ts';
import { DEFAULT_LIMITS, leastMemory, MIB } from '../metrics/budget.ts';
import { isSecretName } from '../telemetry/access-log.ts';
import { isLogLevel, LOG_LEVELS } from '../telemetry/log-level.ts';
import type { CheckContext } from './check-context.ts';
import type { Environment } from './check-tenants.ts';

/** Telemetry: a level that exists, an endpoint that is a URL. */
export function checkTelemetry({ source }: CheckContext, config: Config, env: Environment): void {
  const { logLevel = '', otlp } = config.telemetry ?? {};
  if (logLevel !== '' && !isLogLevel(logLevel)) {
    const near = nearest(logLevel, LOG_LEVELS);
    const hint = near === undefined ? undefined : `did you mean "${near}"?`;
    source.complain(['telemetry', 'log_level'], `one of ${LOG_LEVELS.join(', ')} is expected, not "${logLevel}"`, hint);
  }
  checkMetrics(source, config.telemetry?.metrics);
  checkAccessLog(source, config.telemetry?.accessLog?.metadata ?? []);
  for (const [name, variable] of Object.entries(otlp?.headersFromEnv ?? {})) {
    if ((env[variable] ?? '') !== '') continue;
    source.complain(['telemetry', 'otlp', 'headers_from_env', name], `the variable ${variable} is not set`);
  }
  const url = otlp === undefined ? undefined : URL.parse(otlp.endpoint);
  if (url === null || (url !== undefined && !/^https?:$/.test(url.protocol))) {
    source.complain(['telemetry', 'otlp', 'endpoint'], '"endpoint" is not a URL', 'http://127.0.0.1:4317');
  }
}

function checkAccessLog(source: CheckContext['source'], names: readonly string[]): void {
  names.forEach((name, index) => {
    if (!isSecretName(name)) return;
    const path = ['telemetry', 'access_log', 'metadata', index];
    source.complain(path, `"${name}" carries credentials: it is never logged`, 'leave it out');
  });
}

function checkMetrics(source: CheckContext['source'], metrics: Telemetry_Metrics | undefined): void {
  if (metrics === undefined || metrics.memoryMib === 0) return;
  const maxSeries = metrics.maxSeries || DEFAULT_LIMITS.maxSeries;
  const least = Math.ceil(leastMemory(maxSeries) / MIB);
  if (metrics.memoryMib >= least) return;
  const message = `${maxSeries} series need ${least} MiB at least, not ${metrics.memoryMib}`;
  source.complain(['telemetry', 'metrics', 'memory_mib'], message, 'or lower "max_series"');
}
