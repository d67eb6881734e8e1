import { CODES, codeName } from '../grpc/status.ts';
import { COUNTERS, Counter, PARTS, Part } from './counters.ts';
import { Distribution } from './distribution.ts';
import type { Rows } from './rows.ts';
import { ABSENT } from './series-index.ts';
import type { SeriesTable } from './series-table.ts';
import type { Steps } from './steps.ts';

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

/** Rows that are summed up, or ranked, in one step. */
const ROWS_OF_STEP = 16;

/** Filters, sums up, orders. The rows must stay as they are until the end, and for as long as latencies are read. */
export function* select(table: SeriesTable, rows: Rows, query: SeriesQuery): Steps<Selection> {
  const latency = createReader(rows);
  const groups = yield* order([...(yield* group(table, rows, query)).values()], latency, query.rank);
  const limit = query.limit ?? groups.length;
  return { groups: groups.slice(0, limit), omitted: Math.max(0, groups.length - limit), latency };
}

function createReader(rows: Rows): ReadLatency {
  const distributions = Array.from({ length: PARTS }, () => new Distribution());
  return ({ rows: members, counters, max }, part) => {
    const distribution = distributions[part]!;
    distribution.clear();
    for (const row of members) rows.forEachBucket(row, part, distribution.add);
    distribution.addExact(counters[Counter.TOTAL_MS + part]!, part === Part.TOTAL ? max : distribution.longest);
    return distribution;
  };
}

function* order(
  groups: Group[],
  latency: ReadLatency,
  rank: RankGroup = ({ counters }) => counters[0]!,
): Steps<Group[]> {
  // Asked once of each, for it may be dear.
  const ranked: { readonly each: Group; readonly rank: number }[] = [];
  for (const each of groups) {
    ranked.push({ each, rank: rank(each, latency) });
    if (ranked.length % ROWS_OF_STEP === 0) yield;
  }
  return ranked.sort((a, b) => b.rank - a.rank).map(({ each }) => each);
}

function* group(table: SeriesTable, rows: Rows, query: SeriesQuery): Steps<Map<number, Group>> {
  const groups = new Map<number, Group>();
  const { tenantId, method, status, groupBy = LABELS } = query;
  const tenantNumber = tenantId === undefined ? undefined : (table.tenantNumber(tenantId) ?? -1);
  const methodNumber = method === undefined ? undefined : (table.methodNumber(method) ?? -1);
  const [byTenant = false, byMethod = false, byStatus = false] = LABELS.map((label) => groupBy.includes(label));
  let visited = 0;
  for (let row = rows.first(); row !== ABSENT; row = rows.after(row)) {
    if (++visited % ROWS_OF_STEP === 0) yield;
    const tenant = rows.tenantOf(row);
    const of = rows.methodOf(row);
    const code = rows.statusOf(row);
    if (tenantNumber !== undefined && tenant !== tenantNumber) continue;
    if (methodNumber !== undefined && of !== methodNumber) continue;
    if (status !== undefined && codeName(code) !== status) continue;
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
    addRow(found, rows, row);
  }
  return groups;
}

function addRow(group: Group, rows: Rows, row: number): void {
  for (let i = 0; i < COUNTERS; i++) group.counters[i]! += rows.counterOf(row, i as Counter);
  if (rows.statusOf(row) !== 0) group.failures += rows.counterOf(row, 0);
  group.max = Math.max(group.max, rows.maxOf(row));
  group.rows.push(row);
}
