import { LimitUse_Kind, type LimitUse as LimitUseMessage } from '../generated/tollgate/metrics/v1/metrics.ts';
import type { AuthenticationManager } from './auth/authentication-manager.ts';
import type { MetricsLimits } from './metrics/budget.ts';
import { EventLoopDelay } from './metrics/event-loop.ts';
import type { TraceId } from './metrics/exemplars.ts';
import { FleetReports } from './metrics/fleet-reports.ts';
import type { FloodCounts } from './metrics/flood-counts.ts';
import { GatewayMetrics, type ObservedCall } from './metrics/gateway-metrics.ts';
import { type LimitUse, mostUsed } from './metrics/limit-use.ts';
import { Reporter } from './metrics/reporter.ts';
import { storeMetrics } from './metrics/store-metrics.ts';
import type { State } from './open-state.ts';
import type { QuotaTracker } from './quota/quota-tracker.ts';
import type { RateLimiter } from './ratelimit/rate-limiter.ts';
import { registerInstruments } from './register-instruments.ts';

export interface MetricsParts {
  readonly limits: MetricsLimits | undefined;
  readonly clock: { now(): number; monotonic(): number };
  readonly state: State;
  readonly floods: FloodCounts;
  readonly limiter: RateLimiter;
  readonly quota: QuotaTracker;
  readonly authentication: AuthenticationManager;
  readonly overload: { readonly pressure: number };
  /** Octets that are resident. */
  readonly rss: () => number;
  readonly listeners: () => readonly { readonly name: string; readonly connections: number }[];
  /** Of this gateway, for people. */
  readonly address: () => string;
}

/** Tenants and limits that are told: those nearest to their end. */
const MAX_LIMITS = 100;

const KINDS = {
  rate: LimitUse_Kind.KIND_RATE,
  concurrency: LimitUse_Kind.KIND_CONCURRENCY,
  quota: LimitUse_Kind.KIND_QUOTA,
} as const;

/** What counts, and what answers for it. */
export interface OpenMetrics {
  readonly metrics: GatewayMetrics;
  readonly reports: FleetReports;
  close(): void;
}

/** Puts together what a gateway counts, and who is asked for what of it. */
export function openMetrics(parts: MetricsParts): OpenMetrics {
  const { clock, state, floods, limiter, quota, authentication } = parts;
  const metrics = new GatewayMetrics({ ...clock, limits: parts.limits, traceIdOf }).start();
  const loop = new EventLoopDelay(clock.monotonic).start();
  const uses = (tenantId?: string) => mostUsed(allUses(limiter, quota, tenantId), MAX_LIMITS);
  registerInstruments(metrics, {
    floods: () => floods.list(),
    listeners: parts.listeners,
    credentials: () => authentication.stats,
    limits: uses,
    loop,
    overload: parts.overload,
    rss: parts.rss,
    fleet: state.fleet,
    version: () => state.sync.current.version,
  });
  const reporter = new Reporter({
    metrics,
    floods: () => floods.list(),
    store: () => storeMetrics(state),
    limits: (tenantId) => uses(tenantId).map(toMessage),
    id: state.id,
    address: parts.address,
    now: clock.monotonic,
  });
  return {
    metrics,
    reports: new FleetReports(reporter, state.fleet?.reports, (tenantId) => limiter.running(tenantId)),
    close() {
      metrics.close();
      loop.close();
    },
  };
}

/** The trace of a call that is sampled: who looks at a histogram finds it there. */
function traceIdOf(call: ObservedCall): TraceId | undefined {
  return call.sampled ? call.trace?.id : undefined;
}

function* allUses(limiter: RateLimiter, quota: QuotaTracker, tenantId: string | undefined): Generator<LimitUse> {
  yield* limiter.uses(tenantId);
  yield* quota.uses(tenantId);
}

function toMessage({ tenantId, name, kind, used, limit }: LimitUse): LimitUseMessage {
  return { tenantId, name, kind: KINDS[kind], used, limit };
}
