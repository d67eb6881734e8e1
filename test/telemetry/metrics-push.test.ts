import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { NumberFamily } from '../../src/metrics/snapshot.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { MetricsPush } from '../../src/telemetry/metrics/metrics-push.ts';
import { planMetrics } from '../../src/telemetry/metrics/plan-metrics.ts';
import { toBatches } from '../../src/telemetry/metrics/to-otlp.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const INTERVAL = 10_000;

function setUp(answer: (batch: number) => Promise<Error | undefined>) {
  const sent: number[] = [];
  const logs: string[] = [];
  let collected = 0;
  const push = new MetricsPush({
    intervalMs: INTERVAL,
    timeoutMs: 5000,
    log: createLogger('info', { write: (line) => void logs.push(line) }),
    *collect() {
      const round = ++collected;
      for (let batch = 0; batch < 3; batch++) yield round * 10 + batch;
    },
    send(batch) {
      sent.push(batch);
      return answer(batch);
    },
  });
  return { push, sent, logs };
}

describe('pushed metrics', () => {
  test('are sent at each interval, one batch after the other', async () => {
    const { push, sent } = setUp(() => Promise.resolve(undefined));
    await vi.advanceTimersByTimeAsync(2 * INTERVAL);
    expect(sent).toEqual([10, 11, 12, 20, 21, 22]);
    expect(push.counts).toEqual({ pushed: 2, failed: 0 });
  });

  test('wait for a collector that hangs with one batch, and leave rounds out meanwhile', async () => {
    const { push, sent } = setUp(() => new Promise(() => {}));
    await vi.advanceTimersByTimeAsync(50 * INTERVAL);
    expect(sent).toEqual([10]);
    const closing = push.close(3000);
    await vi.advanceTimersByTimeAsync(3000);
    await closing;
    expect([sent, vi.getTimerCount()]).toEqual([[10], 0]);
  });

  test('give a round up at its first failure, say so once, and once when it is over', async () => {
    let isAway = true;
    const { push, sent, logs } = setUp(() => Promise.resolve(isAway ? new Error('away') : undefined));
    await vi.advanceTimersByTimeAsync(3 * INTERVAL);
    isAway = false;
    await vi.advanceTimersByTimeAsync(INTERVAL);
    expect(sent).toEqual([10, 20, 30, 40, 41, 42]);
    expect(push.counts).toEqual({ pushed: 1, failed: 3 });
    expect(logs.map((line) => JSON.parse(line).msg)).toEqual([
      'metrics cannot be exported: tried again each interval',
      'metrics are exported again',
    ]);
  });

  test('are sent once more at the end, after the round that runs', async () => {
    const answers: (() => void)[] = [];
    const { push, sent } = setUp(() => new Promise((resolve) => answers.push(() => resolve(undefined))));
    await vi.advanceTimersByTimeAsync(INTERVAL);
    const closing = push.close(10_000);
    for (let batch = 0; batch < 6; batch++) {
      answers.shift()?.();
      await vi.advanceTimersByTimeAsync(0);
    }
    await closing;
    expect(sent).toEqual([10, 11, 12, 20, 21, 22]);
    expect(push.counts.pushed).toBe(2);
  });
});

test('batches hold no more points than they may, and all points once', () => {
  const family = (name: string, points: number): NumberFamily => ({
    name,
    kind: 'counter',
    help: '',
    labels: ['n'],
    points: Array.from({ length: points }, (_, n) => ({ labels: [String(n)], value: n })),
  });
  const families = [family('a', 7), family('none', 0), family('b', 1), family('c', 25)];
  const batches = [...toBatches(families, { startTime: 1, endTime: 2 }, 10)];
  const points = (batch: (typeof batches)[number]) =>
    batch.flatMap(({ descriptor, dataPoints }) => dataPoints.map(({ attributes }) => descriptor.name + attributes.n));
  expect(batches.map((batch) => points(batch).length)).toEqual([10, 10, 10, 3]);
  const all = families.flatMap(({ name, points }) => points.map(({ labels }) => name + labels[0]));
  expect(batches.flatMap(points)).toEqual(all);
});

const OTLP = {
  endpoint: 'http://ours',
  protocol: undefined,
  serviceName: undefined,
  resourceAttributes: {},
  headers: {},
};

test.each([
  [undefined, undefined, {}, undefined],
  [OTLP, undefined, {}, { intervalMs: 60_000, timeoutMs: 30_000, protocol: 'grpc' }],
  [OTLP, { disabled: true, intervalMs: undefined }, { OTEL_METRICS_EXPORTER: 'otlp' }, undefined],
  [OTLP, undefined, { OTEL_METRICS_EXPORTER: 'none' }, undefined],
  [OTLP, undefined, { OTEL_METRICS_EXPORTER: 'prometheus' }, undefined],
  [OTLP, undefined, { OTEL_METRICS_EXPORTER: 'prometheus,otlp' }, { intervalMs: 60_000 }],
  [OTLP, { disabled: false, intervalMs: 5000 }, { OTEL_METRIC_EXPORT_INTERVAL: '7000' }, { intervalMs: 5000 }],
  [undefined, undefined, { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://c:1' }, undefined],
  [
    undefined,
    undefined,
    { OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: 'http://c:1', OTEL_EXPORTER_OTLP_METRICS_PROTOCOL: 'grpc' },
    { protocol: 'grpc' },
  ],
  [
    undefined,
    undefined,
    {
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:1',
      OTEL_METRIC_EXPORT_INTERVAL: '7000',
      OTEL_METRIC_EXPORT_TIMEOUT: 'soon',
      OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: 'delta',
    },
    {
      protocol: 'http/protobuf',
      intervalMs: 7000,
      timeoutMs: 30_000,
      warnings: [expect.stringContaining('is "delta"'), expect.stringContaining('is "soon"')],
    },
  ],
] as const)('with %j, %j and the environment %j metrics are pushed as %j', (otlp, pushed, env, expected) => {
  const plan = planMetrics({ otlp, pushed }, env, {});
  if (expected === undefined) expect(plan).toBeUndefined();
  else expect(plan).toMatchObject(expected);
});
