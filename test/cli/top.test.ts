import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { GetMetricsResponse } from '../../generated/tollgate/metrics/v1/metrics.ts';
import { formatDuration, formatPerSecond } from '../../src/cli/format-rates.ts';
import { run } from '../../src/cli/program.ts';
import { renderTop, type TopState } from '../../src/cli/top-view.ts';
import { EverythingBackend } from '../support/everything-backend.ts';
import { GrpcClient } from '../support/grpc-client.ts';
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts';
import { Watch } from '../support/watch.ts';
import { createFakeIo, runCli } from './fake-io.ts';

const ms = (n: number) => ({ seconds: 0, nanos: n * 1e6 });

const STATE: TopState = {
  address: '127.0.0.1:7401',
  seconds: 2,
  refusals: new Map([
    ['RATE_LIMITED', 3],
    ['QUOTA_EXHAUSTED', 8],
  ]),
  sort: 'calls',
  by: 'both',
  metrics: GetMetricsResponse.fromPartial({
    series: [
      {
        tenantId: 'acme',
        method: 'shop.v1.ShopService/Get',
        calls: 40,
        failures: 2,
        requestBytes: 5_000,
        responseBytes: 3_000_000,
        latency: { p50: ms(1.5), p99: ms(250) },
      },
      { tenantId: 'evil\x1b[2J', method: 'x.S/M', calls: 9, failures: 9, latency: { p50: ms(3), p99: ms(4) } },
      { tenantId: 'calm', method: 'x.S/M', calls: 1, failures: 0, latency: { p50: ms(2000), p99: ms(9000) } },
    ],
    limits: [
      { tenantId: 'acme', name: 'units/day', kind: 3, used: 97, limit: 100 },
      { tenantId: 'acme', name: 'calls', kind: 1, used: 10, limit: 100 },
    ],
    backends: [{ backend: 'shop', breaker: 2, outstandingCalls: 4 }],
    gateways: [
      { id: 'a', answered: true },
      { id: 'b', answered: false },
    ],
  }),
};

describe('the view', () => {
  test('has rates, latencies, refusals, limits near their end and breakers', () => {
    const text = renderTop(STATE, 200, 40).join('\n');
    expect(text).toContain('127.0.0.1:7401, 1 gateways (1 silent)');
    expect(text).toContain(
      'calls/s 25   failed/s 5.5   in 2.5kB/s   out 1.5MB/s   refused/s QUOTA_EXHAUSTED 4, RATE_LIMITED 1.5',
    );
    expect(text).toMatch(/acme +shop\.v1\.ShopService\/Get +20 +1 +1\.50 ms +250 ms/);
    expect(text).toMatch(/97 % {2}acme {2}quota units\/day {2}97 of 100/);
    expect(text).not.toContain('10 of 100');
    expect(text).toContain('backends 1, 4 calls running, breakers shop OPEN');
    // Other people's text does not move the cursor.
    expect(text).toContain('evil\\x1b[2J');
  });

  test.each([
    ['calls', ['acme', 'evil', 'calm']],
    ['failures', ['evil', 'acme', 'calm']],
    ['p50', ['calm', 'evil', 'acme']],
    ['p99', ['calm', 'acme', 'evil']],
    ['bytes', ['acme', 'evil', 'calm']],
  ] as const)('is sorted by %s', (sort, order) => {
    const text = renderTop({ ...STATE, sort }, 200, 40).join('\n');
    expect([...text.matchAll(/^(acme|evil|calm)/gm)].map(([name]) => name)).toEqual(order);
  });

  test.each([
    [200, 40],
    [60, 14],
    [40, 9],
    [20, 3],
  ])('is no wider than %d columns and no higher than %d lines', (columns, rows) => {
    const lines = renderTop(STATE, columns, rows);
    expect(lines.length).toBeLessThanOrEqual(rows);
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(columns);
  });

  test('cuts names of methods at their begin, and says what it leaves out', () => {
    const text = renderTop(STATE, 90, 12).join('\n');
    expect(text).toMatch(/acme +….*Service\/Get/);
    expect(text).toMatch(/^\d more$/m);
  });
});

test.each([
  [0, '0'],
  [0.04, '0.0'],
  [0.3, '0.3'],
  [17, '17'],
  [999.4, '999'],
  [999.6, '1.0k'],
  [4_210, '4.2k'],
  [12_345_678, '12M'],
])('%d a second is written %s', (value, text) => expect(formatPerSecond(value)).toBe(text));

test.each([
  [0, '0 us'],
  [0.25, '250 us'],
  [1.234, '1.23 ms'],
  [45.6, '46 ms'],
  [1500, '1.50 s'],
])('%d ms are written %s', (value, text) => expect(formatDuration(value)).toBe(text));

describe('tollgate top', () => {
  let backend: EverythingBackend;
  let gateway: TestGateway;
  let client: GrpcClient;
  beforeAll(async () => {
    backend = await new EverythingBackend().start();
    gateway = await startTestGateway({ backend: backend.address });
    client = new GrpcClient(`127.0.0.1:${gateway.public}`, gateway.key('alpha'));
    for (let i = 0; i < 20; i++) await client.call('Unary');
  });
  afterAll(async () => {
    client.close();
    await gateway.stop();
    await backend.stop();
  });
  const top = (...args: string[]) =>
    runCli(['top', '--address', `127.0.0.1:${gateway.admin}`, ...args], { TOLLGATE_ADMIN_KEY: gateway.adminKey });

  test('without a terminal, and with --once, is a snapshot', async () => {
    const { code, out } = await top('--by', 'tenant', '--once');
    expect(code).toBe(0);
    expect(out).toMatch(/^tollgate top .*by tenant, sorted by calls/);
    expect(out).toMatch(/^alpha +[\d.]+/m);
    expect(out).not.toContain('\x1b');
    expect((await top('--tenant', 'nobody')).out).toContain('no calls');
  });

  test('as JSON says what the service does', async () => {
    const { out } = await top('--output', 'json');
    const { series } = JSON.parse(out) as GetMetricsResponse;
    expect(series.some(({ tenantId }) => tenantId === 'alpha')).toBe(true);
  });

  test('draws what keys ask for until q, and leaves the screen as it was', async () => {
    const watch = new Watch();
    const fake = createFakeIo({ TOLLGATE_ADMIN_KEY: gateway.adminKey });
    let press: (key: string) => void = () => {};
    let screen = '';
    const io = {
      ...fake,
      stdout: {
        write: (text: string) => {
          screen = text;
          fake.stdout.write(text);
          watch.changed();
        },
      },
      terminal: {
        size: () => ({ columns: 120, rows: 30 }),
        onKey: (listener: (key: string) => void) => {
          press = listener;
          return () => {};
        },
      },
    };
    const done = run(['top', '--address', `127.0.0.1:${gateway.admin}`, '--interval', '0.1'], io);
    await watch.until(() => screen.includes('by tenant and method, sorted by calls'));
    press('9');
    await watch.until(() => screen.includes('sorted by p99'));
    press('t');
    await watch.until(() => screen.includes('by tenant, sorted by p99'));
    const calls = Promise.all(Array.from({ length: 10 }, () => client.call('Unary')));
    await watch.until(() => /^alpha /m.test(screen));
    await calls;
    press('q');
    expect(await done).toBe(0);
    expect(fake.out().startsWith('\x1b[?1049h')).toBe(true);
    expect(fake.out().endsWith('\x1b[?1049l')).toBe(true);
  });

  test('says what an interval may be', async () => {
    const { code, err } = await top('--interval', '0.01');
    expect([code, err]).toEqual([expect.any(Number), expect.stringContaining('0.1 to 3600')]);
    expect(code).not.toBe(0);
  });
});
