import type { Duration } from '../../generated/google/protobuf/duration.ts';
import {
  BackendMetrics_BreakerState,
  type GetMetricsRequest,
  GetMetricsRequest_Label,
  type GetMetricsResponse,
} from '../../generated/tollgate/metrics/v1/metrics.ts';
import type { BackendSnapshot, CallSeries, GatewayMetrics, Label } from './gateway-metrics.ts';

const LABELS: ReadonlyMap<number, Label> = new Map([
  [GetMetricsRequest_Label.LABEL_TENANT, 'tenant'],
  [GetMetricsRequest_Label.LABEL_METHOD, 'method'],
  [GetMetricsRequest_Label.LABEL_STATUS, 'status'],
]);

const BREAKER_STATES = {
  closed: BackendMetrics_BreakerState.BREAKER_STATE_CLOSED,
  open: BackendMetrics_BreakerState.BREAKER_STATE_OPEN,
  half_open: BackendMetrics_BreakerState.BREAKER_STATE_HALF_OPEN,
} as const;

/** The answer to `GetMetrics`. @param now Unix milliseconds, when the counts are read */
export function reportMetrics(
  metrics: Pick<GatewayMetrics, 'query' | 'refusals' | 'backends' | 'floods' | 'startedAt'>,
  request: GetMetricsRequest,
  now: number,
): GetMetricsResponse {
  const series = metrics.query({
    tenantId: request.tenantId || undefined,
    method: request.method || undefined,
    status: request.status || undefined,
    groupBy: labelsOf(request.groupBy),
  });
  return {
    series: series.map(reportSeries),
    startTime: new Date(metrics.startedAt),
    endTime: new Date(now),
    refusals: Object.fromEntries(metrics.refusals()),
    backends: metrics.backends().map(reportBackend),
    floods: [...metrics.floods()],
  };
}

function labelsOf(labels: readonly number[]): Label[] | undefined {
  const known = labels.map((label) => LABELS.get(label)).filter((label) => label !== undefined);
  return known.length === 0 ? undefined : known;
}

function reportSeries({ tenantId, method, status, calls, latency }: CallSeries) {
  return {
    tenantId,
    method,
    status,
    calls,
    latency: {
      p50: durationOf(latency.p50),
      p90: durationOf(latency.p90),
      p99: durationOf(latency.p99),
      max: durationOf(latency.max),
      sum: durationOf(latency.sum),
    },
  };
}

function reportBackend({ name, breaker, outstanding, calls, failures }: BackendSnapshot) {
  return { backend: name, breaker: BREAKER_STATES[breaker], outstandingCalls: outstanding, calls, failures };
}

function durationOf(ms: number): Duration {
  const nanos = Math.round((ms % 1000) * 1e6);
  const carry = nanos >= 1e9 ? 1 : 0;
  return { seconds: Math.floor(ms / 1000) + carry, nanos: nanos - carry * 1e9 };
}
