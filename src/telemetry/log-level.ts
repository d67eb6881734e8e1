/** Levels of the log that a configuration may name, the most talkative first. */
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Narrows text to a level of the log. */
export function isLogLevel(text: string): text is LogLevel {
  return LOG_LEVELS.some((level) => level === text);
}

/** The level of that name; `info` when there is none. */
export function toLogLevel(text: string | undefined): LogLevel {
  return text !== undefined && isLogLevel(text) ? text : 'info';
}
