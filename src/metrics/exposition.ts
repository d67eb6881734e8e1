import { BUCKETS, OCTAVES, octaveOf, octaveStart } from './buckets.ts';
import { Counter, PARTS, Part } from './counters.ts';
import type { Exemplar, Exemplars } from './exemplars.ts';
import { FAMILIES, type Family, HISTOGRAMS } from './families.ts';
import type { GatewayMetrics } from './gateway-metrics.ts';
import type { Instrument } from './instruments.ts';
import { OTHER_LABEL } from './label-table.ts';

/** The two text formats of Prometheus. */
export type TextFormat = 'openmetrics' | 'prometheus';

export const CONTENT_TYPES: Readonly<Record<TextFormat, string>> = {
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
  prometheus: 'text/plain; version=0.0.4; charset=utf-8',
};

/** Bounds of a histogram are those of octaves, where counts are exact: from 256 us to 67 s, each twice the one before. */
const FIRST_BOUND = 20;
const BOUNDS = 19;
const MS_PER_SECOND = 1000;

/** A line of a family, as it is when the text is begun. */
interface Line {
  readonly labels: string;
  readonly value: number;
}

/**
 * The text of all metrics, in pieces of lines. What it says is read when the first line is asked for, at once, so that sums
 * agree; it is written as pieces are taken.
 * @see https://prometheus.io/docs/specs/om/open_metrics_spec/
 */
export function* writeMetrics(metrics: GatewayMetrics, format: TextFormat): Generator<string> {
  const snapshot = takeSnapshot(metrics);
  for (const [family, lines] of snapshot.calls) {
    yield writeHead(family.name, family.kind, family.help, format);
    const suffix = family.kind === 'counter' ? '_total' : '';
    for (const { labels, value } of lines) yield `${family.name}${suffix}${labels} ${formatNumber(value)}\n`;
  }
  yield* writeTenantTimes(snapshot, format);
  for (const part of HISTOGRAMS) yield* writeHistogram(snapshot, part, metrics.exemplars, format);
  for (const instrument of snapshot.instruments) {
    const { name, kind } = instrument.instrument;
    yield writeHead(name, kind, instrument.instrument.help, format);
    const suffix = kind === 'counter' ? '_total' : '';
    for (const { labels, value } of instrument.lines) yield `${name}${suffix}${labels} ${formatNumber(value)}\n`;
  }
  if (format === 'openmetrics') yield '# EOF\n';
}

/** Packs lines into pieces of at most so many octets. */
export function* inPieces(lines: Iterable<string>, maxOctets: number): Generator<Buffer> {
  let text: string[] = [];
  let octets = 0;
  for (const line of lines) {
    const size = Buffer.byteLength(line);
    if (octets + size > maxOctets && octets > 0) {
      yield Buffer.from(text.join(''));
      text = [];
      octets = 0;
    }
    text.push(line);
    octets += size;
  }
  if (octets > 0) yield Buffer.from(text.join(''));
}

/** Times of one method, in octaves. */
interface MethodTimes {
  readonly method: string;
  /** By part, then by octave. */
  readonly octaves: Float64Array;
  /** By part: seconds, and calls. */
  readonly sums: number[];
  readonly counts: number[];
}

interface Snapshot {
  readonly calls: readonly (readonly [Family, Line[]])[];
  readonly tenants: readonly { readonly labels: string; readonly seconds: number; readonly calls: number }[];
  readonly methods: readonly MethodTimes[];
  readonly instruments: readonly { readonly instrument: Instrument; readonly lines: readonly Line[] }[];
}

function takeSnapshot(metrics: GatewayMetrics): Snapshot {
  const { groups } = metrics.totals();
  const byMethod = metrics.totals({ groupBy: ['tenant', 'method'] }).groups;
  const calls = FAMILIES.map((family): [Family, Line[]] => [
    family,
    (family.counter === Counter.CALLS ? groups : byMethod).map(({ tenantId, method, status, counters }) => ({
      labels:
        family.counter === Counter.CALLS
          ? labelsOf({ tenant: tenantId, method, status })
          : labelsOf({ tenant: tenantId, method }),
      value: counters[family.counter]!,
    })),
  ]);
  const tenants = metrics.totals({ groupBy: ['tenant'] }).groups.map(({ tenantId, counters }) => ({
    labels: labelsOf({ tenant: tenantId }),
    seconds: counters[Counter.TOTAL_MS]! / MS_PER_SECOND,
    calls: counters[Counter.CALLS]!,
  }));
  const instruments = [...metrics.instruments.list()].map((instrument) => ({
    instrument,
    lines: [...instrument.read()].map(({ labels, value }) => ({
      labels: labelsOf(Object.fromEntries(instrument.labels.map((name, index) => [name, labels[index] ?? '']))),
      value,
    })),
  }));
  return { calls, tenants, methods: takeTimes(metrics), instruments };
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
      const zeros = () => new Array<number>(PARTS).fill(0);
      found = {
        method: table.methodName(method),
        octaves: new Float64Array(PARTS * OCTAVES),
        sums: zeros(),
        counts: zeros(),
      };
      times.set(method, found);
    }
    const { octaves, sums, counts } = found;
    for (let part = 0; part < PARTS; part++) {
      table.forEachBucket(series, part as Part, (bucket, count) => {
        octaves[part * OCTAVES + octaveOf(bucket < BUCKETS ? bucket : 0)]! += count;
        counts[part]! += count;
      });
      sums[part]! += table.counterOf(series, (Counter.TOTAL_MS + part) as Counter) / MS_PER_SECOND;
    }
  });
  return [...times.values()];
}

function* writeTenantTimes({ tenants }: Snapshot, format: TextFormat): Generator<string> {
  const name = 'tollgate_tenant_call_duration_seconds';
  yield writeHead(name, 'summary', 'Time of calls by tenant, from the headers of the request to the end.', format);
  for (const { labels, seconds, calls } of tenants) {
    yield `${name}_sum${labels} ${formatNumber(seconds)}\n${name}_count${labels} ${formatNumber(calls)}\n`;
  }
}

function* writeHistogram(
  { methods }: Snapshot,
  { part, name, help }: (typeof HISTOGRAMS)[number],
  exemplars: Exemplars,
  format: TextFormat,
): Generator<string> {
  yield writeHead(name, 'histogram', help, format);
  for (const { method, octaves, sums, counts } of methods) {
    const lines: string[] = [];
    let count = 0;
    let octave = 0;
    for (let bound = FIRST_BOUND; bound <= FIRST_BOUND + BOUNDS; bound++) {
      const isLast = bound === FIRST_BOUND + BOUNDS;
      const last = isLast ? OCTAVES : bound;
      for (; octave < last; octave++) count += octaves[part * OCTAVES + octave]!;
      const le = isLast ? '+Inf' : formatBound(octaveStart(bound) / MS_PER_SECOND);
      const exemplar =
        format === 'openmetrics' && part === Part.TOTAL ? exemplars.find(method, bound - FIRST_BOUND) : undefined;
      lines.push(`${name}_bucket${labelsOf({ method, le })} ${formatNumber(count)}${writeExemplar(exemplar)}\n`);
    }
    const labels = labelsOf({ method });
    lines.push(`${name}_sum${labels} ${formatNumber(sums[part]!)}\n`);
    lines.push(`${name}_count${labels} ${formatNumber(counts[part]!)}\n`);
    yield lines.join('');
  }
}

/** In which bucket of the text a duration is, for exemplars. */
export function boundOf(bucket: number): number {
  return Math.min(Math.max(octaveOf(bucket) + 1 - FIRST_BOUND, 0), BOUNDS);
}

export const EXEMPLAR_BOUNDS = BOUNDS + 1;

function writeExemplar(exemplar: Exemplar | undefined): string {
  if (exemplar === undefined) return '';
  const { traceId, ms, at } = exemplar;
  return ` # {trace_id="${escapeLabel(traceId)}"} ${formatNumber(ms / MS_PER_SECOND)} ${(at / 1000).toFixed(3)}`;
}

function writeHead(name: string, kind: string, help: string, format: TextFormat): string {
  // The older format names a counter with its suffix.
  const told = format === 'prometheus' && kind === 'counter' ? `${name}_total` : name;
  return `# HELP ${told} ${help.replace(/\\/g, '\\\\').replace(/\n/g, '\\n')}\n# TYPE ${told} ${kind}\n`;
}

function labelsOf(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escapeLabel(value: string): string {
  return /[\\"\n]/.test(value) ? value.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n') : value;
}

function formatNumber(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value);
}

/** OpenMetrics has floats for bounds: `1.0`, not `1`. */
function formatBound(seconds: number): string {
  const text = String(seconds);
  return /[.e]/.test(text) ? text : `${text}.0`;
}

/** What a client that says `Accept` so is given. */
export function formatFor(accept: string): TextFormat {
  return /application\/openmetrics-text/i.test(accept) ? 'openmetrics' : 'prometheus';
}
