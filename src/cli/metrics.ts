import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import {
  BackendMetrics_BreakerState as BreakerState,
  type CallSeries,
  GetMetricsRequest,
  GetMetricsResponse,
  GetMetricsRequest_Label as Label,
  GetMetricsRequest_Scope as Scope,
  type StoreMetrics,
  MetricsServiceService as service,
} from '../../generated/tollgate/metrics/v1/metrics.ts';
import { fromDuration, toDuration } from '../metrics/series-report.ts';
import { type AdminOptions, addAdminOptions, withAdminClient } from './admin-client.ts';
import { formatDuration } from './format-rates.ts';
import type { Io } from './io.ts';
import { parseCount, parseDuration } from './parse-values.ts';
import { printJson } from './print.ts';
import { formatTable } from './table.ts';
import { jsonOf } from './to-json.ts';

const toJson = jsonOf('tollgate.metrics.v1.GetMetricsResponse', GetMetricsResponse);
const LABELS = { tenant: Label.LABEL_TENANT, method: Label.LABEL_METHOD, status: Label.LABEL_STATUS } as const;
type LabelName = keyof typeof LABELS;
const ALL: readonly LabelName[] = ['tenant', 'method', 'status'];

const BREAKERS: Readonly<Record<number, string>> = {
  [BreakerState.BREAKER_STATE_CLOSED]: 'closed',
  [BreakerState.BREAKER_STATE_OPEN]: 'open',
  [BreakerState.BREAKER_STATE_HALF_OPEN]: 'half-open',
};

interface MetricsOptions extends AdminOptions {
  readonly tenant?: string;
  readonly method?: string;
  readonly status?: string;
  readonly by?: LabelName[];
  readonly window?: number;
  readonly limit: number;
  readonly fleet?: boolean;
  readonly gateway?: string;
}

export function addMetricsCommand(program: Command, io: Io): void {
  addAdminOptions(
    program.command('metrics').description('what the gateway counted: calls, latencies, refusals, backends'),
  )
    .option('--tenant <id>', 'calls of this tenant only')
    .option('--method <pkg.Service/Method>', 'calls of this method only')
    .option('--status <name>', 'calls that ended so only, such as OK or UNAVAILABLE')
    .option(
      '--by <labels>',
      'sum up over what is not named here: tenant, method, status, divided by commas',
      parseLabels,
    )
    .option('--window <duration>', 'what was counted in this time up to now: 30s, 5m', parseDuration)
    .option('--limit <count>', 'series to show, the busiest first', parseCount, 1000)
    .option('--fleet', 'all gateways that share the store')
    .option('--gateway <id>', 'one of them (see "tollgate gateways list")')
    .action((options: MetricsOptions) =>
      withAdminClient(options, io, async (client) => {
        const response = await client.call(service.getMetrics, {
          ...GetMetricsRequest.fromPartial({}),
          tenantId: options.tenant ?? '',
          method: options.method ?? '',
          status: options.status ?? '',
          groupBy: (options.by ?? []).map((name) => LABELS[name]),
          window: options.window === undefined ? undefined : toDuration(options.window),
          limit: options.limit,
          scope: options.fleet ? Scope.SCOPE_FLEET : Scope.SCOPE_GATEWAY,
          gatewayId: options.gateway ?? '',
        });
        if (options.output === 'json') printJson(io, toJson(response));
        else io.stdout.write(formatMetrics(response, options.by ?? ALL));
      }),
    );
}

function parseLabels(text: string): LabelName[] {
  return text.split(',').map((name) => {
    const label = ALL.find((each) => each === name);
    if (!label) throw new InvalidArgumentError('the labels are tenant, method and status.');
    return label;
  });
}

function formatMetrics(response: GetMetricsResponse, labels: readonly LabelName[]): string {
  const kept = ALL.filter((label) => labels.includes(label));
  const parts = [
    formatTable(
      [...kept, 'calls', 'p50', 'p90', 'p99', 'max'],
      response.series.map((series) => formatSeries(series, kept)),
    ),
  ];
  const refusals = Object.entries(response.refusals).sort(([a], [b]) => (a < b ? -1 : 1));
  if (refusals.length > 0) {
    parts.push(
      formatTable(
        ['refused because', 'calls'],
        refusals.map(([reason, count]) => [reason, String(count)]),
      ),
    );
  }
  if (response.backends.length > 0) {
    parts.push(
      formatTable(
        ['backend', 'breaker', 'outstanding', 'calls', 'failures'],
        response.backends.map((each) => [
          each.backend,
          BREAKERS[each.breaker] ?? '',
          String(each.outstandingCalls),
          String(each.calls),
          String(each.failures),
        ]),
      ),
    );
  }
  if (response.floods.length > 0) {
    parts.push(
      formatTable(
        ['limit broken by', 'limit', 'times'],
        response.floods.map((each) => [each.peer, each.kind, String(each.count)]),
      ),
    );
  }
  if (response.store !== undefined) parts.push(formatStore(response.store));
  return parts.join('\n');
}

const SYNC_STATES = ['', 'in step', 'away', 'behind', 'refused'] as const;

function formatStore(store: StoreMetrics): string {
  const { silent, silences, unanswered, version, refusedChanges, liveGateways } = store;
  const row = [silent ? 'silent' : 'answers', silences, unanswered, SYNC_STATES[store.syncState] ?? '', version];
  return formatTable(
    ['store', 'silences', 'unanswered', 'configuration', 'version', 'refused', 'gateways'],
    [[...row, refusedChanges, liveGateways].map(String)],
  );
}

function formatSeries(series: CallSeries, labels: readonly LabelName[]): string[] {
  const text = { tenant: series.tenantId, method: series.method, status: series.status };
  const { p50, p90, p99, max } = series.latency ?? {};
  return [
    ...labels.map((label) => text[label]),
    String(series.calls),
    ...[p50, p90, p99, max].map((each) => formatDuration(fromDuration(each))),
  ];
}
