import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  BackendMetrics_BreakerState,
  GetMetricsRequest_Label as Label,
} from '../../generated/tollgate/metrics/v1/metrics.ts';
import { credentialInvalid } from '../../src/chain/refusal.ts';
import { type BackendProbe, GatewayMetrics } from '../../src/metrics/gateway-metrics.ts';
import { bucketOf, durationOf } from '../../src/metrics/histogram.ts';
import { fakeCall, fakeOutcome, fakePlan } from '../chain/fake-call.ts';

const START = Date.UTC(2026, 0, 1);

function newMetrics(maxSeries?: number): GatewayMetrics {
  return new GatewayMetrics({ now: () => START, maxSeries });
}

describe('calls', () => {
  it('are counted by tenant, method and status', () => {
    const metrics = newMetrics();
    for (let i = 0; i < 3; i++) metrics.record('a', 'x.S/M', 0, 5);
    metrics.record('a', 'x.S/M', 14, 50);
    metrics.record('b', 'x.S/N', 0, 1);
    metrics.record(undefined, undefined, 16, 0.01);
    const rows = metrics.query().map((s) => [s.tenantId, s.method, s.status, s.calls]);
    expect(rows).toEqual([
      ['a', 'x.S/M', 'OK', 3],
      ['a', 'x.S/M', 'UNAVAILABLE', 1],
      ['b', 'x.S/N', 'OK', 1],
      ['-', '-', 'UNAUTHENTICATED', 1],
    ]);
  });

  it('are filtered and summed up as asked', () => {
    const metrics = newMetrics();
    for (const tenant of ['a', 'b']) {
      for (const method of ['m', 'n']) for (const status of [0, 0, 14]) metrics.record(tenant, method, status, 10);
    }
    expect(metrics.query({ tenantId: 'a', groupBy: ['status'] })).toMatchObject([
      { tenantId: '', method: '', status: 'OK', calls: 4 },
      { tenantId: '', method: '', status: 'UNAVAILABLE', calls: 2 },
    ]);
    expect(metrics.query({ status: 'OK', method: 'n', groupBy: ['tenant', 'method'] })).toMatchObject([
      { tenantId: 'a', method: 'n', status: '', calls: 2 },
      { tenantId: 'b', method: 'n', status: '', calls: 2 },
    ]);
    expect(metrics.query({ groupBy: [] })).toMatchObject([{ calls: 12, latency: { max: 10, sum: 120 } }]);
    expect(metrics.query({ tenantId: 'nobody' })).toEqual([]);
  });

  it('with a status that is none count as UNKNOWN', () => {
    const metrics = newMetrics();
    for (const status of [17, -1, 255]) metrics.record('a', 'm', status, 1);
    expect(metrics.query()).toMatchObject([{ status: 'UNKNOWN', calls: 3 }]);
  });

  it('of whatever series and however many add up, in bounded memory', () => {
    const record = fc.tuple(
      fc.integer({ min: 0, max: 30 }),
      fc.integer({ min: 0, max: 5 }),
      fc.integer({ min: 0, max: 16 }),
      fc.double({ min: 0, max: 1e4, noNaN: true }),
    );
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), fc.array(record, { maxLength: 400 }), (budget, records) => {
        const metrics = newMetrics(budget);
        for (const [tenant, method, status, ms] of records) metrics.record(`t${tenant}`, `m${method}`, status, ms);
        const series = metrics.query();
        expect(series.length).toBeLessThanOrEqual(budget + 17);
        const own = series.filter((each) => each.tenantId !== 'other');
        expect(own.length).toBe(Math.min(budget, new Set(records.map(([t, m, s]) => `${t} ${m} ${s}`)).size));
        expect(series.reduce((sum, each) => sum + each.calls, 0)).toBe(records.length);
        const byStatus = metrics.query({ groupBy: ['status'] });
        for (const { status, calls } of byStatus) {
          expect(calls).toBe(series.filter((each) => each.status === status).reduce((n, each) => n + each.calls, 0));
        }
        const [all] = metrics.query({ groupBy: [] });
        expect(all?.latency.sum ?? 0).toBeCloseTo(
          records.reduce((sum, [, , , ms]) => sum + ms, 0),
          3,
        );
      }),
    );
  });

  it('beyond the budget keep their status under `other`', () => {
    const metrics = newMetrics(1);
    for (let i = 0; i < 100; i++) metrics.record(`t${i}`, 'm', i % 2 ? 0 : 13, 1);
    expect(metrics.query().map((s) => [s.tenantId, s.method, s.status, s.calls])).toEqual([
      ['other', 'other', 'OK', 50],
      ['other', 'other', 'INTERNAL', 49],
      ['t0', 'm', 'INTERNAL', 1],
    ]);
  });
});

describe('latencies', () => {
  it('have quantiles within two percent', () => {
    const durations = fc.array(
      fc.oneof(fc.double({ min: 0.001, max: 3.6e6, noNaN: true }), fc.double({ min: 0.01, max: 10, noNaN: true })),
      { minLength: 1, maxLength: 300 },
    );
    fc.assert(
      fc.property(durations, (all) => {
        const metrics = newMetrics();
        for (const ms of all) metrics.record('a', 'm', 0, ms);
        const sorted = [...all].sort((a, b) => a - b);
        const { latency } = metrics.query()[0]!;
        for (const [share, told] of [
          [0.5, latency.p50],
          [0.9, latency.p90],
          [0.99, latency.p99],
        ] as const) {
          const exact = sorted[Math.ceil(share * sorted.length) - 1]!;
          expect(Math.abs(told - exact)).toBeLessThanOrEqual(exact * 0.0200001);
        }
        expect(latency.max).toBe(sorted.at(-1));
      }),
    );
  });

  it('of no or endless time have a place', () => {
    const metrics = newMetrics();
    for (const ms of [0, -1, Number.NaN, 1e-9]) metrics.record('a', 'm', 0, ms);
    expect(metrics.query()[0]?.latency.p99).toBeLessThan(0.001);
    metrics.record('a', 'm', 0, 1e9);
    expect(metrics.query()[0]).toMatchObject({ calls: 5, latency: { max: 1e9 } });
    expect(bucketOf(Number.POSITIVE_INFINITY)).toBe(bucketOf(3.6e6));
    expect(durationOf(bucketOf(1))).toBeCloseTo(1, 1);
  });
});

describe('the end of a call', () => {
  const probe: BackendProbe = {
    outstanding: () => 7,
    breakerState: () => 'half_open',
    isFailure: (status) => status === 14,
  };

  it('counts refusals by reason, and calls and failures by backend', () => {
    const metrics = newMetrics();
    metrics.addBackend('test', probe);
    const call = fakeCall('demo', fakePlan({}));
    const end = (outcome: Parameters<typeof fakeOutcome>[0]) => metrics.observe(call, fakeOutcome(outcome));
    end({});
    end({ status: 14 });
    end({ status: 14, cancelled: true });
    end({ status: 14, reachedBackend: false });
    metrics.observe(
      { tenant: undefined, method: undefined },
      fakeOutcome({ status: 16, refusal: credentialInvalid(), reachedBackend: false }),
    );
    expect(metrics.backends()).toEqual([{ name: 'test', breaker: 'half_open', outstanding: 7, calls: 3, failures: 1 }]);
    expect([...metrics.refusals()]).toEqual([['CREDENTIAL_INVALID', 1]]);
  });

  it('is reported over the wire', () => {
    const metrics = newMetrics();
    metrics.addBackend('test', probe);
    metrics.observe(fakeCall('demo', fakePlan({})), fakeOutcome({ durationMs: 1500.5 }));
    const request = { tenantId: 'demo', method: '', status: '', groupBy: [Label.LABEL_TENANT] };
    expect(metrics.getMetrics(request)).toMatchObject({
      series: [
        {
          tenantId: 'demo',
          method: '',
          status: '',
          calls: 1,
          latency: { max: { seconds: 1, nanos: 500_500_000 }, sum: { seconds: 1, nanos: 500_500_000 } },
        },
      ],
      startTime: new Date(START),
      endTime: new Date(START),
      refusals: {},
      backends: [
        { backend: 'test', breaker: BackendMetrics_BreakerState.BREAKER_STATE_HALF_OPEN, outstandingCalls: 7 },
      ],
    });
    expect(metrics.getMetrics({ ...request, groupBy: [], status: 'INTERNAL' }).series).toEqual([]);
  });
});
