import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BUCKETS, bucketOf, durationOf } from '../../src/metrics/buckets.ts';
import { leastMemory, shareOut } from '../../src/metrics/budget.ts';
import { Part } from '../../src/metrics/counters.ts';
import { Distribution } from '../../src/metrics/distribution.ts';
import { SeriesTable } from '../../src/metrics/series-table.ts';
import { eachOf } from './each-part.ts';

const SHARES = [0.001, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1] as const;
const BUDGET = shareOut({ maxSeries: 10, memory: leastMemory(10) });

/** The quantiles of durations that went through a table, and its log, as calls do. */
function quantilesOf(durations: readonly number[]): Distribution {
  const table = new SeriesTable(BUDGET, 0);
  durations.forEach((durationMs, index) => {
    table.record('a', 'm', 0, { durationMs });
    // In two pieces at least, so that pages are merged.
    if (index === Math.floor(durations.length / 2)) table.flush(0);
  });
  table.flush(1);
  const distribution = new Distribution();
  table.forEach((series) => {
    eachOf(Part.TOTAL, (visit) => table.forEachCount(series, visit), distribution.add);
    distribution.addExact(0, table.maxOf(series));
  });
  return distribution;
}

function check(durations: readonly number[]): void {
  const distribution = quantilesOf(durations);
  const sorted = [...durations].sort((a, b) => a - b);
  for (const share of SHARES) {
    const exact = sorted[Math.max(1, Math.ceil(share * sorted.length)) - 1]!;
    expect(Math.abs(distribution.quantile(share) - exact), `p${share}`).toBeLessThanOrEqual(exact * 0.02);
  }
}

const between = (min: number, max: number) => fc.double({ min, max, noNaN: true });

test('quantiles are within two percent of exact ones over random distributions', () => {
  const distributions = fc.oneof(
    fc.array(between(0.0001, 3.6e6), { minLength: 1, maxLength: 300 }),
    fc.array(between(0.01, 10), { minLength: 1, maxLength: 300 }),
    // Powers: as many short ones as long ones, over twelve orders of magnitude.
    fc.array(
      between(-3, 9).map((exponent) => 10 ** exponent),
      { minLength: 1, maxLength: 300 },
    ),
    // Long tails (Pareto).
    fc.array(
      between(1e-9, 1).map((u) => u ** -1.2),
      { minLength: 1, maxLength: 300 },
    ),
    // Two humps far from each other.
    fc.array(fc.oneof(between(0.1, 0.11), between(5000, 5001)), { minLength: 1, maxLength: 300 }),
  );
  fc.assert(fc.property(distributions, check), { numRuns: 300 });
});

test('and over adversarial ones: the bounds of buckets, their neighbours, and all in one bucket', () => {
  const bound = fc.integer({ min: 12 * 32, max: 50 * 32 }).map((bucket) => lowerBound(bucket));
  const near = fc.tuple(bound, fc.constantFrom(1 - 2 ** -52, 1, 1 + 2 ** -51)).map(([ms, factor]) => ms * factor);
  const ends = fc.integer({ min: 12 * 32, max: 50 * 32 }).chain((bucket) =>
    fc.array(fc.constantFrom(lowerBound(bucket), lowerBound(bucket + 1) * (1 - 2 ** -50)), {
      minLength: 1,
      maxLength: 100,
    }),
  );
  fc.assert(fc.property(fc.oneof(fc.array(near, { minLength: 1, maxLength: 200 }), ends), check), { numRuns: 300 });
});

test('every bucket is told as something that it holds', () => {
  for (let bucket = 1; bucket < BUCKETS; bucket++) expect(bucketOf(durationOf(bucket))).toBe(bucket);
});

test.each([0, -1, Number.NaN, 1e-12, Number.NEGATIVE_INFINITY])('%d ms has a place: the first', (ms) => {
  expect(bucketOf(ms)).toBe(0);
});

test.each([1e300, Number.POSITIVE_INFINITY])('%d ms has a place: the last', (ms) => {
  expect(bucketOf(ms)).toBe(BUCKETS - 1);
});

test('of nothing, quantiles are nothing', () => {
  expect(new Distribution().quantile(0.99)).toBe(0);
});

/** Milliseconds at which a bucket begins, as the contract has it. */
function lowerBound(bucket: number): number {
  return (2 ** (Math.floor(bucket / 32) - 12) * (1 + (bucket % 32) / 32)) / 1000;
}
