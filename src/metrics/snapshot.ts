import { codeName } from '../grpc/status.ts';
import { COUNTERS, Counter, PARTS, Part } from './counters.ts';
import type { Exemplar } from './exemplars.ts';
import { FAMILIES, HISTOGRAMS } from './families.ts';
import type { GatewayMetrics } from './gateway-metrics.ts';
import { boundOf, HISTOGRAM_BOUNDS } from './histogram-bounds.ts';
import type { Instrument, Sample } from './instruments.ts';
import { OTHER_LABEL } from './label-table.ts';
import type { SeriesTable } from './series-table.ts';

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
/** More than there are numbers for. */
const METHODS = 4096;

/** Reads everything, at once: some 2 us for each series. */
export function takeSnapshot(metrics: GatewayMetrics): FamilySnapshot[] {
  const { table } = metrics;
  if (table.isTouched) metrics.flush();
  return [
    ...takeCounts(table),
    ...takeTimes(metrics),
    ...[...metrics.instruments.list()].map(
      ({ name, kind, help, labels, read }): NumberFamily => ({ name, kind, help, labels, points: [...read()] }),
    ),
  ];
}

/** What was counted for some labels. */
interface Sums {
  readonly labels: readonly string[];
  /** By `Counter`. */
  readonly counters: number[];
}

/** Families of tenants. Those by method hold for all statuses together: a status is told once only, with the calls. */
function takeCounts(table: SeriesTable): FamilySnapshot[] {
  const calls: Sample[] = [];
  const byMethod = new Map<number, Sums>();
  const byTenant = new Map<number, Sums>();
  table.forEach((series) => {
    const tenant = table.tenantOf(series);
    const method = table.methodOf(series);
    const key = tenant * METHODS + method;
    let sums = byMethod.get(key);
    if (sums === undefined) {
      sums = emptySums(table.tenantName(tenant), table.methodName(method));
      byMethod.set(key, sums);
    }
    let ofTenant = byTenant.get(tenant);
    if (ofTenant === undefined) {
      ofTenant = emptySums(table.tenantName(tenant));
      byTenant.set(tenant, ofTenant);
    }
    for (let i = 0; i < COUNTERS; i++) {
      const value = table.counterOf(series, i as Counter);
      sums.counters[i]! += value;
      ofTenant.counters[i]! += value;
    }
    const labels = [...sums.labels, codeName(table.statusOf(series))];
    calls.push({ labels, value: table.counterOf(series, Counter.CALLS) });
  });
  return [
    ...FAMILIES.map(({ counter, name, kind, help }): NumberFamily => {
      if (counter === Counter.CALLS) return { name, kind, help, labels: ['tenant', 'method', 'status'], points: calls };
      const points = [...byMethod.values()].map(({ labels, counters }) => ({ labels, value: counters[counter]! }));
      return { name, kind, help, labels: ['tenant', 'method'], points };
    }),
    {
      name: 'tollgate_tenant_call_duration_seconds',
      kind: 'summary',
      help: 'Time of calls by tenant, from the headers of the request to the end.',
      labels: ['tenant'],
      points: [...byTenant.values()].map(({ labels, counters }) => ({
        labels,
        sum: counters[Counter.TOTAL_MS]! / MS_PER_SECOND,
        count: counters[Counter.CALLS]!,
      })),
    },
  ];
}

function emptySums(...labels: string[]): Sums {
  return { labels, counters: new Array<number>(COUNTERS).fill(0) };
}

/** Times of one method and part. */
interface Times {
  sum: number;
  count: number;
  readonly counts: number[];
}

/** Times by method: those beyond the first few hundred, in the order in which they were first called, are one. */
function takeTimes({ table, maxTimedMethods, exemplars }: GatewayMetrics): HistogramFamily[] {
  const times = new Map<number, Times[]>();
  let parts: Times[] | undefined;
  const add = (part: Part, octave: number, count: number): void => {
    const into = parts![part]!;
    into.counts[boundOf(octave)]! += count;
    into.count += count;
  };
  table.forEach((series) => {
    const number = table.methodOf(series);
    const method = number > maxTimedMethods ? OTHER_LABEL : number;
    parts = times.get(method);
    if (parts === undefined) {
      parts = Array.from({ length: PARTS }, emptyTimes);
      times.set(method, parts);
    }
    table.forEachOctave(series, add);
    for (let part = 0; part < PARTS; part++) {
      parts[part]!.sum += table.counterOf(series, (Counter.TOTAL_MS + part) as Counter) / MS_PER_SECOND;
    }
  });
  return HISTOGRAMS.map(({ part, name, help }) => {
    const points = [...times].map(([number, parts]): HistogramPoint => {
      const method = table.methodName(number);
      const { sum, count, counts } = parts[part]!;
      const ofBuckets = part === Part.TOTAL ? counts.map((_, bucket) => exemplars.find(method, bucket)) : [];
      return { labels: [method], sum, count, counts, exemplars: ofBuckets };
    });
    return { name, kind: 'histogram', help, labels: ['method'], points };
  });
}

function emptyTimes(): Times {
  return { sum: 0, count: 0, counts: new Array<number>(HISTOGRAM_BOUNDS.length + 1).fill(0) };
}
