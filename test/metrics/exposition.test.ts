import { execFileSync, spawnSync } from 'node:child_process';
import { describe, expect, it, test } from 'vitest';
import { leastMemory } from '../../src/metrics/budget.ts';
import { inPieces, type TextFormat, writeMetrics } from '../../src/metrics/exposition.ts';
import { GatewayMetrics } from '../../src/metrics/gateway-metrics.ts';
import { fakeCall, fakeOutcome, fakePlan } from '../chain/fake-call.ts';
import { PrometheusText } from '../support/prometheus-text.ts';

const START = Date.UTC(2026, 0, 1);
const TRAFFIC = { requestMessages: 1, responseMessages: 2, requestOctets: 30, responseOctets: 400 };
const PROMTOOL = spawnSync('promtool', ['--version']).status === 0;

function newMetrics(maxSeries = 100, traceId?: string): GatewayMetrics {
  const limits = { maxSeries, memory: leastMemory(maxSeries) };
  return new GatewayMetrics({
    now: () => START,
    monotonic: () => 0,
    limits,
    traceIdOf: () => (traceId === undefined ? undefined : { text: traceId }),
  });
}

const textOf = (metrics: GatewayMetrics, format: TextFormat) => [...writeMetrics(metrics, format)].join('');

describe('the text of Prometheus', () => {
  const hostile = 'a"b\\c\nd{}=,é';
  const metrics = newMetrics(100, '0af7651916cd43dd8448eb211c80319c');
  for (const [status, ms] of [
    [0, 0.1],
    [0, 3],
    [14, 70_000],
  ] as const) {
    metrics.table.record('acme', 'x.S/M', status, { durationMs: ms, backendMs: ms / 2, traffic: TRAFFIC });
  }
  metrics.table.record(hostile, 'x.S/N', 0, { durationMs: 1 });
  metrics.observe(fakeCall('demo', fakePlan({})), fakeOutcome({ durationMs: 3 }));
  const counter = metrics.instruments.counter(
    { name: 'test_things', help: 'A "help"\\\nof two lines.', labels: ['kind'] },
    2,
  );
  for (const kind of ['a', 'b', 'c', 'd', 'a']) counter.add(1, kind);
  metrics.instruments.observe('gauge', { name: 'test_nothing', help: 'NaN.' }, () => Number.NaN);

  it('is read by a parser of others, with every value and label as it was counted', () => {
    const text = new PrometheusText(textOf(metrics, 'prometheus'));
    expect(text.samples('tollgate_calls_total')).toEqual(
      expect.arrayContaining([
        { value: '2', labels: { tenant: 'acme', method: 'x.S/M', status: 'OK' } },
        { value: '1', labels: { tenant: 'acme', method: 'x.S/M', status: 'UNAVAILABLE' } },
        { value: '1', labels: { tenant: hostile, method: 'x.S/N', status: 'OK' } },
      ]),
    );
    expect(text.sum('tollgate_response_bytes_total', { tenant: 'acme', method: 'x.S/M' })).toBe(1200);
    const bucket = (le: string) => text.sum('tollgate_call_duration_seconds_bucket', { method: 'x.S/M', le });
    expect(['0.000256', '0.002048', '0.004096', '67.108864', '+Inf'].map(bucket)).toEqual([1, 1, 2, 2, 3]);
    expect(text.sum('tollgate_call_duration_seconds_sum', { method: 'x.S/M' })).toBeCloseTo(70.0031, 9);
    expect(text.sum('tollgate_backend_duration_seconds_count')).toBe(3);
    expect(text.sum('tollgate_tenant_call_duration_seconds_count', { tenant: 'acme' })).toBe(3);
    expect(text.samples('test_things_total')).toEqual([
      { value: '2', labels: { kind: 'a' } },
      { value: '1', labels: { kind: 'b' } },
      { value: '2', labels: { kind: 'other' } },
    ]);
    // What is counted is counted once: by status, by method and in the histograms.
    expect([text.sum('tollgate_calls_total'), text.sum('tollgate_call_duration_seconds_count')]).toEqual([5, 5]);
  });

  it('in OpenMetrics has its names without suffix, exemplars, and an end', () => {
    const text = textOf(metrics, 'openmetrics');
    expect(text.endsWith('\n# EOF\n')).toBe(true);
    expect(text).toContain('# TYPE tollgate_calls counter\n');
    expect(text).toContain('tollgate_calls_total{tenant="acme",');
    expect(text).toContain('tenant="a\\"b\\\\c\\nd{}=,é"');
    expect(text).toContain('# HELP test_things A "help"\\\\\\nof two lines.\n');
    expect(text).toMatch(
      /tollgate_call_duration_seconds_bucket\{method="test[^"]*",le="0\.004096"\} 1 # \{trace_id="0af7651916cd43dd8448eb211c80319c"\} 0\.003 1767225600\.000\n/,
    );
    expect(textOf(metrics, 'prometheus')).not.toContain('trace_id');
  });

  it.skipIf(!PROMTOOL)('passes promtool check metrics', () => {
    const own = newMetrics();
    own.table.record('acme', 'x.S/M', 0, { durationMs: 1, backendMs: 1, traffic: TRAFFIC });
    expect(execFileSync('promtool', ['check', 'metrics'], { input: textOf(own, 'prometheus') }).toString()).toBe('');
  });
});

test('has no more series than the budget allows, however many tenants and methods there are, and all of the calls', () => {
  const metrics = newMetrics(500);
  let calls = 0;
  for (let tenant = 0; tenant < 400; tenant++) {
    for (let method = 0; method < 300; method += 1 + (tenant % 7)) {
      metrics.table.record(`t${tenant}`, `x.S/M${method}`, method % 3, {
        durationMs: 1,
        backendMs: 1,
        traffic: TRAFFIC,
      });
      calls++;
    }
  }
  const text = new PrometheusText(textOf(metrics, 'prometheus'));
  expect(text.samples('tollgate_calls_total').length).toBeLessThanOrEqual(500 + 125 + 17);
  expect(text.sum('tollgate_calls_total')).toBe(calls);
  for (const part of ['call', 'backend', 'gateway']) {
    const name = `tollgate_${part}_duration_seconds_count`;
    expect(text.samples(name).length).toBeLessThanOrEqual(51);
    expect(text.sum(name)).toBe(calls);
    expect(text.sum(name, { method: '_other' })).toBeGreaterThan(0);
  }
  const labels = text.families.flatMap(({ name, metrics: rows }) =>
    rows.map((row) => `${name} ${JSON.stringify(row.labels)}`),
  );
  expect(new Set(labels).size).toBe(labels.length);
});

test('comes in pieces of whole lines, none larger than was asked for', () => {
  const lines = Array.from({ length: 500 }, (_, i) => `line_${'é'.repeat(i % 40)} ${i}\n`);
  const pieces = [...inPieces(lines, 300)];
  expect(Buffer.concat(pieces).toString()).toBe(lines.join(''));
  for (const piece of pieces) {
    expect(piece.length).toBeLessThanOrEqual(300);
    expect(piece.toString().endsWith('\n')).toBe(true);
  }
});
