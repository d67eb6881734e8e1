import { type HrTime, ValueType } from '@opentelemetry/api';
import {
  AggregationTemporality,
  type DataPoint,
  DataPointType,
  type Histogram,
  type MetricData,
} from '@opentelemetry/sdk-metrics';
import { HISTOGRAM_BOUNDS } from '../../metrics/histogram-bounds.ts';
import type { FamilySnapshot, HistogramPoint, SummaryPoint } from '../../metrics/snapshot.ts';

/** Between which moments points were counted. Unix milliseconds. */
export interface Period {
  readonly startTime: number;
  readonly endTime: number;
}

/**
 * Families as OpenTelemetry has them, in batches of at most so many points; a family may go on in the next batch. Names and
 * units are such that a collector's own exporter for Prometheus names them as `/metrics` does. What is counted is cumulative: a
 * round that is lost is made good by the next.
 */
export function* toBatches(
  families: Iterable<FamilySnapshot>,
  period: Period,
  maxPoints: number,
): Generator<MetricData[]> {
  let batch: MetricData[] = [];
  let room = maxPoints;
  for (const family of families) {
    for (let from = 0; from < family.points.length; ) {
      const to = Math.min(from + room, family.points.length);
      batch.push(toMetric(family, from, to, period));
      room -= to - from;
      from = to;
      if (room > 0) continue;
      yield batch;
      batch = [];
      room = maxPoints;
    }
  }
  if (batch.length > 0) yield batch;
}

/** Of a family, the points from one place to another. */
function toMetric(family: FamilySnapshot, from: number, to: number, period: Period): MetricData {
  const { name, help } = family;
  const common = {
    descriptor: { name, description: help, unit: unitOf(name), valueType: ValueType.DOUBLE },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
  };
  const toPoints = <P extends { readonly labels: readonly string[] }, V>(
    points: readonly P[],
    value: (point: P) => V,
  ): DataPoint<V>[] => {
    const times = { startTime: toTime(period.startTime), endTime: toTime(period.endTime) };
    return points.slice(from, to).map((point) => ({
      ...times,
      attributes: Object.fromEntries(family.labels.map((label, index) => [label, point.labels[index] ?? ''])),
      value: value(point),
    }));
  };
  switch (family.kind) {
    case 'counter': {
      const dataPoints = toPoints(family.points, ({ value }) => value);
      return { ...common, dataPointType: DataPointType.SUM, isMonotonic: true, dataPoints };
    }
    case 'gauge':
      return {
        ...common,
        dataPointType: DataPointType.GAUGE,
        dataPoints: toPoints(family.points, ({ value }) => value),
      };
    case 'summary':
      return { ...common, dataPointType: DataPointType.HISTOGRAM, dataPoints: toPoints(family.points, withoutBuckets) };
    case 'histogram':
      return { ...common, dataPointType: DataPointType.HISTOGRAM, dataPoints: toPoints(family.points, toHistogram) };
  }
}

function toHistogram({ sum, count, counts }: HistogramPoint): Histogram {
  return { sum, count, buckets: { boundaries: [...HISTOGRAM_BOUNDS], counts: [...counts] } };
}

/** Summaries are for old systems only (OpenTelemetry's metrics data model); a histogram of one bucket says the same. */
function withoutBuckets({ sum, count }: SummaryPoint): Histogram {
  return { sum, count, buckets: { boundaries: [], counts: [count] } };
}

const UNITS = [
  ['_seconds', 's'],
  ['_bytes', 'By'],
  ['_ratio', '1'],
] as const;

/** By UCUM, which is what the name's end says by Prometheus' conventions. */
function unitOf(name: string): string {
  return UNITS.find(([end]) => name.endsWith(end))?.[1] ?? '';
}

function toTime(ms: number): HrTime {
  const seconds = Math.floor(ms / 1000);
  return [seconds, Math.round((ms - seconds * 1000) * 1e6)];
}
