import type { Duration } from '../../generated/google/protobuf/duration.ts';
import { CallSeries, Latency } from '../../generated/tollgate/metrics/v1/metrics.ts';
import { Counter, Part } from './counters.ts';
import type { Distribution } from './distribution.ts';
import type { Selection } from './query.ts';

/** A group of calls as the services tell it. @param into filled anew, where the one before is not needed any more */
export function reportSeries(
  { groups, latency }: Pick<Selection, 'groups' | 'latency'>,
  group: number,
  withHistograms: boolean,
  into: CallSeries = emptySeries(),
): CallSeries {
  const { tenantId, method, status } = groups.labelsOf(group);
  into.tenantId = tenantId;
  into.method = method;
  into.status = status;
  into.calls = groups.counterOf(group, Counter.CALLS);
  into.failures = groups.failuresOf(group);
  into.requestMessages = groups.counterOf(group, Counter.REQUEST_MESSAGES);
  into.responseMessages = groups.counterOf(group, Counter.RESPONSE_MESSAGES);
  into.requestBytes = groups.counterOf(group, Counter.REQUEST_OCTETS);
  into.responseBytes = groups.counterOf(group, Counter.RESPONSE_OCTETS);
  into.latency = reportLatency(latency(group, Part.TOTAL), withHistograms, into.latency);
  into.backendLatency = reportLatency(latency(group, Part.BACKEND), withHistograms, into.backendLatency);
  into.gatewayLatency = reportLatency(latency(group, Part.GATEWAY), withHistograms, into.gatewayLatency);
  return into;
}

/** For `reportSeries` to fill, again and again: a thousand series are thirty thousand objects otherwise. */
export function emptySeries(): CallSeries {
  return CallSeries.fromPartial({});
}

const SHARES = [0.5, 0.9, 0.99];
/** Quantiles of one distribution. */
const found = new Float64Array(SHARES.length);

export function reportLatency(
  distribution: Distribution,
  withHistogram: boolean,
  into: Latency = Latency.fromPartial({}),
): Latency {
  distribution.quantiles(SHARES, found);
  into.p50 = toDuration(found[0]!, into.p50);
  into.p90 = toDuration(found[1]!, into.p90);
  into.p99 = toDuration(found[2]!, into.p99);
  into.max = toDuration(distribution.max, into.max);
  into.sum = toDuration(distribution.sum, into.sum);
  into.count = distribution.count;
  into.histogram = withHistogram ? reportHistogram(distribution) : undefined;
  return into;
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

/** @param ms milliseconds @param into filled anew */
export function toDuration(ms: number, into: Duration = { seconds: 0, nanos: 0 }): Duration {
  const seconds = Math.floor(ms / 1000);
  // `%` of numbers that are not whole costs more than all else here.
  const nanos = Math.round((ms - seconds * 1000) * 1e6);
  const carry = nanos >= 1e9 ? 1 : 0;
  into.seconds = seconds + carry;
  into.nanos = nanos - carry * 1e9;
  return into;
}

/** Milliseconds. */
export function fromDuration(duration: Duration | undefined): number {
  return duration === undefined ? 0 : duration.seconds * 1000 + duration.nanos / 1e6;
}
