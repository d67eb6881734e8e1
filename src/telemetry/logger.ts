import { type DestinationStream, type Logger, pino } from 'pino';

export type { Logger };

/** Levels a configuration may name. */
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

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

/** The level of that name; `info` when there is none. */
export function toLogLevel(text: string | undefined): LogLevel {
  return LOG_LEVELS.find((level) => level === text) ?? 'info';
}
