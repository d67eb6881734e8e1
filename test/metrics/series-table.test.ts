import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bucketOf, octaveOf } from '../../src/metrics/buckets.ts';
import { leastMemory, type MetricsBudget, shareOut } from '../../src/metrics/budget.ts';
import { ALL_PARTS, Counter, Part, type PartVisitor } from '../../src/metrics/counters.ts';
import { select } from '../../src/metrics/query.ts';
import { deltaRows } from '../../src/metrics/rows.ts';
import { ABSENT } from '../../src/metrics/series-index.ts';
import { OTHER, SeriesTable } from '../../src/metrics/series-table.ts';
import { finish } from '../../src/metrics/steps.ts';
import { eachOf } from './each-part.ts';

const budgetOf = (maxSeries: number): MetricsBudget => shareOut({ maxSeries, memory: leastMemory(maxSeries) });

/** Calls by tenant, method and status, as far as they are kept apart. */
function read(table: SeriesTable): Map<string, number> {
  table.flush(0);
  const { groups, order } = finish(select(table, table, {}));
  return new Map(
    order.map((group) => {
      const { tenantId, method, status } = groups.labelsOf(group);
      return [`${tenantId} ${method} ${status}`, groups.counterOf(group, Counter.CALLS)];
    }),
  );
}

/** Everything that is counted, and the durations of all histograms. */
function totals(table: SeriesTable) {
  table.flush(0);
  const counts = { calls: 0, octets: 0, durations: 0, backend: 0 };
  table.forEach((series) => {
    counts.calls += table.counterOf(series, Counter.CALLS);
    counts.octets += table.counterOf(series, Counter.REQUEST_OCTETS);
    table.forEachCount(series, (part, _, count) => {
      if (part === Part.TOTAL) counts.durations += count;
      if (part === Part.BACKEND) counts.backend += count;
    });
  });
  return counts;
}

const TRAFFIC = { requestMessages: 1, responseMessages: 1, requestOctets: 7, responseOctets: 9 };

describe('beyond the budget', () => {
  it('the least used are folded, by method and status, and totals add up to the last octet', () => {
    const call = fc.record({
      tenant: fc.nat(40),
      method: fc.nat(3),
      status: fc.nat(16),
      ms: fc.double({ min: 0, max: 1e5, noNaN: true }),
      share: fc.constantFrom(0.5, 1),
    });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), fc.array(call, { maxLength: 600 }), (maxSeries, calls) => {
        const table = new SeriesTable(budgetOf(maxSeries), 0);
        calls.forEach(({ tenant, method, status, ms, share }, index) => {
          table.record(`t${tenant}`, `m${method}`, status, { durationMs: ms, backendMs: share * ms, traffic: TRAFFIC });
          if (index % 50 === 49) table.flush(0);
        });
        const { length } = calls;
        expect(totals(table)).toEqual({ calls: length, octets: 7 * length, durations: length, backend: length });
        const distinct = new Set(calls.map(({ tenant, method, status }) => `${tenant} ${method} ${status}`)).size;
        expect(table.own).toBe(Math.min(maxSeries, distinct));
        if (distinct <= maxSeries) expect([...read(table).keys()].some((key) => key.startsWith(OTHER))).toBe(false);
      }),
      { numRuns: 40 },
    );
  });

  it('who comes back gets a series again', () => {
    const table = new SeriesTable(budgetOf(2), 0);
    for (const tenant of ['a', 'b', 'c', 'a']) table.record(tenant, 'm', 0, { durationMs: 1 });
    expect(read(table)).toEqual(
      new Map([
        ['_other m OK', 2],
        ['c m OK', 1],
        ['a m OK', 1],
      ]),
    );
    expect(table.foldedSeries).toBe(2);
    for (let i = 0; i < 5; i++) table.record('b', 'm', 0, { durationMs: 1 });
    expect(read(table).get('b m OK')).toBe(5);
  });

  it('a tenant may be called `other`, and is not taken for the others', () => {
    const table = new SeriesTable(budgetOf(1), 0);
    for (const tenant of ['x', 'other', 'other']) table.record(tenant, 'm', 0, { durationMs: 1 });
    expect(read(table)).toEqual(
      new Map([
        ['other m OK', 2],
        [`${OTHER} m OK`, 1],
      ]),
    );
  });

  it('what was hot long ago stays, though thousands come that are seen once', () => {
    const table = new SeriesTable(budgetOf(100), 0);
    for (let i = 0; i < 50; i++) table.record('hot', 'm', 0, { durationMs: 1 });
    for (let i = 0; i < 20_000; i++) table.record(`t${i}`, 'm', 0, { durationMs: 1 });
    expect(read(table).get('hot m OK')).toBe(50);
  });

  it('says how many were folded, within some percent', () => {
    const table = new SeriesTable(budgetOf(100), 0);
    for (let i = 0; i < 50_100; i++) table.record(`tenant-${i}`, 'm', 0, { durationMs: 1 });
    expect(table.foldedSeries / 50_000).toBeGreaterThan(0.93);
    expect(table.foldedSeries / 50_000).toBeLessThan(1.07);
  });

  it('makes room for histograms as well: the widest in the smallest table', () => {
    const table = new SeriesTable({ maxSeries: 1000, maxOthers: 250, pages: 8_192, log: 1 << 20 }, 0);
    let calls = 0;
    for (let tenant = 0; tenant < 200; tenant++) {
      for (let octave = 0; octave < 40; octave++, calls++) {
        table.record(`t${tenant}`, `m${tenant % 50}`, tenant % 17, { durationMs: 2 ** octave / 1000, backendMs: 0 });
      }
    }
    expect(totals(table)).toMatchObject({ calls, durations: calls });
    expect(table.own).toBeLessThan(200);
    expect(table.pool.left).toBeGreaterThanOrEqual(0);
  });
});

it('each part of a call is in its histogram, of the totals and of what was counted lately', () => {
  const call = fc.record({
    tenant: fc.constantFrom('a', 'b'),
    ms: fc.constantFrom(0, 1, 1.001, 7),
    backendMs: fc.constantFrom(undefined, 0, 1, 2, 7),
  });
  fc.assert(
    fc.property(fc.array(call, { minLength: 1, maxLength: 200 }), (calls) => {
      const table = new SeriesTable(budgetOf(10), 0);
      for (const { tenant, ms, backendMs } of calls) table.record(tenant, 'm', 0, { durationMs: ms, backendMs });
      table.flush(0);
      const lately = deltaRows(table, 0);
      const rows: number[] = [];
      for (let row = lately.first(); row !== ABSENT; row = lately.after(row)) rows.push(row);
      table.forEach((series) => {
        const tenant = table.tenantOf(series);
        const own = calls.filter((each) => each.tenant === table.tenantName(tenant));
        const durations = {
          [Part.TOTAL]: own.map(({ ms }) => ms),
          [Part.BACKEND]: own.flatMap(({ backendMs }) => backendMs ?? []),
          [Part.GATEWAY]: own.map(({ ms, backendMs = 0 }) => ms - backendMs),
        };
        expect(table.counterOf(series, Counter.CALLS)).toBe(own.length);
        for (const part of ALL_PARTS) {
          const sum = durations[part].reduce((before, ms) => before + Math.max(0, ms), 0);
          expect(table.counterOf(series, (Counter.TOTAL_MS + part) as Counter)).toBeCloseTo(sum, 6);
          const buckets = tally(durations[part].map(bucketOf));
          expect(collect((add) => eachOf(part, (visit) => table.forEachCount(series, visit), add))).toEqual(buckets);
          const ofTenant = rows.filter((row) => lately.tenantOf(row) === tenant);
          const inRows = (visit: PartVisitor) => {
            for (const row of ofTenant) lately.forEachCount(row, visit);
          };
          expect(collect((add) => eachOf(part, inRows, add))).toEqual(buckets);
          const octaves = tally(durations[part].map(bucketOf).map(octaveOf));
          expect(collect((add) => eachOf(part, (visit) => table.forEachOctave(series, visit), add))).toEqual(octaves);
        }
      });
    }),
  );
});

type Add = (bucket: number, count: number) => void;

function collect(visit: (add: Add) => void): Map<number, number> {
  const counts = new Map<number, number>();
  visit((bucket, count) => counts.set(bucket, (counts.get(bucket) ?? 0) + count));
  return counts;
}

function tally(buckets: readonly number[]): Map<number, number> {
  return collect((add) => {
    for (const bucket of buckets) add(bucket, 1);
  });
}
