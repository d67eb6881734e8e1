import { readFileSync } from 'node:fs';
import type { Settings } from './config/settings.ts';
import { packagePath } from './contracts/package-root.ts';
import type { GatewayMetrics } from './metrics/gateway-metrics.ts';
import type { TracePolicy } from './routing/call-trace.ts';
import { AccessLog } from './telemetry/access-log.ts';
import type { Logger } from './telemetry/logger.ts';
import type { PushCounts } from './telemetry/metrics/metrics-push.ts';
import { openMetricsPush } from './telemetry/metrics/open-metrics-push.ts';
import { planMetrics } from './telemetry/metrics/plan-metrics.ts';
import { RecentCalls } from './telemetry/recent-calls.ts';
import { openTracing } from './telemetry/tracing/open-tracing.ts';
import { planTracing } from './telemetry/tracing/plan-tracing.ts';
import type { ExportCounts } from './telemetry/tracing/span-queue.ts';
import type { CallEndListeners } from './tell-call-end.ts';

export interface TelemetryParts {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Logger;
  readonly clock: { now(): number; monotonic(): number };
  /** In [0, 1). */
  readonly random: () => number;
  readonly metrics: GatewayMetrics;
  /** Tells this gateway from others in what is exported. */
  readonly instance: string;
}

/** What watches calls, beside metrics. */
export interface Telemetry {
  /** Undefined: trace headers are metadata like any other. */
  readonly tracing: TracePolicy | undefined;
  /** How export to the collector goes; undefined when there is none. */
  readonly exportCounts: () => ExportCounts | undefined;
  readonly pushCounts: () => PushCounts | undefined;
  /** Calls that have ended lately. */
  readonly recent: RecentCalls;
  readonly onEnd: Pick<CallEndListeners, 'recent' | 'tracing' | 'accessLog'>;
  close(graceMs: number): Promise<void>;
}

/** Opens what the configuration and the environment ask for. */
export async function openTelemetry(
  settings: Pick<Settings, 'telemetry' | 'accessLog' | 'metrics'>,
  { env, log, clock, random, metrics, instance }: TelemetryParts,
): Promise<Telemetry> {
  const version = readVersion();
  const self = { 'service.version': version, 'service.instance.id': instance };
  const plan = planTracing(settings.telemetry, env, self);
  const pushPlan = settings.metrics && planMetrics(settings.telemetry, env, self);
  const times = { now: clock.monotonic, wall: clock.now };
  const tracing = plan && (await openTracing(plan, { log, version, ...times }));
  const push = pushPlan && (await openMetricsPush(pushPlan, metrics, { log, version, now: clock.now }));
  const recent = new RecentCalls(tracing !== undefined);
  const accessLog = settings.accessLog && new AccessLog(log, settings.accessLog, { now: clock.monotonic, random });
  return {
    tracing: tracing?.policy,
    exportCounts: () => tracing?.counts,
    pushCounts: () => push?.counts,
    recent,
    onEnd: { recent: recent.onEnd, tracing: tracing?.onEnd, accessLog: accessLog?.onEnd },
    async close(graceMs) {
      accessLog?.close();
      await Promise.all([tracing?.close(graceMs), push?.close(graceMs)]);
    },
  };
}

function readVersion(): string {
  const read: unknown = JSON.parse(readFileSync(packagePath('package.json'), 'utf8'));
  const hasVersion = typeof read === 'object' && read !== null && 'version' in read;
  return hasVersion ? String(read.version) : '';
}
