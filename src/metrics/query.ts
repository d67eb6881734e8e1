import { CODES, codeName } from '../grpc/status.ts';
import { ALL_PARTS, Counter, Part } from './counters.ts';
import { Distribution } from './distribution.ts';
import { Groups } from './groups.ts';
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

/** Reads latencies of a group: the same objects for every group, cleared and filled anew. */
export type ReadLatency = (group: number, part: Part) => Distribution;

/** What groups are ordered by, the highest first. */
export type RankGroup = (groups: Groups, group: number, latency: ReadLatency) => number;

export interface Selection {
  readonly groups: Groups;
  /** Numbers of groups in their order, up to the limit. */
  readonly order: readonly number[];
  /** Groups beyond the limit. */
  readonly omitted: number;
  readonly latency: ReadLatency;
}

/** No group. */
const NONE = -1;

/** Rows that are summed up, or ranked, in one step. */
const ROWS_OF_STEP = 16;

/** Filters, sums up, orders. The rows must stay as they are until the end, and for as long as latencies are read. */
export function* select(table: SeriesTable, rows: Rows, query: SeriesQuery): Steps<Selection> {
  const groups = yield* group(table, rows, query);
  const latency = createReader(rows, groups);
  const order = yield* rankAll(groups, latency, query.rank);
  const limit = query.limit ?? order.length;
  return { groups, order: order.slice(0, limit), omitted: Math.max(0, order.length - limit), latency };
}

function createReader(rows: Rows, groups: Groups): ReadLatency {
  const distributions = ALL_PARTS.map(() => new Distribution());
  const add = (part: Part, bucket: number, count: number): void => distributions[part]!.add(bucket, count);
  const addRow = (row: number): void => rows.forEachCount(row, add);
  let read = NONE;
  return (group, part) => {
    if (group !== read) {
      for (const each of distributions) each.clear();
      groups.forEachRow(group, addRow);
      for (const each of ALL_PARTS) addExact(distributions[each]!, groups, group, each);
      read = group;
    }
    return distributions[part]!;
  };
}

function addExact(distribution: Distribution, groups: Groups, group: number, part: Part): void {
  const sum = groups.counterOf(group, (Counter.TOTAL_MS + part) as Counter);
  distribution.addExact(sum, part === Part.TOTAL ? groups.maxOf(group) : distribution.longest);
}

function* rankAll(
  groups: Groups,
  latency: ReadLatency,
  rank: RankGroup = (all, group) => all.counterOf(group, Counter.CALLS),
): Steps<number[]> {
  // Asked once of each, for it may be dear.
  const ranks = new Float64Array(groups.length);
  const order: number[] = [];
  for (let group = 0; group < groups.length; group++) {
    ranks[group] = rank(groups, group, latency);
    order.push(group);
    if (order.length % ROWS_OF_STEP === 0) yield;
  }
  return order.sort((a, b) => ranks[b]! - ranks[a]!);
}

function* group(table: SeriesTable, rows: Rows, query: SeriesQuery): Steps<Groups> {
  const groups = new Groups();
  const numbers = new Map<number, number>();
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
    let found = numbers.get(key);
    if (found === undefined) {
      found = groups.begin({
        tenantId: byTenant ? table.tenantName(tenant) : '',
        method: byMethod ? table.methodName(of) : '',
        status: byStatus ? codeName(code) : '',
      });
      numbers.set(key, found);
    }
    groups.add(found, rows, row);
  }
  return groups;
}
