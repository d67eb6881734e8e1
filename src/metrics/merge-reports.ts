import type {
  BackendMetrics,
  CallSeries,
  GetMetricsRequest,
  GetMetricsResponse,
  Instrument,
  Latency,
} from '../../generated/tollgate/metrics/v1/metrics.ts';
import { Distribution } from './distribution.ts';
import { DEFAULT_SERIES, rankOfSeries } from './rank.ts';
import { fromDuration, reportLatency } from './series-report.ts';

/** What several gateways counted, added up, ordered and cut as the request says. Their series must have histograms. */
export function mergeReports(
  reports: readonly GetMetricsResponse[],
  { limit: asked, orderBy, withHistograms }: Pick<GetMetricsRequest, 'limit' | 'orderBy' | 'withHistograms'>,
): GetMetricsResponse {
  const limit = asked || DEFAULT_SERIES;
  const series = mergeBy(
    reports.flatMap((report) => report.series),
    ({ tenantId, method, status }) => `${tenantId} ${method} ${status}`,
  ).map((same) => mergeSeries(same, withHistograms));
  const rank = rankOfSeries(orderBy);
  series.sort((a, b) => rank(b) - rank(a));
  const omitted = Math.max(0, series.length - limit) + sum(reports.map((report) => report.omittedSeries));
  return {
    series: series.slice(0, limit),
    startTime: extreme(
      reports.map((report) => report.startTime),
      Math.min,
    ),
    endTime: extreme(
      reports.map((report) => report.endTime),
      Math.max,
    ),
    refusals: sumMaps(reports.map((report) => report.refusals)),
    backends: mergeBy(
      reports.flatMap((report) => report.backends),
      ({ backend }) => backend,
    ).map(mergeBackends),
    floods: mergeBy(
      reports.flatMap((report) => report.floods),
      ({ peer, kind }) => `${peer} ${kind}`,
    ).map((same) => ({ ...same[0]!, count: sum(same.map(({ count }) => count)) })),
    // What the store looks like is each gateway's own view.
    store: reports[0]?.store,
    omittedSeries: omitted,
    foldedSeries: sum(reports.map((report) => report.foldedSeries)),
    gateways: reports.flatMap((report) => report.gateways),
    instruments: mergeBy(
      reports.flatMap((report) => report.instruments),
      ({ name }) => name,
    ).map(mergeInstruments),
    limits: mergeBy(
      reports.flatMap((report) => report.limits),
      ({ tenantId, name, kind }) => `${tenantId} ${name} ${kind}`,
    )
      .map((same) => same.reduce((most, each) => (each.used > most.used ? each : most)))
      .sort((a, b) => b.used / b.limit - a.used / a.limit),
  };
}

function mergeSeries(same: readonly CallSeries[], withHistograms: boolean): CallSeries {
  const first = same[0]!;
  const add = (read: (series: CallSeries) => number) => sum(same.map(read));
  const latency = (read: (series: CallSeries) => Latency | undefined) => mergeLatencies(same.map(read), withHistograms);
  return {
    tenantId: first.tenantId,
    method: first.method,
    status: first.status,
    calls: add(({ calls }) => calls),
    failures: add(({ failures }) => failures),
    requestMessages: add(({ requestMessages }) => requestMessages),
    responseMessages: add(({ responseMessages }) => responseMessages),
    requestBytes: add(({ requestBytes }) => requestBytes),
    responseBytes: add(({ responseBytes }) => responseBytes),
    latency: latency((series) => series.latency),
    backendLatency: latency((series) => series.backendLatency),
    gatewayLatency: latency((series) => series.gatewayLatency),
  };
}

function mergeLatencies(latencies: readonly (Latency | undefined)[], withHistogram: boolean): Latency {
  const distribution = new Distribution();
  for (const latency of latencies) {
    if (latency === undefined) continue;
    const { buckets = [], counts = [] } = latency.histogram ?? {};
    for (const [index, bucket] of buckets.entries()) distribution.add(bucket, counts[index] ?? 0);
    distribution.addExact(fromDuration(latency.sum), fromDuration(latency.max));
  }
  return reportLatency(distribution, withHistogram);
}

/** The worst state counts: a breaker that is open on one gateway is what somebody looks for. */
function mergeBackends(same: readonly BackendMetrics[]): BackendMetrics {
  const worst = same.reduce((a, b) => (severity(b) > severity(a) ? b : a));
  return {
    ...worst,
    outstandingCalls: sum(same.map(({ outstandingCalls }) => outstandingCalls)),
    calls: sum(same.map(({ calls }) => calls)),
    failures: sum(same.map(({ failures }) => failures)),
    connections: sum(same.map(({ connections }) => connections)),
  };
}

/** Closed is 1, open 2, half open 3; the worst is open. */
function severity({ breaker }: BackendMetrics): number {
  return breaker === 2 ? 3 : breaker === 3 ? 2 : breaker;
}

/** Counters add up; of gauges that cannot be known, so the highest is told. */
function mergeInstruments(same: readonly Instrument[]): Instrument {
  const first = same[0]!;
  const samples = mergeBy(
    same.flatMap((instrument) => instrument.samples),
    ({ values }) => values.join('\u0000'),
  ).map((equal) => {
    const all = equal.map(({ value }) => value);
    return { values: equal[0]!.values, value: first.kind === 1 ? sum(all) : all.reduce((a, b) => Math.max(a, b)) };
  });
  return { ...first, samples };
}

function mergeBy<T>(all: readonly T[], keyOf: (one: T) => string): T[][] {
  const groups = new Map<string, T[]>();
  for (const one of all) {
    const key = keyOf(one);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [one]);
    else group.push(one);
  }
  return [...groups.values()];
}

function sum(all: readonly number[]): number {
  return all.reduce((total, each) => total + each, 0);
}

function sumMaps(maps: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const total: Record<string, number> = {};
  for (const map of maps) for (const [key, count] of Object.entries(map)) total[key] = (total[key] ?? 0) + count;
  return total;
}

function extreme(dates: readonly (Date | undefined)[], choose: (...times: number[]) => number): Date | undefined {
  const times = dates.filter((date) => date !== undefined).map((date) => date.getTime());
  return times.length === 0 ? undefined : new Date(choose(...times));
}
