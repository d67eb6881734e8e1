import type { Config } from '../../generated/tollgate/config/v1/config.ts';
import { nearest } from '../contracts/nearest.ts';
import type { CheckContext } from './check-context.ts';

/** Levels of the log, the most talkative first. */
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Narrows text to a level of the log. */
export function isLogLevel(text: string): text is LogLevel {
  return LOG_LEVELS.some((level) => level === text);
}

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
