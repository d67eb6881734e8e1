import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import {
  GetMetricsRequest,
  GetMetricsRequest_Label as Label,
  Rank,
} from '../../generated/tollgate/metrics/v1/metrics.ts';
import { credentialInvalid } from '../../src/chain/refusal.ts';
import { codeName } from '../../src/grpc/status.ts';
import { leastMemory } from '../../src/metrics/budget.ts';
import { Counter } from '../../src/metrics/counters.ts';
import { type BackendProbe, GatewayMetrics, type Reading } from '../../src/metrics/gateway-metrics.ts';
import type { Label as LabelName } from '../../src/metrics/query.ts';
import { Reporter } from '../../src/metrics/reporter.ts';
import { finish } from '../../src/metrics/steps.ts';
import { fakeCall, fakeOutcome, fakePlan } from '../chain/fake-call.ts';

const START = Date.UTC(2026, 0, 1);

/** Metrics of a time that stands still unless it is moved on. */
function newMetrics(maxSeries = 100) {
  let time = 0;
  const limits = { maxSeries, memory: leastMemory(maxSeries) };
  const metrics = new GatewayMetrics({ now: () => START + time, monotonic: () => time, limits });
  const record = (tenant: string, method: string, status: number, durationMs: number, backendMs?: number) =>
    metrics.table.record(tenant, method, status, { durationMs, backendMs });
  const advance = (ms: number) => {
    time += ms;
  };
  return { metrics, record, advance };
}

const rows = ({ groups, order }: Reading) =>
  order.map((group) => [...Object.values(groups.labelsOf(group)), groups.counterOf(group, Counter.CALLS)]);
const total = ({ groups, order }: Reading) =>
  order.reduce((sum, group) => sum + groups.counterOf(group, Counter.CALLS), 0);

describe('calls', () => {
  it('are counted by tenant, method and status', () => {
    const { metrics, record } = newMetrics();
    for (let i = 0; i < 3; i++) record('a', 'x.S/M', 0, 5);
    for (let i = 0; i < 2; i++) record('a', 'x.S/M', 14, 50);
    record('b', 'x.S/N', 0, 1);
    expect(rows(finish(metrics.totals()))).toEqual([
      ['a', 'x.S/M', 'OK', 3],
      ['a', 'x.S/M', 'UNAVAILABLE', 2],
      ['b', 'x.S/N', 'OK', 1],
    ]);
  });

  it('are filtered, summed up, ordered and cut as asked', () => {
    const { metrics, record } = newMetrics();
    for (const tenant of ['a', 'b']) {
      for (const method of ['m', 'n']) for (const status of [0, 0, 14]) record(tenant, method, status, 10);
    }
    record('b', 'n', 14, 500);
    const groups = (groupBy: LabelName[], more = {}) => rows(finish(metrics.totals({ groupBy, ...more })));
    expect(groups(['status'], { tenantId: 'a' })).toEqual([
      ['', '', 'OK', 4],
      ['', '', 'UNAVAILABLE', 2],
    ]);
    expect(groups(['tenant', 'method'], { status: 'OK', method: 'n' })).toEqual([
      ['a', 'n', '', 2],
      ['b', 'n', '', 2],
    ]);
    expect(groups([])).toEqual([['', '', '', 13]]);
    expect(groups([], { tenantId: 'nobody' })).toEqual([]);
    expect(groups([], { method: 'none' })).toEqual([]);
    const first = finish(
      metrics.totals({ groupBy: ['tenant'], limit: 1, rank: (all, group) => all.failuresOf(group) }),
    );
    expect(rows(first)).toEqual([['b', '', '', 7]]);
    expect(first.omitted).toBe(1);
  });

  it('with a status that is none count as UNKNOWN', () => {
    const { metrics, record } = newMetrics();
    for (const status of [17, -1, 255]) record('a', 'm', status, 1);
    expect(rows(finish(metrics.totals()))).toEqual([['a', 'm', 'UNKNOWN', 3]]);
  });
});

describe('the timer', () => {
  it('counts ten times a second, unless totals are being read, and makes a frame every second', () => {
    vi.useFakeTimers();
    const { metrics, record } = newMetrics();
    const { table } = metrics;
    try {
      metrics.start();
      /** How often was counted within so many tenths of a second, with a call in each. */
      const counts = (tenths: number): number => {
        const before = table.counted;
        for (let i = 0; i < tenths; i++) {
          record('a', 'x.S/M', 0, 5);
          vi.advanceTimersByTime(100);
        }
        return table.counted - before;
      };
      expect([counts(9), table.log.last]).toEqual([9, 0]);
      expect([counts(1), table.log.last]).toEqual([1, 1]);
      const done = [metrics.keepTotals(), metrics.keepTotals()];
      expect([counts(9), table.log.last]).toEqual([0, 1]);
      done[0]!();
      expect([counts(1), table.log.last]).toEqual([1, 2]);
      done[1]!();
      expect([counts(10), table.log.last]).toEqual([10, 3]);
      expect(total(finish(metrics.totals()))).toBe(30);
    } finally {
      metrics.close();
      vi.useRealTimers();
    }
  });
});

describe('windows and what is counted since', () => {
  it('a window has what its frames have, and says when they began', () => {
    const { metrics, record, advance } = newMetrics();
    record('a', 'm', 0, 1);
    advance(1000);
    metrics.flush();
    record('a', 'm', 0, 1);
    record('b', 'm', 0, 1);
    advance(1000);
    metrics.flush();
    advance(500);
    record('b', 'm', 0, 1);
    const last = finish(metrics.window({}, 500));
    expect(rows(last)).toEqual([['b', 'm', 'OK', 1]]);
    expect([last.startTime - START, last.endTime - START]).toEqual([2000, 2500]);
    const more = finish(metrics.window({ groupBy: ['tenant'] }, 1200));
    expect(rows(more)).toEqual([
      ['b', '', '', 2],
      ['a', '', '', 1],
    ]);
    expect(more.startTime - START).toBe(1000);
    expect(total(finish(metrics.window({}, 60_000)))).toBe(4);
  });

  it('every call is in one delta and no other, and all of them are the totals, whatever was folded meanwhile', () => {
    const step = fc.oneof(
      { weight: 8, arbitrary: fc.tuple(fc.nat(60), fc.nat(2), fc.constantFrom(0, 5, 14)) },
      { weight: 1, arbitrary: fc.constant('read' as const) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        // Room for what is folded by method and status, so that methods keep their names.
        const { metrics, record, advance } = newMetrics(36);
        let cursor = 0;
        let told = 0;
        const toldByMethod = new Map<string, number>();
        const read = () => {
          advance(1000);
          metrics.refresh();
          const delta = finish(metrics.since({ groupBy: ['method', 'status'] }, cursor));
          expect(delta.sinceStart).toBe(false);
          cursor = delta.cursor;
          told += total(delta);
          for (const group of delta.order) {
            const { method } = delta.groups.labelsOf(group);
            const calls = delta.groups.counterOf(group, Counter.CALLS);
            toldByMethod.set(method, (toldByMethod.get(method) ?? 0) + calls);
          }
        };
        for (const each of steps) {
          if (each === 'read') read();
          else record(`t${each[0]}`, `m${each[1]}`, each[2], 1);
        }
        read();
        const calls = steps.filter((each) => each !== 'read');
        expect(told).toBe(calls.length);
        expect(total(finish(metrics.totals()))).toBe(calls.length);
        const { groups, order } = finish(metrics.totals({ groupBy: ['method'] }));
        for (const group of order) {
          expect(toldByMethod.get(groups.labelsOf(group).method)).toBe(groups.counterOf(group, Counter.CALLS));
        }
      }),
      { numRuns: 30 },
    );
  });

  it('who was away for too long is given everything', () => {
    const { metrics, record, advance } = newMetrics(2000);
    record('first', 'm', 0, 1);
    metrics.flush();
    const { cursor } = finish(metrics.since({}, 0));
    // The log of so small a budget holds a mebibyte: some hundred frames of this.
    for (let i = 0; i < 500; i++) {
      for (let k = 0; k < 50; k++) record(`t${k}`, 'm', 0, 1 + k + i);
      advance(1000);
      metrics.flush();
    }
    const late = finish(metrics.since({}, cursor));
    expect(late.sinceStart).toBe(true);
    expect(total(late)).toBe(25_001);
    expect(finish(metrics.since({}, late.cursor))).toMatchObject({ sinceStart: false, order: [] });
    const window = finish(metrics.window({}, 3_600_000));
    expect(window.sinceStart).toBe(false);
    expect(window.startTime).toBeGreaterThan(START + 100_000);
  });
});

describe('the end of a call', () => {
  const probe: BackendProbe = {
    outstanding: () => 7,
    connections: () => 2,
    endpoints: () => 1,
    breakerState: () => 'half_open',
    isFailure: (status) => status === 14,
  };

  it('counts refusals by reason, and calls and failures by backend', () => {
    const { metrics } = newMetrics();
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
    expect(metrics.backends()).toMatchObject([{ name: 'test', breaker: 'half_open', outstanding: 7, calls: 3 }]);
    expect(metrics.backends()[0]?.failures).toBe(1);
    expect([...metrics.refusals()]).toEqual([['CREDENTIAL_INVALID', 1]]);
    expect(rows(finish(metrics.totals({ status: 'UNAUTHENTICATED' })))).toEqual([['-', '-', codeName(16), 1]]);
  });

  it('is reported with messages, bytes and the parts of its time', () => {
    const { metrics } = newMetrics();
    metrics.addBackend('test', probe);
    const traffic = { requestMessages: 1, responseMessages: 3, requestOctets: 10, responseOctets: 300 };
    const call = fakeCall('demo', fakePlan({}));
    metrics.observe(call, fakeOutcome({ durationMs: 1500.5, backendMs: 1000, traffic }));
    metrics.observe(call, fakeOutcome({ status: 8, durationMs: 0.5, reachedBackend: false }));
    const reporter = new Reporter({
      metrics,
      floods: () => [{ peer: 'listener public', kind: 'ping', count: 3 }],
      store: () => undefined,
      limits: () => [],
      now: () => 0,
      id: 'one',
      address: () => '127.0.0.1:1',
    });
    const request = GetMetricsRequest.fromPartial({ tenantId: 'demo', groupBy: [Label.LABEL_TENANT] });
    const { response } = reporter.report(request, 'administrator');
    expect(response).toMatchObject({
      series: [
        {
          tenantId: 'demo',
          method: '',
          status: '',
          calls: 2,
          failures: 1,
          requestMessages: 1,
          responseMessages: 3,
          requestBytes: 10,
          responseBytes: 300,
          latency: { count: 2, max: { seconds: 1, nanos: 500_500_000 }, sum: { seconds: 1, nanos: 501_000_000 } },
          backendLatency: { count: 1, sum: { seconds: 1, nanos: 0 } },
          gatewayLatency: { count: 2, sum: { seconds: 0, nanos: 501_000_000 } },
        },
      ],
      startTime: new Date(START),
      refusals: {},
      backends: [{ backend: 'test', breaker: 3, outstandingCalls: 7, connections: 2, endpoints: 1 }],
      floods: [{ peer: 'listener public', kind: 'ping', count: 3 }],
      gateways: [{ id: 'one', address: '127.0.0.1:1', answered: true }],
    });
    const failed = { ...request, groupBy: [], orderBy: Rank.RANK_FAILURES };
    expect(reporter.report(failed, 'administrator').response.series[0]).toMatchObject({ status: 'RESOURCE_EXHAUSTED' });
    const own = reporter.report(request, 'tenant').response;
    expect(own).toMatchObject({ refusals: {}, backends: [], floods: [], gateways: [], instruments: [] });
    expect(own.series).toEqual(response.series);
  });
});
