import { beforeEach, expect, test } from 'vitest';
import { GetMetricsRequest, GetMetricsResponse } from '../../generated/tollgate/metrics/v1/metrics.ts';
import { leastMemory } from '../../src/metrics/budget.ts';
import { GatewayMetrics } from '../../src/metrics/gateway-metrics.ts';
import { Reporter } from '../../src/metrics/reporter.ts';

const SERIES = 250;
const QUERY = GetMetricsRequest.fromPartial({});

let metrics: GatewayMetrics;
let reporter: Reporter;
let time = 0;

beforeEach(() => {
  time = 0;
  const limits = { maxSeries: 1000, memory: leastMemory(1000) };
  metrics = new GatewayMetrics({ now: () => 0, monotonic: () => time, limits });
  const nothing = { now: () => performance.now(), floods: () => [], store: () => undefined, limits: () => [] };
  reporter = new Reporter({ ...nothing, metrics, id: 'one', address: () => '' });
});

function record(rounds: number): void {
  for (let i = 0; i < rounds * SERIES; i++) {
    metrics.table.record(`tenant-${i % SERIES}`, 'x.S/M', 0, { durationMs: 1 + (i % 7) });
  }
  time += 1000;
  metrics.flush();
}

const octetsOf = (response: GetMetricsResponse): Uint8Array => GetMetricsResponse.encode(response).finish();

test('what was counted since is told over several turns, and is what is told in one; those who ask alike share it', async () => {
  record(1);
  const { cursor } = reporter.report(QUERY, 'administrator');
  record(2);
  let turns = 0;
  const count = () => {
    turns++;
    next = setImmediate(count);
  };
  let next = setImmediate(count);
  const following = reporter.follow(QUERY, 'administrator', cursor);
  expect(reporter.follow(QUERY, 'administrator', cursor)).toBe(following);
  const followed = await following;
  clearImmediate(next);
  expect(turns).toBeGreaterThanOrEqual(2);
  const { encoded, ...place } = followed;
  const { response, ...expected } = reporter.report(QUERY, 'administrator', cursor);
  expect(place).toEqual(expected);
  expect(GetMetricsResponse.decode(encoded)).toEqual(GetMetricsResponse.decode(octetsOf(response)));
  expect(response.series).toHaveLength(SERIES);
  expect([followed.sinceStart, response.series[0]?.calls]).toEqual([false, 2]);
});

test('who follows while the log goes over what is being told begins anew from the totals', async () => {
  record(1);
  const { cursor } = reporter.report(QUERY, 'administrator');
  record(1);
  const following = reporter.follow(QUERY, 'administrator', cursor);
  let rounds = 2;
  for (; metrics.table.log.has(cursor); rounds++) record(1);
  const { sinceStart, encoded } = await following;
  expect([sinceStart, GetMetricsResponse.decode(encoded).series.reduce((sum, { calls }) => sum + calls, 0)]).toEqual([
    true,
    rounds * SERIES,
  ]);
});

test('all since the start is told over several turns, too, and in one when it changes under the reader', async () => {
  record(1);
  const first = reporter.follow(QUERY, 'administrator', undefined);
  expect(reporter.follow(QUERY, 'administrator', undefined)).toBe(first);
  expect(GetMetricsResponse.decode((await first).encoded).series.map(({ calls }) => calls)).toEqual(
    new Array(SERIES).fill(1),
  );

  record(1);
  const second = reporter.follow(QUERY, 'administrator', undefined);
  record(1);
  const { sinceStart, cursor, encoded } = await second;
  expect([sinceStart, cursor]).toEqual([true, metrics.table.log.last]);
  expect(GetMetricsResponse.decode(encoded).series.map(({ calls }) => calls)).toEqual(new Array(SERIES).fill(3));
});
