import type { Sample } from './measure.ts';

/** All rounds of one load at one proxy. */
export interface Row {
  readonly name: string;
  readonly samples: readonly Sample[];
  /** Resident octets of the process tree after the last round. */
  readonly residentOctets: number;
  /** Why there are no samples, when there are none. */
  readonly failure: string | undefined;
}

const REFERENCE = 'HAProxy';
const MIB = 2 ** 20;

/** The rows of one load as a Markdown table. */
export function loadTable(title: string, rows: readonly Row[]): string {
  const reference = rows.find((row) => row.name === REFERENCE && row.samples.length > 0);
  const percentiles = rows.some((row) => row.samples.some((sample) => sample.p99Ms !== undefined));
  const latency = percentiles ? 'p50 / p99 ms' : 'mean ms';
  const lines = [
    `**${title}**`,
    '',
    `| proxy | CPU us/request | min to max | x ${REFERENCE} | requests/s | ${latency} | RSS MiB |`,
    '|---|---:|---:|---:|---:|---:|---:|',
    ...rows.map((row) => `| ${rowCells(row, reference).join(' | ')} |`),
  ];
  return lines.join('\n');
}

function rowCells(row: Row, reference: Row | undefined): string[] {
  if (row.samples.length === 0) return [row.name, `failed: ${row.failure ?? 'not measured'}`, '', '', '', '', ''];
  const cpu = row.samples.map((sample) => sample.cpuMicrosPerRequest);
  const ratio = reference === undefined ? '' : `${(medianCpu(row) / medianCpu(reference)).toFixed(2)}`;
  return [
    row.name,
    digits(median(cpu)),
    `${digits(Math.min(...cpu))} to ${digits(Math.max(...cpu))}`,
    ratio,
    String(Math.round(median(row.samples.map((sample) => sample.requestsPerSecond)))),
    latencyCell(row.samples),
    String(Math.round(row.residentOctets / MIB)),
  ];
}

function latencyCell(samples: readonly Sample[]): string {
  const of = (pick: (sample: Sample) => number | undefined) => samples.map(pick).filter((value) => value !== undefined);
  const means = of((sample) => sample.meanMs);
  if (means.length > 0) return median(means).toFixed(2);
  const p50 = median(of((sample) => sample.p50Ms));
  return `${p50.toFixed(2)} / ${median(of((sample) => sample.p99Ms)).toFixed(2)}`;
}

function medianCpu(row: Row): number {
  return median(row.samples.map((sample) => sample.cpuMicrosPerRequest));
}

/** The median; of an even count, the mean of the middle two. NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle) - 1]!) / 2;
}

/** Three digits, not more. */
function digits(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toFixed(value >= 10 ? 1 : 2);
}
