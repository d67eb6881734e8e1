import type { OverloadCause } from './overload-monitor.ts';

/** What a logger takes. */
export interface OverloadLog {
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
}

/**
 * Writes down when overload begins, and why, and when it is over, with how many calls that refused.
 * @param refused calls that were refused since the start
 * @returns told by an `OverloadMonitor`
 */
export function reportOverload(
  log: OverloadLog,
  refused: () => number,
): (overloaded: boolean, cause: OverloadCause) => void {
  let before = 0;
  return (overloaded, { lateMs, memoryShare }) => {
    if (!overloaded) {
      log.warn({ refused: refused() - before }, 'no longer overloaded');
      return;
    }
    before = refused();
    const fields = { event_loop_late_ms: Math.round(lateMs), memory_used: Math.round(memoryShare * 100) / 100 };
    log.warn(fields, 'overloaded: calls are refused if it lasts, those of low priority first');
  };
}
