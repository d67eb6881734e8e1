import { type DestinationStream, type Logger, pino } from 'pino';
import { toLogLevel } from './log-level.ts';

export type { Logger };

/** Names under which a credential could slip into a log line: their values are never written. */
const SECRET_FIELDS = ['authorization', 'x-api-key', 'credential', 'key', 'secret', 'token', 'password'];

/**
 * A logger that writes JSON lines.
 *
 * @param level one of `LOG_LEVELS`; empty or unknown is `info`
 * @param destination where the lines go, one `write` each (stderr: stdout belongs to what people asked for)
 */
export function createLogger(level: string | undefined, destination: DestinationStream): Logger {
  return pino(
    {
      level: toLogLevel(level),
      base: undefined,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: SECRET_FIELDS.flatMap((name) => [`["${name}"]`, `*["${name}"]`]), censor: '[redacted]' },
    },
    destination,
  );
}
