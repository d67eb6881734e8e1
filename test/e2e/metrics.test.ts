import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type CallSeries,
  GetMetricsRequest,
  type GetMetricsResponse,
  GetMetricsRequest_Label as Label,
  MetricsServiceService,
  Rank,
  TopMethodsRequest,
  TopTenantsRequest,
} from '../../generated/tollgate/metrics/v1/metrics.ts';
import type { CallKind } from '../../src/contracts/method-entry.ts';
import { fromDuration } from '../../src/metrics/series-report.ts';
import { AdminClient } from '../support/admin-client.ts';
import { EverythingBackend } from '../support/everything-backend.ts';
import { EVERYTHING, METHOD_OF_KIND } from '../support/everything-methods.ts';
import { GrpcClient } from '../support/grpc-client.ts';
import { MetricsWatcher } from '../support/metrics-watcher.ts';
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts';

let backend: EverythingBackend;
let gateway: TestGateway;
let admin: AdminClient;
let alpha: GrpcClient;
let beta: GrpcClient;

beforeAll(async () => {
  backend = await new EverythingBackend().start();
  gateway = await startTestGateway({
    backend: backend.address,
    scopes: (tenant) => (tenant === 'beta' ? [] : ['everything.scoped']),
    edit: (config) => void config.listeners[0]!.contracts.push('tollgate-self'),
  });
  admin = new AdminClient(gateway.admin, gateway.adminKey);
  alpha = new GrpcClient(`127.0.0.1:${gateway.public}`, gateway.key('alpha'));
  beta = new GrpcClient(`127.0.0.1:${gateway.public}`, gateway.key('beta'));
});
afterAll(async () => {
  for (const client of [admin, alpha, beta]) client.close();
  await gateway.stop();
  await backend.stop();
});

const get = (request: Partial<GetMetricsRequest> = {}): Promise<GetMetricsResponse> =>
  admin.call(MetricsServiceService.getMetrics, { ...GetMetricsRequest.fromPartial({}), ...request });

async function seriesOf(method: string, tenantId = 'alpha'): Promise<CallSeries | undefined> {
  return (await get({ tenantId, method: `${EVERYTHING}/${method}` })).series[0];
}

test.each<[CallKind, number, number]>([
  ['unary', 1, 1],
  ['server_stream', 1, 5],
  ['client_stream', 3, 1],
  ['bidi_stream', 3, 3],
])('a call of the kind %s is counted with its messages, bytes and the parts of its time', async (kind, out, back) => {
  const messages = Array.from({ length: out }, () => Buffer.alloc(70_000, 'm'));
  const script = kind === 'server_stream' ? { messages: back, size: 40_000 } : {};
  const answer = await alpha.call(METHOD_OF_KIND[kind], { messages, script });
  expect([answer.code, answer.messages.length]).toEqual([0, back]);
  const series = await seriesOf(METHOD_OF_KIND[kind]);
  expect(series).toMatchObject({
    tenantId: 'alpha',
    status: 'OK',
    calls: 1,
    failures: 0,
    requestMessages: out,
    responseMessages: back,
    requestBytes: out * 70_005,
    responseBytes: answer.messages.reduce((sum, message) => sum + message.length + 5, 0),
    latency: { count: 1 },
    backendLatency: { count: 1 },
    gatewayLatency: { count: 1 },
  });
  const sum = (latency: CallSeries['latency']) => fromDuration(latency?.sum);
  expect(sum(series?.latency)).toBeGreaterThan(0);
  expect(sum(series?.backendLatency) + sum(series?.gatewayLatency)).toBeCloseTo(sum(series?.latency), 3);
});

test('a refusal has no part of a backend', async () => {
  expect((await beta.call('Scoped')).code).toBe(7);
  expect(await seriesOf('Scoped', 'beta')).toMatchObject({
    status: 'PERMISSION_DENIED',
    failures: 1,
    backendLatency: { count: 0 },
    gatewayLatency: { count: 1 },
  });
  expect((await get()).refusals).toMatchObject({ SCOPE_MISSING: 1 });
});

test('the tenants and the methods with the most of something', async () => {
  for (let i = 0; i < 12; i++) await alpha.call('Unary', { script: { code: i === 0 ? 5 : 0 } });
  const tenants = await admin.call(MetricsServiceService.topTenants, TopTenantsRequest.fromPartial({ limit: 1 }));
  expect(tenants).toMatchObject({ tenants: [{ tenantId: 'alpha', method: '', status: '' }] });
  expect(tenants.omitted).toBeGreaterThanOrEqual(1);
  const byFailures = TopMethodsRequest.fromPartial({ by: Rank.RANK_FAILURES, tenantId: 'alpha' });
  const { methods } = await admin.call(MetricsServiceService.topMethods, byFailures);
  expect(methods[0]).toMatchObject({ method: `${EVERYTHING}/Unary`, failures: 1, tenantId: '' });
});

test('a window has what was counted in it, and not what was before', async () => {
  await alpha.call('Open');
  const { startTime, endTime, series } = await get({ window: { seconds: 3600, nanos: 0 } });
  expect(endTime!.getTime()).toBeGreaterThanOrEqual(startTime!.getTime());
  expect(series.some(({ method }) => method === `${EVERYTHING}/Open`)).toBe(true);
});

describe('who watches', () => {
  test('is told all so far, then every call once', async () => {
    const before = (await get({ tenantId: 'alpha', groupBy: [Label.LABEL_TENANT] })).series[0]?.calls ?? 0;
    const watcher = new MetricsWatcher(gateway.admin, gateway.adminKey, 100, { tenantId: 'alpha' });
    await watcher.until(({ messages }) => messages.length > 0);
    expect(watcher.messages[0]?.sinceStart).toBe(true);
    for (let i = 0; i < 30; i++) await alpha.call('Unary');
    await watcher.until((each) => each.calls() >= before + 30);
    expect(watcher.calls()).toBe(before + 30);
    expect(watcher.messages.filter(({ sinceStart }) => sinceStart)).toHaveLength(1);
    watcher.close();
  });

  test('and takes nothing for a while gets it all at once, in fewer messages', async () => {
    const watcher = new MetricsWatcher(gateway.admin, gateway.adminKey, 100, { groupBy: [Label.LABEL_TENANT] });
    const lively = new MetricsWatcher(gateway.admin, gateway.adminKey, 100);
    await watcher.until(({ messages }) => messages.length > 1);
    const before = watcher.calls('alpha');
    watcher.pause();
    const heard = lively.messages.length;
    for (let i = 0; i < 30; i++) await alpha.call('Unary');
    await lively.until(({ messages }) => messages.length > heard + 5);
    watcher.resume();
    await watcher.until((each) => each.calls('alpha') >= before + 30);
    expect(watcher.calls('alpha')).toBe(before + 30);
    watcher.close();
    lively.close();
  });

  test('does not hold up the stop of the gateway', async () => {
    const other = await startTestGateway({ backend: backend.address });
    const watcher = new MetricsWatcher(other.admin, other.adminKey);
    await watcher.until(({ messages }) => messages.length > 0);
    await other.gateway.stop(60_000);
    await watcher.until(() => false);
    expect(watcher.end?.code).toBe(0);
    watcher.close();
    await other.stop();
  });

  test('too often is refused', async () => {
    const watcher = new MetricsWatcher(gateway.admin, gateway.adminKey, 20);
    await watcher.until(() => false);
    expect(watcher.end?.code).toBe(3);
    watcher.close();
  });
});

describe('a tenant, by its own credential and on the public listener,', () => {
  let client: AdminClient;
  beforeAll(() => {
    client = new AdminClient(gateway.public, gateway.key('beta'));
  });
  afterAll(() => client.close());
  const own = (request: Partial<GetMetricsRequest> = {}) =>
    client.call(MetricsServiceService.getMetrics, { ...GetMetricsRequest.fromPartial({}), ...request });

  test('sees its own calls, and nothing of others or of the gateway', async () => {
    await beta.call('Unary');
    await alpha.call('Unary');
    const response = await own();
    expect(new Set(response.series.map(({ tenantId }) => tenantId))).toEqual(new Set(['beta']));
    expect(response).toMatchObject({ refusals: {}, backends: [], floods: [], gateways: [], instruments: [] });
    const { tenants } = await client.call(MetricsServiceService.topTenants, TopTenantsRequest.fromPartial({}));
    expect(tenants.map(({ tenantId }) => tenantId)).toEqual(['beta']);
  });

  test.each(['alpha', '_other', '-', 'nobody'])(
    'asking about %s is told that there is no such tenant',
    async (tenantId) => {
      await expect(own({ tenantId })).rejects.toMatchObject({ code: 5 });
    },
  );

  test('watches itself, and no more than twenty times', async () => {
    const watchers = Array.from({ length: 21 }, () => new MetricsWatcher(gateway.public, gateway.key('beta')));
    await Promise.all(watchers.map((watcher) => watcher.until(({ messages }) => messages.length > 0)));
    expect(watchers.filter(({ end }) => end?.code === 8)).toHaveLength(1);
    const [first] = watchers.filter(({ end }) => end === undefined);
    const before = first!.calls();
    await alpha.call('Unary');
    await beta.call('Unary');
    // The watch itself is a call that has not ended.
    await first!.until((watcher) => watcher.calls() > before);
    const series = first!.messages.flatMap(({ metrics }) => metrics?.series ?? []);
    expect(new Set(series.map(({ tenantId }) => tenantId))).toEqual(new Set(['beta']));
    for (const watcher of watchers) watcher.close();
  });
});
