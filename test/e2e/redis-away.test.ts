import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Plan_WhenStoreSilent } from '../../generated/tollgate/admin/v1/plan.ts';
import { Store_Redis } from '../../generated/tollgate/config/v1/config.ts';
import { GetMetricsRequest, MetricsServiceService } from '../../generated/tollgate/metrics/v1/metrics.ts';
import { AdminClient } from '../support/admin-client.ts';
import { EverythingBackend } from '../support/everything-backend.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import { GrpcClient } from '../support/grpc-client.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';

const backend = new EverythingBackend();
let redis: RedisServer;
let gateway: GatewayProcess;

beforeAll(async () => {
  await backend.start();
  redis = await startRedis({ durable: true });
  gateway = await GatewayProcess.start({
    backend: backend.address,
    edit: (config) => {
      config.store = { kind: { $case: 'redis', redis: Store_Redis.fromPartial({ url: redis.url }) } };
      // What is left of a quota nobody knows who has just started.
      for (const plan of config.plans) plan.whenStoreSilent = Plan_WhenStoreSilent.WHEN_STORE_SILENT_OPEN;
    },
  });
});
afterAll(async () => {
  await gateway?.dispose();
  await redis?.stop();
  backend.stop();
});

async function codeOf(key: string): Promise<number> {
  const client = new GrpcClient(`127.0.0.1:${gateway.public}`, key);
  try {
    return (await client.call('Unary')).code;
  } finally {
    client.close();
  }
}

async function withAdmin<T>(use: (admin: AdminClient) => Promise<T>): Promise<T> {
  const admin = new AdminClient(gateway.admin, gateway.config.adminKey);
  try {
    return await use(admin);
  } finally {
    admin.close();
  }
}

const store = () =>
  withAdmin(async (admin) => (await admin.call(MetricsServiceService.getMetrics, GetMetricsRequest.create())).store);

test('a gateway starts without Redis, knows every key, takes no changes, and all of them when Redis is back', async () => {
  const { key } = await withAdmin((admin) => admin.createKey('alpha', 'made-by-an-admin'));
  expect(await codeOf(key)).toBe(status.OK);
  expect(await store()).toMatchObject({ silent: false, liveGateways: 1 });
  await gateway.kill('SIGTERM');
  await redis.kill();
  await gateway.start();
  expect(gateway.output).toContain('degraded');
  expect(await codeOf(key)).toBe(status.OK);
  expect(await codeOf('tg_x_0000000000000000_000000000000000000000000000000000000000000000')).toBe(
    status.UNAUTHENTICATED,
  );
  await withAdmin((admin) =>
    expect(admin.createTenant('gamma', 'wide')).rejects.toMatchObject({ code: status.UNAVAILABLE }),
  );
  await redis.restart();
  for (;;) {
    try {
      await withAdmin((admin) => admin.createTenant('gamma', 'wide'));
      break;
    } catch (error) {
      expect(error).toMatchObject({ code: status.UNAVAILABLE });
    }
  }
  const { key: late } = await withAdmin((admin) => admin.createKey('gamma', 'late'));
  expect(await codeOf(late)).toBe(status.OK);
});
