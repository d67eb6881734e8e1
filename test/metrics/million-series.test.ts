import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { DEFAULT_LIMITS, MIB, shareOut } from '../../src/metrics/budget.ts';
import { Counter, Part } from '../../src/metrics/counters.ts';
import { select } from '../../src/metrics/query.ts';
import { SeriesTable } from '../../src/metrics/series-table.ts';
import { finish } from '../../src/metrics/steps.ts';

const TENANTS = 20_000;
const METHODS = 10;
const STATUSES = 5;
const DISTINCT = TENANTS * METHODS * STATUSES;
const HOT = 100;
/** Calls of the hot series that is called least; each is called a few times more than the one before. */
const LEAST = 400;

setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');

/** Octets of the heap and of typed arrays. */
function memory(): number {
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

test('a million distinct series: memory within the budget, totals exact, the hottest hundred exact', () => {
  const before = memory();
  const table = new SeriesTable(shareOut(DEFAULT_LIMITS), 0);
  let calls = 0;
  let octets = 0;
  const record = (tenant: string, method: string, status: number, durationMs: number) => {
    const size = (calls % 1000) + 1;
    calls++;
    octets += size;
    const traffic = { requestMessages: 1, responseMessages: 1, requestOctets: size, responseOctets: 0 };
    table.record(tenant, method, status, { durationMs, backendMs: durationMs * 0.9, traffic });
  };
  const hotCalls = (hot: number) => LEAST + 3 * hot;
  const callHot = (hot: number) => record(`hot-${hot}`, `shop.v1.Shop/Hot${hot % 7}`, hot % 3, 10 + hot);

  // A third of the hot were hot at the beginning and never again, a third are throughout, a third come late.
  for (let hot = 0; hot < HOT; hot += 3) for (let i = 0; i < hotCalls(hot); i++) callHot(hot);
  const due = new Map<number, number>();
  for (let i = 0; i < DISTINCT; i++) {
    const tenant = i % TENANTS;
    const rest = Math.floor(i / TENANTS);
    record(`tenant-${tenant}`, `shop.v1.Shop/Method${rest % METHODS}`, Math.floor(rest / METHODS), 1 + (i % 50));
    // All of them in turn, at even distances.
    const hot = i % HOT;
    if (hot % 3 === 0 || (hot % 3 === 2 && i < DISTINCT / 2)) continue;
    const since = hot % 3 === 2 ? DISTINCT / 2 : 0;
    const want = Math.ceil((hotCalls(hot) * (i - since + 1)) / (DISTINCT - since));
    for (let done = due.get(hot) ?? 0; done < want; done++) callHot(hot);
    due.set(hot, want);
    if (i % 10_000 === 0) table.flush(i);
  }
  for (const [hot, done] of due) for (let i = done; i < hotCalls(hot); i++) callHot(hot);
  table.flush(DISTINCT);

  expect(memory() - before).toBeLessThan(DEFAULT_LIMITS.memory);
  let counted = 0;
  let countedOctets = 0;
  let durations = 0;
  table.forEach((series) => {
    counted += table.counterOf(series, Counter.CALLS);
    countedOctets += table.counterOf(series, Counter.REQUEST_OCTETS);
    table.forEachCount(series, (part, _bucket, count) => {
      if (part === Part.TOTAL) durations += count;
    });
  });
  expect([counted, countedOctets, durations]).toEqual([calls, octets, calls]);

  const { groups, order, latency } = finish(select(table, table, { groupBy: ['tenant', 'method', 'status'] }));
  const nameOf = (group: number) => groups.labelsOf(group).tenantId;
  const hottest = order.filter((group) => nameOf(group) !== '_other').slice(0, HOT);
  expect(hottest.map((group) => [nameOf(group), groups.counterOf(group, Counter.CALLS)])).toEqual(
    Array.from({ length: HOT }, (_, i) => [`hot-${HOT - 1 - i}`, hotCalls(HOT - 1 - i)]),
  );
  for (const group of hottest) {
    const ms = 10 + Number(nameOf(group).slice('hot-'.length));
    const median = latency(group, Part.TOTAL).quantile(0.5);
    expect(Math.abs(median - ms)).toBeLessThanOrEqual(ms * 0.02);
  }
  expect(table.own).toBe(DEFAULT_LIMITS.maxSeries);
  const told = table.foldedSeries / (DISTINCT - DEFAULT_LIMITS.maxSeries);
  expect([told > 0.93, told < 1.07]).toEqual([true, true]);
  expect(DEFAULT_LIMITS.memory).toBe(32 * MIB);
});
