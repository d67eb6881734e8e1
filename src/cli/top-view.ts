import {
  BackendMetrics_BreakerState as BreakerState,
  type CallSeries,
  type GetMetricsResponse,
  LimitUse_Kind as Kind,
  type LimitUse,
} from '../../generated/tollgate/metrics/v1/metrics.ts';
import { fromDuration } from '../metrics/series-report.ts';
import { formatDuration, formatPerSecond } from './format-rates.ts';
import { escapeControls } from './table.ts';

/** What rows are ordered by, and the key that says so. */
export const SORTS = {
  calls: { key: 'c', of: ({ calls }: CallSeries) => calls },
  failures: { key: 'f', of: ({ failures }: CallSeries) => failures },
  p50: { key: '5', of: ({ latency }: CallSeries) => fromDuration(latency?.p50) },
  p99: { key: '9', of: ({ latency }: CallSeries) => fromDuration(latency?.p99) },
  bytes: { key: 'b', of: ({ requestBytes, responseBytes }: CallSeries) => requestBytes + responseBytes },
} as const;
export type Sort = keyof typeof SORTS;

export const GROUPS = {
  tenant: { key: 't', labels: ['tenant'] },
  method: { key: 'm', labels: ['method'] },
  both: { key: 'a', labels: ['tenant', 'method'] },
} as const;
export type Grouping = keyof typeof GROUPS;

/** What is shown: an interval, and what was refused in it. */
export interface TopState {
  readonly address: string;
  readonly metrics: GetMetricsResponse;
  /** Seconds that the counts are of. */
  readonly seconds: number;
  readonly refusals: ReadonlyMap<string, number>;
  readonly sort: Sort;
  readonly by: Grouping;
}

const LIMITS_SHOWN = 5;
/** Of a limit's use, from when on it is worth a line. */
const NEAR = 0.5;
const KEYS = 'sort: c calls  f failures  5 p50  9 p99  b bytes   by: t tenant  m method  a both   q quit';

/**
 * The view as lines, none longer than the terminal is wide and no more than it is high. @param rows undefined: all of it, and no
 * keys: it is not a terminal
 */
export function renderTop(state: TopState, columns: number, rows: number | undefined): string[] {
  const head = [...renderHead(state), ''];
  const foot = [...renderLimits(state), ...renderBackends(state), ...(rows === undefined ? [] : ['', KEYS])];
  const room = rows === undefined ? Number.POSITIVE_INFINITY : Math.max(2, rows - head.length - foot.length - 1);
  const table = renderSeries(state, columns, room);
  const lines = [...head, ...table, '', ...foot].map((line) => line.slice(0, columns).trimEnd());
  return rows === undefined ? lines : lines.slice(0, rows);
}

function renderHead({ address, metrics, seconds, refusals, sort, by }: TopState): string[] {
  const { series, gateways } = metrics;
  const sum = (of: (series: CallSeries) => number) => series.reduce((all, each) => all + of(each), 0);
  const answered = gateways.filter((gateway) => gateway.answered).length;
  const silent = gateways.length - answered;
  const who =
    gateways.length <= 1 ? address : `${address}, ${answered} gateways${silent > 0 ? ` (${silent} silent)` : ''}`;
  const refused = [...refusals]
    .sort((a, b) => b[1] - a[1])
    .map(([reason, n]) => `${reason} ${formatPerSecond(n / seconds)}`);
  return [
    `tollgate top   ${who}   ${seconds.toFixed(1)} s   by ${by === 'both' ? 'tenant and method' : by}, sorted by ${sort}`,
    [
      `calls/s ${formatPerSecond(sum(({ calls }) => calls) / seconds)}`,
      `failed/s ${formatPerSecond(sum(({ failures }) => failures) / seconds)}`,
      `in ${formatPerSecond(sum(({ requestBytes }) => requestBytes) / seconds)}B/s`,
      `out ${formatPerSecond(sum(({ responseBytes }) => responseBytes) / seconds)}B/s`,
      `refused/s ${refused.length === 0 ? '0' : refused.join(', ')}`,
    ].join('   '),
  ];
}

function renderSeries({ metrics, seconds, sort, by }: TopState, columns: number, room: number): string[] {
  const labels = GROUPS[by].labels;
  const ordered = [...metrics.series].sort((a, b) => SORTS[sort].of(b) - SORTS[sort].of(a));
  const shown = ordered.slice(0, ordered.length < room ? room : Math.max(1, room - 2));
  const numbers = ['CALLS/S', 'FAILED/S', 'P50', 'P99', 'GATEWAY P99', 'IN B/S', 'OUT B/S'];
  const cells = shown.map((series) => [
    ...labels.map((label) => escapeControls(label === 'tenant' ? series.tenantId : series.method)),
    formatPerSecond(series.calls / seconds),
    formatPerSecond(series.failures / seconds),
    formatDuration(fromDuration(series.latency?.p50)),
    formatDuration(fromDuration(series.latency?.p99)),
    formatDuration(fromDuration(series.gatewayLatency?.p99)),
    formatPerSecond(series.requestBytes / seconds),
    formatPerSecond(series.responseBytes / seconds),
  ]);
  const lines = alignColumns(
    [[...labels.map((label) => label.toUpperCase()), ...numbers], ...cells],
    labels.length,
    columns,
  );
  const omitted = ordered.length - shown.length + metrics.omittedSeries;
  if (cells.length === 0) lines.push('no calls');
  else if (omitted > 0) lines.push(`${omitted} more`);
  return lines;
}

/** Text to the left, cut where there is too little room; numbers to the right. */
function alignColumns(rows: readonly (readonly string[])[], texts: number, columns: number): string[] {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  const numbers = widths.slice(texts).reduce((sum, width) => sum + width + 2, 0);
  // What the first does not need is the next one's.
  let room = columns - numbers - 2 * (texts - 1);
  for (let i = 0; i < texts; i++) {
    widths[i] = Math.min(widths[i]!, Math.max(8, Math.floor(room / (texts - i))));
    room -= widths[i]!;
  }
  return rows.map((row) =>
    row
      .map((cell, i) => {
        if (i >= texts) return cell.padStart(widths[i]!);
        return cut(cell, widths[i]!);
      })
      .join('  '),
  );
}

/** The end of a method's name says more than its begin. */
function cut(text: string, width: number): string {
  if (text.length <= width) return text.padEnd(width);
  return text.includes('/') ? `…${text.slice(1 - width)}` : `${text.slice(0, width - 1)}…`;
}

function renderLimits({ metrics }: TopState): string[] {
  const near = metrics.limits.filter(({ used, limit }) => used / limit >= NEAR).slice(0, LIMITS_SHOWN);
  if (near.length === 0) return ['limits   none is used by half'];
  return ['limits near their end', ...near.map((use) => `  ${describeLimit(use)}`)];
}

function describeLimit({ tenantId, name, kind, used, limit }: LimitUse): string {
  const share = `${Math.round((100 * used) / limit)} %`.padStart(5);
  const what = kind === Kind.KIND_QUOTA ? 'quota' : kind === Kind.KIND_RATE ? 'rate' : 'calls at once';
  return `${share}  ${tenantId}  ${what}${kind === Kind.KIND_CONCURRENCY ? '' : ` ${name}`}  ${Math.round(used)} of ${limit}`;
}

function renderBackends({ metrics }: TopState): string[] {
  if (metrics.backends.length === 0) return [];
  const states: Readonly<Record<number, string>> = {
    [BreakerState.BREAKER_STATE_OPEN]: 'OPEN',
    [BreakerState.BREAKER_STATE_HALF_OPEN]: 'half-open',
  };
  const troubled = metrics.backends.filter(({ breaker }) => states[breaker] !== undefined);
  const running = metrics.backends.reduce((sum, { outstandingCalls }) => sum + outstandingCalls, 0);
  const summary = `backends ${metrics.backends.length}, ${running} calls running, breakers ${troubled.length === 0 ? 'all closed' : ''}`;
  return [`${summary}${troubled.map(({ backend, breaker }) => `${backend} ${states[breaker]}`).join(', ')}`];
}
