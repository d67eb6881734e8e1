import type { CredentialCacheStats } from './auth/credential-cache.ts';
import type { EventLoopDelay } from './metrics/event-loop.ts';
import type { FloodCount } from './metrics/flood-counts.ts';
import type { GatewayMetrics } from './metrics/gateway-metrics.ts';
import type { Sample } from './metrics/instruments.ts';
import type { LimitUse } from './metrics/limit-use.ts';
import type { State } from './open-state.ts';

/** What of the gateway is shown beside its calls. Nothing here costs anything until somebody looks. */
export interface InstrumentSources {
  readonly floods: () => readonly FloodCount[];
  readonly listeners: () => readonly { readonly name: string; readonly connections: number }[];
  readonly credentials: () => CredentialCacheStats;
  readonly limits: () => readonly LimitUse[];
  readonly loop: EventLoopDelay;
  readonly overload: { readonly pressure: number };
  /** Octets that are resident. */
  readonly rss: () => number;
  readonly fleet: State['fleet'];
  readonly version: () => number;
}

/** Label values that an operator's configuration bounds: backends, listeners. */
const CONFIGURED = 1000;
const BREAKER_STATES = ['closed', 'half_open', 'open'] as const;
const LOOP_STATS = [
  ['p50', 0.5],
  ['p99', 0.99],
  ['max', 1],
] as const;
const SYNC_STATES = ['synced', 'away', 'behind', 'refused'] as const;

/** Registers the gateway's own instruments; parts may add theirs to `metrics.instruments`. */
export function registerInstruments(metrics: GatewayMetrics, sources: InstrumentSources): void {
  const { instruments } = metrics;
  instruments.observe(
    'counter',
    { name: 'tollgate_refusals', help: 'Calls that the gateway refused itself, by reason.', labels: ['reason'] },
    () => [...metrics.refusals()].map(([reason, value]) => ({ labels: [reason], value })),
  );
  instruments.observe(
    'counter',
    {
      name: 'tollgate_floods',
      help: 'Limits that peers broke: connections closed, streams refused.',
      labels: ['peer', 'kind'],
    },
    () => sources.floods().map(({ peer, kind, count }) => ({ labels: [peer, kind], value: count })),
    CONFIGURED,
  );
  instruments.observe(
    'gauge',
    { name: 'tollgate_listener_connections', help: 'Open connections of clients.', labels: ['listener'] },
    () => sources.listeners().map(({ name, connections }) => ({ labels: [name], value: connections })),
    CONFIGURED,
  );
  registerBackends(metrics);
  registerLimits(metrics, sources);
  registerCaches(metrics, sources);
  registerProcess(metrics, sources);
  registerStore(metrics, sources);
}

function registerBackends(metrics: GatewayMetrics): void {
  const { instruments } = metrics;
  const labels = ['backend'];
  const of = (read: (backend: ReturnType<GatewayMetrics['backends']>[number]) => number) => () =>
    metrics.backends().map((backend) => ({ labels: [backend.name], value: read(backend) }));
  const add = (kind: 'counter' | 'gauge', name: string, help: string, read: Parameters<typeof of>[0]) =>
    instruments.observe(kind, { name, help, labels }, of(read), CONFIGURED);
  add('counter', 'tollgate_backend_calls', 'Calls that reached the backend.', ({ calls }) => calls);
  add(
    'counter',
    'tollgate_backend_failures',
    'Of these, calls that count against it at its breaker.',
    ({ failures }) => failures,
  );
  add('gauge', 'tollgate_backend_outstanding_calls', 'Calls that run.', ({ outstanding }) => outstanding);
  add('gauge', 'tollgate_backend_connections', 'Open connections to its endpoints.', ({ connections }) => connections);
  add('gauge', 'tollgate_backend_endpoints', 'Endpoints that are configured.', ({ endpoints }) => endpoints);
  instruments.observe(
    'gauge',
    { name: 'tollgate_breaker_state', help: '1 for the state that the breaker is in.', labels: ['backend', 'state'] },
    () =>
      metrics
        .backends()
        .flatMap(({ name, breaker }) =>
          oneOf(BREAKER_STATES, breaker).map(([state, value]) => sample([name, state], value)),
        ),
    3 * CONFIGURED,
  );
}

function registerLimits({ instruments }: GatewayMetrics, { limits }: InstrumentSources): void {
  instruments.observe(
    'gauge',
    {
      name: 'tollgate_limit_used_ratio',
      help: 'Used share of rate limits (of the burst), of concurrency and of quotas, of the tenants nearest to their end.',
      labels: ['tenant', 'limit', 'kind'],
    },
    () => limits().map(({ tenantId, name, kind, used, limit }) => sample([tenantId, name, kind], used / limit)),
  );
}

function registerCaches({ instruments }: GatewayMetrics, { credentials }: InstrumentSources): void {
  const labels = ['cache'];
  const add = (kind: 'counter' | 'gauge', name: string, help: string, read: (stats: CredentialCacheStats) => number) =>
    instruments.observe(kind, { name, help, labels }, () => [sample(['credentials'], read(credentials()))]);
  add('counter', 'tollgate_cache_hits', 'Look-ups that found something.', ({ hits }) => hits);
  add('counter', 'tollgate_cache_misses', 'Look-ups that had to ask elsewhere.', ({ misses }) => misses);
  add('counter', 'tollgate_cache_evictions', 'Entries that had to make room.', ({ evictions }) => evictions);
  add('gauge', 'tollgate_cache_entries', 'Entries.', ({ positives, negatives }) => positives + negatives);
}

function registerProcess(metrics: GatewayMetrics, { loop, overload, rss }: InstrumentSources): void {
  const { instruments, table } = metrics;
  instruments.observe(
    'gauge',
    {
      name: 'tollgate_event_loop_delay_seconds',
      help: 'How late the event loop was in the last minute.',
      labels: ['stat'],
    },
    () => LOOP_STATS.map(([stat, share]) => sample([stat], loop.quantile(share) / 1000)),
  );
  const gauge = (name: string, help: string, read: () => number) => instruments.observe('gauge', { name, help }, read);
  gauge(
    'tollgate_overload_pressure',
    'From 0, where nothing is refused for overload, to 3, where everything is.',
    () => overload.pressure,
  );
  gauge('tollgate_start_time_seconds', 'When the gateway started, Unix time.', () => metrics.startedAt / 1000);
  gauge('tollgate_resident_memory_bytes', 'Memory of the process that is resident.', rss);
  gauge('tollgate_metrics_series', 'Series of calls that are kept apart.', () => table.own);
  gauge(
    'tollgate_metrics_folded_series',
    'Series, within some percent, that were folded into those of the tenant _other.',
    () => table.foldedSeries,
  );
  gauge(
    'tollgate_metrics_pages_left',
    'Pages for histograms that are free: without one, series are folded.',
    () => table.pool.left,
  );
}

function registerStore({ instruments }: GatewayMetrics, { fleet, version }: InstrumentSources): void {
  instruments.observe(
    'gauge',
    { name: 'tollgate_config_version', help: 'Version of the configuration that is applied.' },
    version,
  );
  if (fleet === undefined) return;
  const { sync, store } = fleet;
  const add = (kind: 'counter' | 'gauge', name: string, help: string, read: () => number) =>
    instruments.observe(kind, { name, help }, read);
  add('gauge', 'tollgate_store_silent', "1 while the fleet's store does not answer in time.", () =>
    Number(store.silent),
  );
  add('counter', 'tollgate_store_silences', 'How often the store fell silent.', () => store.silences);
  add(
    'counter',
    'tollgate_store_unanswered',
    'Questions that the store did not answer in time.',
    () => store.unanswered,
  );
  add(
    'gauge',
    'tollgate_sync_lag_seconds',
    'Since the configuration was last known to be that of the store.',
    () => sync.lagMs / 1000,
  );
  add('counter', 'tollgate_sync_refused_changes', 'Changes that could not be applied.', () => sync.status.refused);
  add('counter', 'tollgate_sync_full_readings', 'Times that everything was read anew.', () => sync.status.readings);
  add('gauge', 'tollgate_fleet_gateways', 'Gateways that are alive.', () => sync.liveGateways);
  instruments.observe(
    'gauge',
    { name: 'tollgate_sync_state', help: '1 for the state that the configuration is in.', labels: ['state'] },
    () => oneOf(SYNC_STATES, sync.status.state).map(([state, value]) => sample([state], value)),
  );
}

function oneOf(states: readonly string[], current: string): [string, number][] {
  return states.map((state) => [state, Number(state === current)]);
}

function sample(labels: readonly string[], value: number): Sample {
  return { labels, value };
}
