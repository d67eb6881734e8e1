import type {
  GetMetricsRequest,
  GetMetricsResponse,
  StoreMetrics,
} from '../../generated/tollgate/metrics/v1/metrics.ts';
import type { Call, Outcome } from '../chain/call.ts';
import { codeName } from '../grpc/status.ts';
import type { FloodCount } from './flood-counts.ts';
import { Distribution } from './histogram.ts';
import { reportMetrics } from './report.ts';
import { SeriesTable } from './series-table.ts';

/** Stands for the tenant of calls that nobody authenticated for, and for the method of calls to none that is known. */
export const NONE = '-';
const DEFAULT_BUDGET = 10_000;
/** There are about a dozen reasons; the bound holds whatever the future brings. */
const MAX_REASONS = 100;

export type Label = 'tenant' | 'method' | 'status';

/** What to read. Absent filters let all pass. */
export interface SeriesQuery {
  readonly tenantId?: string | undefined;
  readonly method?: string | undefined;
  /** Name of a gRPC status. */
  readonly status?: string | undefined;
  /** Labels to keep; series that differ in others only are summed up. All three when absent. */
  readonly groupBy?: readonly Label[] | undefined;
}

/** Calls with the same labels. Labels that were not asked for are empty. */
export interface CallSeries {
  readonly tenantId: string;
  readonly method: string;
  readonly status: string;
  readonly calls: number;
  /** Milliseconds; the quantiles within 2 %. */
  readonly latency: {
    readonly p50: number;
    readonly p90: number;
    readonly p99: number;
    readonly max: number;
    readonly sum: number;
  };
}

/** What a backend tells of itself when metrics are read. */
export interface BackendProbe {
  readonly outstanding: () => number;
  readonly breakerState: () => 'closed' | 'open' | 'half_open';
  /** Whether a status counts against the backend. */
  readonly isFailure: (status: number) => boolean;
}

export interface BackendSnapshot {
  readonly name: string;
  readonly breaker: 'closed' | 'open' | 'half_open';
  readonly outstanding: number;
  /** Calls that reached the backend. */
  readonly calls: number;
  readonly failures: number;
}

interface BackendCounters {
  readonly probe: BackendProbe;
  calls: number;
  failures: number;
}

/**
 * What the gateway counted since it started: calls and latencies by tenant, method and status, refusals by reason, calls and
 * failures by backend. Memory is bounded (see `SeriesTable`). It subscribes to the end of calls: `onEnd: [metrics.observe]`.
 */
export class GatewayMetrics {
  /** Unix milliseconds. */
  readonly startedAt: number;
  readonly #now: () => number;
  readonly #series: SeriesTable;
  readonly #refusals = new Map<string, number>();
  readonly #backends = new Map<string, BackendCounters>();
  readonly #floods: () => readonly FloodCount[];
  readonly #store: () => StoreMetrics | undefined;

  /**
   * @param options `now`: Unix milliseconds; `maxSeries`: beyond that many, default 10,000, series are folded into `other`;
   *   `floods`: limits that peers broke; `store`: how the fleet's store is
   */
  constructor(options: {
    now: () => number;
    maxSeries?: number | undefined;
    floods?: (() => readonly FloodCount[]) | undefined;
    store?: (() => StoreMetrics | undefined) | undefined;
  }) {
    this.#store = options.store ?? (() => undefined);
    this.#floods = options.floods ?? (() => []);
    this.#now = options.now;
    this.startedAt = options.now();
    this.#series = new SeriesTable(options.maxSeries ?? DEFAULT_BUDGET);
  }

  /** Names a backend to report on. Backends come from the configuration: nothing else bounds them. */
  addBackend(name: string, probe: BackendProbe): void {
    this.#backends.set(name, { probe, calls: 0, failures: 0 });
  }

  /** Counts a call that has ended. An arrow function, to be handed over as a subscriber. */
  readonly observe = (call: Pick<Call, 'tenant' | 'method'>, outcome: Outcome): void => {
    const { method, tenant } = call;
    this.record(tenant?.id, method?.name, outcome.status, outcome.durationMs);
    if (outcome.refusal !== undefined) this.#countRefusal(outcome.refusal.reason);
    if (!outcome.reachedBackend || method === undefined) return;
    const backend = this.#backends.get(method.backend);
    if (backend === undefined) return;
    backend.calls++;
    if (!outcome.cancelled && backend.probe.isFailure(outcome.status)) backend.failures++;
  };

  /** Counts a call. @param durationMs milliseconds */
  record(tenantId: string | undefined, method: string | undefined, status: number, durationMs: number): void {
    this.#series.record(tenantId ?? NONE, method ?? NONE, status, durationMs);
  }

  /** Series as counted so far, the busiest first. */
  query(query: SeriesQuery = {}): CallSeries[] {
    const distribution = new Distribution();
    const groups = [...this.#group(query).values()];
    return groups.map((group) => this.#sumUp(group, distribution, query.groupBy)).sort((a, b) => b.calls - a.calls);
  }

  /** Refusals of the gateway itself by reason. */
  refusals(): ReadonlyMap<string, number> {
    return this.#refusals;
  }

  /** Limits that peers broke. */
  floods(): readonly FloodCount[] {
    return this.#floods();
  }

  backends(): BackendSnapshot[] {
    return [...this.#backends].map(([name, { probe, calls, failures }]) => ({
      name,
      breaker: probe.breakerState(),
      outstanding: probe.outstanding(),
      calls,
      failures,
    }));
  }

  /** Answers `tollgate.metrics.v1.MetricsService.GetMetrics`. */
  getMetrics(request: GetMetricsRequest): GetMetricsResponse {
    return { ...reportMetrics(this, request, this.#now()), store: this.#store() };
  }

  /** Numbers of the series that pass the filters, by the labels that are kept. */
  #group(query: SeriesQuery): Map<string, number[]> {
    const table = this.#series;
    const { tenantId, method, status, groupBy } = query;
    const groups = new Map<string, number[]>();
    for (let series = 0; series < table.size; series++) {
      if (tenantId !== undefined && table.tenantOf(series) !== tenantId) continue;
      if (method !== undefined && table.methodOf(series) !== method) continue;
      if (status !== undefined && codeName(table.statusOf(series)) !== status) continue;
      const { tenantId: tenant, method: name, status: code } = this.#labels(series, groupBy);
      const key = `${tenant} ${name} ${code}`;
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [series]);
      else group.push(series);
    }
    return groups;
  }

  #labels(series: number, groupBy: readonly Label[] | undefined): Pick<CallSeries, 'tenantId' | 'method' | 'status'> {
    const table = this.#series;
    const keeps = (label: Label) => groupBy === undefined || groupBy.includes(label);
    return {
      tenantId: keeps('tenant') ? table.tenantOf(series) : '',
      method: keeps('method') ? table.methodOf(series) : '',
      status: keeps('status') ? codeName(table.statusOf(series)) : '',
    };
  }

  #sumUp(group: readonly number[], distribution: Distribution, groupBy: readonly Label[] | undefined): CallSeries {
    distribution.clear();
    let calls = 0;
    for (const series of group) {
      calls += this.#series.callsOf(series);
      this.#series.addTo(distribution, series);
    }
    const { max, sum } = distribution;
    const latency = {
      p50: distribution.quantile(0.5),
      p90: distribution.quantile(0.9),
      p99: distribution.quantile(0.99),
      max,
      sum,
    };
    return { ...this.#labels(group[0] ?? 0, groupBy), calls, latency };
  }

  #countRefusal(reason: string): void {
    const known = this.#refusals.has(reason) || this.#refusals.size < MAX_REASONS;
    const name = known ? reason : 'OTHER';
    this.#refusals.set(name, (this.#refusals.get(name) ?? 0) + 1);
  }
}
