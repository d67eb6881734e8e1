import type { Duration } from '../../generated/google/protobuf/duration.ts';
import type { CallSeries, Latency } from '../../generated/tollgate/metrics/v1/metrics.ts';
import { Counter, Part } from './counters.ts';
import type { Distribution } from './distribution.ts';
import type { Group, ReadLatency } from './query.ts';

/** A group of series as the services tell it. */
export function reportSeries(group: Group, latency: ReadLatency, withHistograms: boolean): CallSeries {
  const { tenantId, method, status, counters, failures } = group;
  const read = (part: Part) => reportLatency(latency(group, part), withHistograms);
  return {
    tenantId,
    method,
    status,
    calls: counters[Counter.CALLS]!,
    failures,
    latency: read(Part.TOTAL),
    requestMessages: counters[Counter.REQUEST_MESSAGES]!,
    responseMessages: counters[Counter.RESPONSE_MESSAGES]!,
    requestBytes: counters[Counter.REQUEST_OCTETS]!,
    responseBytes: counters[Counter.RESPONSE_OCTETS]!,
    backendLatency: read(Part.BACKEND),
    gatewayLatency: read(Part.GATEWAY),
  };
}

const SHARES = [0.5, 0.9, 0.99];

export function reportLatency(distribution: Distribution, withHistogram: boolean): Latency {
  const [p50 = 0, p90 = 0, p99 = 0] = distribution.quantiles(SHARES);
  return {
    p50: toDuration(p50),
    p90: toDuration(p90),
    p99: toDuration(p99),
    max: toDuration(distribution.max),
    sum: toDuration(distribution.sum),
    count: distribution.count,
    histogram: withHistogram ? reportHistogram(distribution) : undefined,
  };
}

function reportHistogram(distribution: Distribution): NonNullable<Latency['histogram']> {
  const buckets: number[] = [];
  const counts: number[] = [];
  distribution.forEach((bucket, count) => {
    buckets.push(bucket);
    counts.push(count);
  });
  return { buckets, counts };
}

/** @param ms milliseconds */
export function toDuration(ms: number): Duration {
  const seconds = Math.floor(ms / 1000);
  // `%` of numbers that are not whole costs more than all else here.
  const nanos = Math.round((ms - seconds * 1000) * 1e6);
  const carry = nanos >= 1e9 ? 1 : 0;
  return { seconds: seconds + carry, nanos: nanos - carry * 1e9 };
}

/** Milliseconds. */
export function fromDuration(duration: Duration | undefined): number {
  return duration === undefined ? 0 : duration.seconds * 1000 + duration.nanos / 1e6;
}
