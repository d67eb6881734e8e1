import { CODES, codeName } from '../grpc/status.ts';
import { COUNTERS, Counter, PARTS, Part } from './counters.ts';
import { Distribution } from './distribution.ts';
import type { Rows } from './rows.ts';
import type { SeriesTable } from './series-table.ts';

export type Label = 'tenant' | 'method' | 'status';
const LABELS: readonly Label[] = ['tenant', 'method', 'status'];

/** What to read. Absent filters let all pass. */
export interface SeriesQuery {
  readonly tenantId?: string | undefined;
  readonly method?: string | undefined;
  /** Name of a gRPC status. */
  readonly status?: string | undefined;
  /** Labels to keep; series that differ in others only are summed up. All three when absent. */
  readonly groupBy?: readonly Label[] | undefined;
  /** The most groups to give; all when absent. */
  readonly limit?: number | undefined;
  /** By what the groups are ordered, the highest first; by their calls when absent. */
  readonly rank?: RankGroup | undefined;
}

/** Calls with the same labels. Labels that were not asked for are empty. */
export interface Group {
  readonly tenantId: string;
  readonly method: string;
  readonly status: string;
  /** By `Counter`. */
  readonly counters: Float64Array;
  /** Calls that did not end with OK. */
  failures: number;
  /** Milliseconds. */
  max: number;
  /** Rows that it is the sum of. */
  readonly rows: number[];
}

/** Reads latencies of a group: the same object for every group, cleared and filled anew. */
export type ReadLatency = (group: Group, part: Part) => Distribution;

/** What groups are ordered by, the highest first. */
export type RankGroup = (group: Group, latency: ReadLatency) => number;

export interface Selection {
  readonly groups: readonly Group[];
  /** Groups beyond the limit. */
  readonly omitted: number;
  readonly latency: ReadLatency;
}

/** Filters, sums up, orders. */
export function select(table: SeriesTable, rows: Rows, query: SeriesQuery): Selection {
  const distributions = Array.from({ length: PARTS }, () => new Distribution());
  const latency: ReadLatency = ({ rows: members, counters, max }, part) => {
    const distribution = distributions[part]!;
    distribution.clear();
    for (const row of members) rows.forEachBucket(row, part, distribution.add);
    distribution.addExact(counters[Counter.TOTAL_MS + part]!, part === Part.TOTAL ? max : distribution.longest);
    return distribution;
  };
  const groups = order([...group(table, rows, query).values()], latency, query.rank);
  const limit = query.limit ?? groups.length;
  return { groups: groups.slice(0, limit), omitted: Math.max(0, groups.length - limit), latency };
}

function order(groups: Group[], latency: ReadLatency, rank: RankGroup = ({ counters }) => counters[0]!): Group[] {
  // Asked once of each, for it may be dear.
  const ranked = groups.map((each) => ({ each, rank: rank(each, latency) }));
  return ranked.sort((a, b) => b.rank - a.rank).map(({ each }) => each);
}

function group(table: SeriesTable, rows: Rows, query: SeriesQuery): Map<number, Group> {
  const groups = new Map<number, Group>();
  const { tenantId, method, status, groupBy = LABELS } = query;
  const tenantNumber = tenantId === undefined ? undefined : (table.tenantNumber(tenantId) ?? -1);
  const methodNumber = method === undefined ? undefined : (table.methodNumber(method) ?? -1);
  const [byTenant, byMethod, byStatus] = LABELS.map((label) => groupBy.includes(label));
  rows.forEach((row) => {
    const tenant = rows.tenantOf(row);
    const of = rows.methodOf(row);
    const code = rows.statusOf(row);
    if (tenantNumber !== undefined && tenant !== tenantNumber) return;
    if (methodNumber !== undefined && of !== methodNumber) return;
    if (status !== undefined && codeName(code) !== status) return;
    const key = ((byTenant ? tenant + 1 : 0) * 4096 + (byMethod ? of : 0)) * CODES + (byStatus ? code : 0);
    let found = groups.get(key);
    if (found === undefined) {
      found = {
        tenantId: byTenant ? table.tenantName(tenant) : '',
        method: byMethod ? table.methodName(of) : '',
        status: byStatus ? codeName(code) : '',
        counters: new Float64Array(COUNTERS),
        failures: 0,
        max: 0,
        rows: [],
      };
      groups.set(key, found);
    }
    for (let i = 0; i < COUNTERS; i++) found.counters[i]! += rows.counterOf(row, i as Counter);
    if (code !== 0) found.failures += rows.counterOf(row, 0);
    found.max = Math.max(found.max, rows.maxOf(row));
    found.rows.push(row);
  });
  return groups;
}
