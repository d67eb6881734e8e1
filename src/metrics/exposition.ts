import type { Exemplar } from './exemplars.ts';
import type { GatewayMetrics } from './gateway-metrics.ts';
import { HISTOGRAM_BOUNDS } from './histogram-bounds.ts';
import {
  type FamilySnapshot,
  type HistogramFamily,
  type NumberFamily,
  type SummaryFamily,
  takeSnapshot,
} from './snapshot.ts';

/** The two text formats of Prometheus. */
export type TextFormat = 'openmetrics' | 'prometheus';

export const CONTENT_TYPES: Readonly<Record<TextFormat, string>> = {
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
  prometheus: 'text/plain; version=0.0.4; charset=utf-8',
};

const MS_PER_SECOND = 1000;

/**
 * The text of all metrics, in pieces of lines. What it says is read when the first line is asked for, at once, so that sums
 * agree; it is written as pieces are taken.
 * @see https://prometheus.io/docs/specs/om/open_metrics_spec/
 */
export function* writeMetrics(metrics: GatewayMetrics, format: TextFormat): Generator<string> {
  for (const family of takeSnapshot(metrics)) {
    yield writeHead(family, format);
    yield* writePoints(family, format);
  }
  if (format === 'openmetrics') yield '# EOF\n';
}

function writePoints(family: FamilySnapshot, format: TextFormat): Generator<string> {
  switch (family.kind) {
    case 'summary':
      return writeSummary(family);
    case 'histogram':
      return writeHistogram(family, format);
    default:
      return writeNumbers(family);
  }
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

function* writeNumbers({ name, kind, labels, points }: NumberFamily): Generator<string> {
  const suffix = kind === 'counter' ? '_total' : '';
  for (const point of points)
    yield `${name}${suffix}${writeLabels(labels, point.labels)} ${formatNumber(point.value)}\n`;
}

function* writeSummary({ name, labels, points }: SummaryFamily): Generator<string> {
  for (const { labels: values, sum, count } of points) {
    const told = writeLabels(labels, values);
    yield `${name}_sum${told} ${formatNumber(sum)}\n${name}_count${told} ${formatNumber(count)}\n`;
  }
}

function* writeHistogram({ name, labels, points }: HistogramFamily, format: TextFormat): Generator<string> {
  for (const { labels: values, sum, count, counts, exemplars } of points) {
    let below = 0;
    const lines = counts.map((some, bucket) => {
      below += some;
      const bound = HISTOGRAM_BOUNDS[bucket];
      const le = bound === undefined ? '+Inf' : formatBound(bound);
      const exemplar = format === 'openmetrics' ? exemplars[bucket] : undefined;
      const told = writeLabels([...labels, 'le'], [...values, le]);
      return `${name}_bucket${told} ${formatNumber(below)}${writeExemplar(exemplar)}\n`;
    });
    const told = writeLabels(labels, values);
    lines.push(`${name}_sum${told} ${formatNumber(sum)}\n`, `${name}_count${told} ${formatNumber(count)}\n`);
    yield lines.join('');
  }
}

function writeExemplar(exemplar: Exemplar | undefined): string {
  if (exemplar === undefined) return '';
  const { traceId, ms, at } = exemplar;
  return ` # {trace_id="${escapeLabel(traceId.text)}"} ${formatNumber(ms / MS_PER_SECOND)} ${(at / 1000).toFixed(3)}`;
}

function writeHead({ name, kind, help }: FamilySnapshot, format: TextFormat): string {
  // The older format names a counter with its suffix.
  const told = format === 'prometheus' && kind === 'counter' ? `${name}_total` : name;
  return `# HELP ${told} ${help.replace(/\\/g, '\\\\').replace(/\n/g, '\\n')}\n# TYPE ${told} ${kind}\n`;
}

function writeLabels(names: readonly string[], values: readonly string[]): string {
  const pairs = names.map((name, index) => `${name}="${escapeLabel(values[index] ?? '')}"`);
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
