import { credentials, status } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { HealthClient } from '../../generated/grpc/health/v1/health.ts';
import { Plan_Priority } from '../../generated/tollgate/admin/v1/plan.ts';
import { Tenant as ConfigTenant } from '../../generated/tollgate/config/v1/config.ts';
import { AdminClient } from '../support/admin-client.ts';
import { EverythingBackend } from '../support/everything-backend.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import { GrpcClient, type Observation } from '../support/grpc-client.ts';
import { press } from './press.ts';
import { refusalOf } from './refusal-of.ts';

// What is too much can be said in the configuration, so that it needs no great load to happen.

let backend: EverythingBackend;
beforeAll(async () => {
  backend = await new EverythingBackend().start();
});
afterAll(() => backend.stop());

async function withLimits<T>(
  limits: { maxMemoryMib: number; maxDelayMs?: number },
  use: (gateway: GatewayProcess) => Promise<T>,
): Promise<T> {
  const { maxMemoryMib, maxDelayMs = 60_000 } = limits;
  const gateway = await GatewayProcess.start({
    backend: backend.address,
    edit: (config) => {
      const wide = config.plans[0]!;
      for (const [name, priority] of [
        ['low', Plan_Priority.PRIORITY_LOW],
        ['high', Plan_Priority.PRIORITY_HIGH],
      ] as const) {
        config.plans.push({ ...wide, name, priority });
        config.tenants.push(ConfigTenant.fromPartial({ id: name, displayName: '', plan: name }));
      }
      const maxDelay = { seconds: Math.floor(maxDelayMs / 1_000), nanos: (maxDelayMs % 1_000) * 1e6 };
      config.overload = { maxMemoryMib, maxDelay, disabled: false };
    },
  });
  try {
    return await use(gateway);
  } finally {
    await gateway.dispose();
  }
}

async function call(gateway: GatewayProcess, key: string | undefined): Promise<Observation> {
  const client = new GrpcClient(`127.0.0.1:${gateway.public}`, key);
  const observed = await client.call('Unary');
  client.close();
  return observed;
}

test('without memory every call is refused before it costs anything, but health and admin answer', async () => {
  await withLimits({ maxMemoryMib: 1 }, async (gateway) => {
    const before = backend.count();
    for (const tenant of ['alpha', 'low', 'high']) {
      const refusal = refusalOf(await call(gateway, gateway.config.key(tenant)));
      expect(refusal).toMatchObject({ code: status.UNAVAILABLE, reason: 'GATEWAY_OVERLOADED' });
      expect(refusal.detailTypes).toEqual(['ErrorInfo', 'RetryInfo']);
      expect(refusal.retryDelayMs).toBeGreaterThanOrEqual(1_000);
      expect(refusal.pushbackMs).toBe(refusal.retryDelayMs);
    }
    // Who is nobody learns nothing of it.
    expect((await call(gateway, undefined)).code).toBe(status.UNAUTHENTICATED);
    expect(backend.count()).toBe(before);

    const health = new HealthClient(`127.0.0.1:${gateway.public}`, credentials.createInsecure());
    const answer = await new Promise((resolve, reject) => {
      health.check({ service: '' }, (error, response) => (error ? reject(error) : resolve(response)));
    });
    expect(answer).toEqual({ status: 1 });
    health.close();
    const admin = new AdminClient(gateway.admin, gateway.config.adminKey);
    expect((await admin.createPlan('relief', { limits: [], quotas: [], concurrency: 0 })).id).toBe('relief');
    admin.close();
    expect(gateway.output).toContain('overloaded: calls are refused');
  });
});

test('with memory enough nobody is refused', async () => {
  await withLimits({ maxMemoryMib: 100_000 }, async (gateway) => {
    for (const tenant of ['alpha', 'low', 'high']) {
      expect((await call(gateway, gateway.config.key(tenant))).code).toBe(status.OK);
    }
  });
});

test('an event loop that is late refuses calls of low priority, and takes them again when it is in time', async () => {
  // So little that any load is too much.
  await withLimits({ maxMemoryMib: 100_000, maxDelayMs: 1 }, async (gateway) => {
    const key = gateway.config.key('low');
    await expect.poll(async () => (await call(gateway, key)).code).toBe(status.OK);
    const pressed = await press(gateway.public, key, {
      atOnce: 200,
      done: (_, byStatus) => (byStatus.get(status.UNAVAILABLE) ?? 0) > 20,
    });
    // A machine that is busy anyway may let none through.
    expect(new Set([...pressed.byStatus.keys(), status.OK])).toEqual(new Set([status.OK, status.UNAVAILABLE]));
    await expect.poll(async () => (await call(gateway, key)).code).toBe(status.OK);
    expect(gateway.output).toContain('overloaded: calls are refused');
  });
});
