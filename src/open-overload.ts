import type { OverloadSettings } from './config/settings.ts';
import { CONTROL_BACKEND } from './contracts/builtin.ts';
import type { MethodEntry } from './contracts/method-entry.ts';
import { createMemoryProbe, type MemoryFacts } from './overload/memory-share.ts';
import { OverloadMonitor } from './overload/overload-monitor.ts';
import { OverloadStage } from './overload/overload-stage.ts';
import { reportOverload } from './overload/report-overload.ts';
import type { Logger } from './telemetry/logger.ts';

export interface OverloadParts {
  readonly memory: MemoryFacts | undefined;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly log: Logger;
}

/**
 * The stage that refuses calls under overload, and what watches for it. Health and admin services are never refused: they are
 * what helps. @param limits undefined: nothing ever is
 */
export function openOverload(
  limits: OverloadSettings | undefined,
  { memory = { rss: () => 0, constrained: () => 0 }, now, log }: OverloadParts,
): { stage: OverloadStage; close(): void } {
  const isExempt = (method: MethodEntry | undefined) => method?.backend === CONTROL_BACKEND;
  if (limits === undefined) return { stage: new OverloadStage({ pressure: 0 }, isExempt), close: () => {} };
  const probes = { now, memory: createMemoryProbe(limits.maxMemory, memory) };
  const report = reportOverload(log, () => stage.refused);
  const monitor = new OverloadMonitor(limits, probes, report);
  const stage = new OverloadStage(monitor, isExempt);
  monitor.start();
  return { stage, close: () => monitor.close() };
}
