import type { HistogramDataPoint, Metric, NumberDataPoint } from 'otlp-protos/build/src/generated/root.js';
import { record } from './otlp-attributes.ts';

type Attributes = Readonly<Record<string, string | number | boolean>>;

/** A point as a collector gets it. */
export interface CollectedPoint {
  readonly name: string;
  readonly kind: 'gauge' | 'cumulative counter' | 'cumulative histogram' | 'other';
  readonly unit: string;
  readonly description: string;
  readonly attributes: Attributes;
  readonly resource: Attributes;
  /** Of a histogram, its sum. */
  readonly value: number;
  readonly histogram?: {
    readonly count: number;
    readonly counts: readonly number[];
    readonly bounds: readonly number[];
  };
  /** Nanoseconds since the epoch. */
  readonly start: bigint;
  readonly time: bigint;
}

/** opentelemetry.proto.metrics.v1.AggregationTemporality. */
const CUMULATIVE = 2;

/** The last of each point, by name and attributes. */
export class CollectedMetrics {
  readonly #points = new Map<string, CollectedPoint>();
  /** Points of each request. */
  readonly requests: number[] = [];

  take(metrics: readonly Metric[], resource: Attributes): void {
    const points = metrics.flatMap((metric) => toPoints(metric, resource));
    this.requests.push(points.length);
    for (const point of points) this.#points.set(`${point.name} ${JSON.stringify(point.attributes)}`, point);
  }

  get names(): string[] {
    return [...new Set([...this.#points.values()].map(({ name }) => name))];
  }

  /** Those of a family that have these attributes, and may have others. */
  find(name: string, attributes: Attributes = {}): CollectedPoint[] {
    return [...this.#points.values()].filter(
      (point) =>
        point.name === name && Object.entries(attributes).every(([key, value]) => point.attributes[key] === value),
    );
  }

  sum(name: string, attributes: Attributes = {}): number {
    return this.find(name, attributes).reduce((sum, { value }) => sum + value, 0);
  }
}

function toPoints({ name, unit, description, gauge, sum, histogram }: Metric, resource: Attributes): CollectedPoint[] {
  const common = (point: NumberDataPoint | HistogramDataPoint) => ({
    name,
    // An empty one is not sent.
    unit: unit ?? '',
    description,
    resource,
    attributes: record(point.attributes),
    start: BigInt(point.startTimeUnixNano.toString()),
    time: BigInt(point.timeUnixNano.toString()),
  });
  const isCounter = sum?.isMonotonic === true && sum.aggregationTemporality === CUMULATIVE;
  const numbers = (kind: CollectedPoint['kind'], points: readonly NumberDataPoint[] = []) =>
    points.map((point) => ({ ...common(point), kind, value: point.asDouble ?? Number(point.asInt) }));
  const isCumulative = histogram?.aggregationTemporality === CUMULATIVE;
  return [
    ...numbers('gauge', gauge?.dataPoints),
    ...numbers(isCounter ? 'cumulative counter' : 'other', sum?.dataPoints),
    ...(histogram?.dataPoints ?? []).map((point) => ({
      ...common(point),
      kind: isCumulative ? ('cumulative histogram' as const) : ('other' as const),
      value: point.sum,
      histogram: {
        count: Number(point.count),
        counts: point.bucketCounts.map(Number),
        bounds: point.explicitBounds,
      },
    })),
  ];
}
