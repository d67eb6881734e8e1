import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { UsageServiceService } from '../../generated/tollgate/admin/v1/usage.ts';
import { type Config, Store_Redis } from '../../generated/tollgate/config/v1/config.ts';
import {
  GetMetricsRequest,
  GetMetricsRequest_Label as Label,
  MetricsServiceService,
  GetMetricsRequest_Scope as Scope,
  TopTenantsRequest,
} from '../../generated/tollgate/metrics/v1/metrics.ts';
import { AdminClient } from '../support/admin-client.ts';
import { EverythingBackend } from '../support/everything-backend.ts';
import { EVERYTHING } from '../support/everything-methods.ts';
import { type ClientCall, GrpcClient } from '../support/grpc-client.ts';
import { MetricsWatcher } from '../support/metrics-watcher.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { newKey } from '../support/test-config.ts';
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts';

const KEYS = { alpha: newKey('alpha'), beta: newKey('beta') };
const FLEET = { scope: Scope.SCOPE_FLEET };

let redis: RedisServer;
let backend: EverythingBackend;
const gateways: TestGateway[] = [];
const clients: GrpcClient[] = [];
let admin: AdminClient;
let adminKey: string;

const edit = (config: Config): void => {
  const url = `redis://127.0.0.1:${redis.port}`;
  config.store = { kind: { $case: 'redis', redis: Store_Redis.fromPartial({ url }) } };
  config.listeners[0]!.contracts.push('tollgate-self');
  for (const tenant of config.tenants) {
    const sha256 = createHash('sha256')
      .update(KEYS[tenant.id as keyof typeof KEYS])
      .digest('hex');
    tenant.keys = [{ name: 'test', secret: { $case: 'sha256', sha256 }, scopes: [], limits: [] }];
  }
};

beforeAll(async () => {
  redis = await startRedis({});
  backend = await new EverythingBackend().start();
  for (let i = 0; i < 3; i++) gateways.push(await startTestGateway({ backend: backend.address, edit }));
  // The last that was started has set it.
  adminKey = gateways[2]!.adminKey;
  admin = new AdminClient(gateways[0]!.admin, adminKey);
  for (const gateway of gateways) clients.push(new GrpcClient(`127.0.0.1:${gateway.public}`, KEYS.alpha));
  // Each gateway has heard of the others once it asks: the asker knows whom to wait for.
  while ((await ids()).length < 3);
  await Promise.all(clients.map((client, i) => Promise.all(Array.from({ length: i + 1 }, () => callOk(client)))));
});

afterAll(async () => {
  admin?.close();
  for (const client of clients) client.close();
  for (const gateway of gateways) await gateway.stop();
  await backend?.stop();
  await redis?.stop();
});

const get = (request: Partial<GetMetricsRequest>) =>
  admin.call(MetricsServiceService.getMetrics, {
    ...GetMetricsRequest.fromPartial({ tenantId: 'alpha', status: 'OK' }),
    ...request,
  });

/** A Redis that is slow for once refuses a call, as its plan says: what is counted here went well. */
async function callOk(client: GrpcClient): Promise<void> {
  while ((await client.call('Unary')).code !== 0);
}

async function ids(): Promise<string[]> {
  return (await get({ ...FLEET, tenantId: '' })).gateways.map(({ id }) => id);
}

describe('over the fleet', () => {
  test('series of all gateways are added up, with their latencies, and it is said whose they are', async () => {
    const { series, gateways: told } = await get({ ...FLEET, groupBy: [Label.LABEL_TENANT] });
    expect(series).toMatchObject([
      { tenantId: 'alpha', calls: 6, latency: { count: 6 }, backendLatency: { count: 6 } },
    ]);
    expect(series[0]?.latency?.histogram).toBeUndefined();
    expect(told.map(({ answered }) => answered)).toEqual([true, true, true]);
    expect(new Set(told.map(({ address }) => address))).toEqual(
      new Set(gateways.map(({ public: port }) => `127.0.0.1:${port}`)),
    );
  });

  test('one gateway is asked by its id, and one that is not there is not found', async () => {
    const calls = await Promise.all(
      (await ids()).map(async (gatewayId) => (await get({ gatewayId, groupBy: [] })).series[0]?.calls),
    );
    expect(calls.sort()).toEqual([1, 2, 3]);
    await expect(get({ gatewayId: 'nobody' })).rejects.toMatchObject({ code: 5 });
  });

  test('a window, and the tenants with the most, are of all as well', async () => {
    const window = { seconds: 3600, nanos: 0 };
    expect((await get({ ...FLEET, window, groupBy: [] })).series[0]?.calls).toBe(6);
    const request = TopTenantsRequest.fromPartial({ ...FLEET, limit: 1, method: `${EVERYTHING}/Unary` });
    const { tenants } = await admin.call(MetricsServiceService.topTenants, request);
    expect(tenants).toMatchObject([{ tenantId: 'alpha' }]);
    expect(tenants[0]?.calls).toBeGreaterThanOrEqual(6);
  });

  test('a watcher of one hears of the calls of all, each once', async () => {
    const watcher = new MetricsWatcher(gateways[1]!.admin, adminKey, 100, {
      ...FLEET,
      tenantId: 'alpha',
      status: 'OK',
    });
    await watcher.until((each) => each.calls() >= 6);
    for (let round = 0; round < 5; round++) await Promise.all(clients.map(callOk));
    await watcher.until((each) => each.calls() >= 21);
    expect(watcher.calls()).toBe(21);
    watcher.close();
  });

  test('a tenant sees itself on all gateways, and nothing of them', async () => {
    const own = new AdminClient(gateways[2]!.public, KEYS.beta);
    const other = new GrpcClient(`127.0.0.1:${gateways[0]!.public}`, KEYS.beta);
    await callOk(other);
    const response = await own.call(
      MetricsServiceService.getMetrics,
      GetMetricsRequest.fromPartial({ ...FLEET, status: 'OK' }),
    );
    expect(response.series.filter(({ method }) => method.endsWith('/Unary'))).toMatchObject([
      { tenantId: 'beta', calls: 1 },
    ]);
    expect(response).toMatchObject({ gateways: [], backends: [], refusals: {}, instruments: [] });
    own.close();
    other.close();
  });

  test('usage tells of the calls that run on all gateways, and of gateways that do not answer', async () => {
    const begun = gateways.map((gateway, i) => {
      const client = new GrpcClient(`127.0.0.1:${gateway.public}`, KEYS.beta);
      clients.push(client);
      const calls = Array.from({ length: i + 1 }, () => {
        const first = Promise.withResolvers<ClientCall>();
        const end = client.call('BidiStream', { keepOpen: true, onMessage: (call) => first.resolve(call) });
        return { first: first.promise, end };
      });
      return calls;
    });
    const running = begun.flat();
    const calls = await Promise.all(running.map(({ first }) => first));
    const usage = (fleet: boolean) => admin.call(UsageServiceService.getUsage, { tenantId: 'beta', fleet });
    // A gateway that is late on a busy machine is told as one that did not answer.
    let told = await usage(true);
    while ((told.concurrency?.silentGateways ?? 0) > 0) told = await usage(true);
    expect(told.concurrency).toMatchObject({ running: 1, fleetRunning: 6 });
    expect((await usage(false)).concurrency).toMatchObject({ running: 1, fleetRunning: undefined, silentGateways: 0 });
    for (const call of calls) call.end?.();
    await Promise.all(running.map(({ end }) => end));
  });

  test('without Redis the gateway that is asked answers for itself, and says who did not', async () => {
    const before = await ids();
    await redis.stop();
    const { series, gateways: told } = await get({ ...FLEET, groupBy: [] });
    expect(series[0]!.calls).toBeLessThan(21);
    expect(told.map(({ id }) => id).sort()).toEqual(before.sort());
    expect(told.filter(({ answered }) => answered)).toHaveLength(1);
  });
});
