import { BUCKETS } from './buckets.ts';
import { Counter, PARTS, Part } from './counters.ts';
import type { Exemplar } from './exemplars.ts';
import { FAMILIES, HISTOGRAMS } from './families.ts';
import type { GatewayMetrics } from './gateway-metrics.ts';
import { boundOf, HISTOGRAM_BOUNDS } from './histogram-bounds.ts';
import type { Instrument, Sample } from './instruments.ts';
import { OTHER_LABEL } from './label-table.ts';

/** All families as they were at one moment, so that sums agree, whatever they are written as afterwards, and however slowly. */
export type FamilySnapshot = NumberFamily | SummaryFamily | HistogramFamily;

interface FamilyHead {
  /** By Prometheus' conventions, without `_total`. */
  readonly name: string;
  readonly help: string;
  /** Names of the labels; points have their values in this order. */
  readonly labels: readonly string[];
}

export interface NumberFamily extends FamilyHead {
  readonly kind: Instrument['kind'];
  readonly points: readonly Sample[];
}

/** How long, and how often; no quantiles. */
export interface SummaryFamily extends FamilyHead {
  readonly kind: 'summary';
  readonly points: readonly SummaryPoint[];
}

export interface SummaryPoint {
  readonly labels: readonly string[];
  /** Seconds. */
  readonly sum: number;
  readonly count: number;
}

export interface HistogramFamily extends FamilyHead {
  readonly kind: 'histogram';
  readonly points: readonly HistogramPoint[];
}

export interface HistogramPoint extends SummaryPoint {
  /** By bucket, each for itself: up to the first of `HISTOGRAM_BOUNDS`, ..., above the last. */
  readonly counts: readonly number[];
  /** By bucket, where there is one. */
  readonly exemplars: readonly (Exemplar | undefined)[];
}

const MS_PER_SECOND = 1000;

/** Reads everything, at once. */
export function takeSnapshot(metrics: GatewayMetrics): FamilySnapshot[] {
  const { groups } = metrics.totals();
  const byMethod = metrics.totals({ groupBy: ['tenant', 'method'] }).groups;
  const byTenant = metrics.totals({ groupBy: ['tenant'] }).groups;
  const times = takeTimes(metrics);
  return [
    ...FAMILIES.map(({ counter, name, kind, help }): NumberFamily => {
      if (counter !== Counter.CALLS) {
        const points = byMethod.map(({ tenantId, method, counters }) => ({
          labels: [tenantId, method],
          value: counters[counter]!,
        }));
        return { name, kind, help, labels: ['tenant', 'method'], points };
      }
      const points = groups.map(({ tenantId, method, status, counters }) => ({
        labels: [tenantId, method, status],
        value: counters[counter]!,
      }));
      return { name, kind, help, labels: ['tenant', 'method', 'status'], points };
    }),
    {
      name: 'tollgate_tenant_call_duration_seconds',
      kind: 'summary',
      help: 'Time of calls by tenant, from the headers of the request to the end.',
      labels: ['tenant'],
      points: byTenant.map(({ tenantId, counters }) => ({
        labels: [tenantId],
        sum: counters[Counter.TOTAL_MS]! / MS_PER_SECOND,
        count: counters[Counter.CALLS]!,
      })),
    },
    ...HISTOGRAMS.map(({ part, name, help }): HistogramFamily => {
      const points = times.map(({ method, parts }) => {
        const { sum, count, counts } = parts[part]!;
        const exemplars = part === Part.TOTAL ? counts.map((_, bucket) => metrics.exemplars.find(method, bucket)) : [];
        return { labels: [method], sum, count, counts, exemplars };
      });
      return { name, kind: 'histogram', help, labels: ['method'], points };
    }),
    ...[...metrics.instruments.list()].map(
      ({ name, kind, help, labels, read }): NumberFamily => ({ name, kind, help, labels, points: [...read()] }),
    ),
  ];
}

/** Times of one method. */
interface MethodTimes {
  readonly method: string;
  /** By part. */
  readonly parts: readonly { sum: number; count: number; readonly counts: number[] }[];
}

/** Times by method: those beyond the first few hundred, in the order in which they were first called, are one. */
function takeTimes(metrics: GatewayMetrics): MethodTimes[] {
  const { table } = metrics;
  const times = new Map<number, MethodTimes>();
  table.forEach((series) => {
    const number = table.methodOf(series);
    const method = number > metrics.maxTimedMethods ? OTHER_LABEL : number;
    let found = times.get(method);
    if (found === undefined) {
      const zeros = () => new Array<number>(HISTOGRAM_BOUNDS.length + 1).fill(0);
      const parts = Array.from({ length: PARTS }, () => ({ sum: 0, count: 0, counts: zeros() }));
      found = { method: table.methodName(method), parts };
      times.set(method, found);
    }
    found.parts.forEach((times, part) => {
      table.forEachBucket(series, part as Part, (bucket, count) => {
        times.counts[boundOf(bucket < BUCKETS ? bucket : 0)]! += count;
        times.count += count;
      });
      times.sum += table.counterOf(series, (Counter.TOTAL_MS + part) as Counter) / MS_PER_SECOND;
    });
  });
  return [...times.values()];
}
