import type { Config } from '../../generated/tollgate/config/v1/config.ts';
import { nearest } from '../contracts/nearest.ts';
import { isLogLevel, LOG_LEVELS } from '../telemetry/log-level.ts';
import type { CheckContext } from './check-context.ts';

/** Telemetry: a level that exists, an endpoint that is a URL. */
export function checkTelemetry({ source }: CheckContext, config: Config): void {
  const { logLevel = '', otlp } = config.telemetry ?? {};
  if (logLevel !== '' && !isLogLevel(logLevel)) {
    const near = nearest(logLevel, LOG_LEVELS);
    const hint = near === undefined ? undefined : `did you mean "${near}"?`;
    source.complain(['telemetry', 'log_level'], `one of ${LOG_LEVELS.join(', ')} is expected, not "${logLevel}"`, hint);
  }
  const url = otlp === undefined ? undefined : URL.parse(otlp.endpoint);
  if (url === null || (url !== undefined && !/^https?:$/.test(url.protocol))) {
    source.complain(['telemetry', 'otlp', 'endpoint'], '"endpoint" is not a URL', 'http://127.0.0.1:4317');
  }
}
