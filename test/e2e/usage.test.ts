import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AuditServiceService, ListAuditEntriesRequest } from '../../generated/tollgate/admin/v1/audit.ts';
import { Quota_Period as Period } from '../../generated/tollgate/admin/v1/plan.ts';
import {
  AdjustQuotaRequest,
  type QuotaUsage,
  UsageServiceService as Usage,
} from '../../generated/tollgate/admin/v1/usage.ts';
import { Listener, Plan, Store_Redis, Tenant } from '../../generated/tollgate/config/v1/config.ts';
import { GetMetricsRequest, MetricsServiceService } from '../../generated/tollgate/metrics/v1/metrics.ts';
import { Code } from '../../src/grpc/status.ts';
import { AdminClient } from '../support/admin-client.ts';
import { EverythingBackend } from '../support/everything-backend.ts';
import { GrpcClient } from '../support/grpc-client.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts';

const LIMIT = 10;
/** Never used up: what is refused by a quota has drawn on it. */
const BURST = 1_000_000;
const backend = new EverythingBackend();
beforeAll(() => backend.start());
afterAll(() => backend.stop());

describe.each(['embedded', 'redis'] as const)('with the %s store', (kind) => {
  let gateway: TestGateway;
  let admin: AdminClient;
  let redis: RedisServer | undefined;
  const closers: (() => unknown)[] = [];

  beforeAll(async () => {
    redis = kind === 'redis' ? await startRedis() : undefined;
    closers.push(() => redis?.stop());
    gateway = await startTestGateway({
      backend: backend.address,
      edit: (config) => {
        if (redis) {
          const url = `redis://127.0.0.1:${redis.port}`;
          config.store = { kind: { $case: 'redis', redis: Store_Redis.fromPartial({ url }) } };
        }
        config.plans.push(
          Plan.fromPartial({
            name: 'small',
            limits: [{ name: 'calls', rate: 0.001, burst: BURST }],
            quotas: [{ metric: 'units', limit: LIMIT, period: Period.PERIOD_DAY }],
            concurrency: 7,
          }),
        );
        config.listeners.push(
          Listener.fromPartial({ name: 'self', address: '127.0.0.1:0', contracts: ['everything', 'tollgate-self'] }),
        );
        config.plans.push(
          Plan.fromPartial({ name: 'rare', limits: [{ name: 'calls', rate: 0.001, burst: 3 }], concurrency: 1 }),
        );
        config.tenants.push(Tenant.fromPartial({ id: 'limited', plan: 'rare' }));
        config.tenants.push(Tenant.fromPartial({ id: 'curious', plan: 'rare' }));
        for (const id of ['looked-at', 'adjusted', 'corrected', 'repeated', 'measured']) {
          config.tenants.push(Tenant.fromPartial({ id, plan: 'small' }));
        }
      },
    });
    closers.push(() => gateway.stop());
    admin = new AdminClient(gateway.admin, gateway.adminKey);
    closers.push(() => admin.close());
  });
  afterAll(async () => {
    for (const close of closers.reverse()) await close();
  });

  const clientOf = (tenant: string) => {
    const client = new GrpcClient(`127.0.0.1:${gateway.public}`, gateway.key(tenant));
    closers.push(() => client.close());
    return client;
  };
  const usageOf = (tenantId: string, by = admin) => by.call(Usage.getUsage, { tenantId });
  const adjust = (tenantId: string, units: number, more: Partial<AdjustQuotaRequest> = {}): Promise<QuotaUsage> =>
    admin.call(Usage.adjustQuota, AdjustQuotaRequest.fromPartial({ tenantId, units, reason: 'test', ...more }));
  /**
   * Calls until one is refused for good. A store that is late on a busy machine, or has units to take back from a lease that
   * came too late, is asked again.
   * @param least calls that must be admitted; the test's timeout bounds the wait. @returns how many were
   */
  const useUp = async (client: GrpcClient, least: number): Promise<number> => {
    for (let admitted = 0; ; ) {
      const { code } = await client.call('Unary');
      if (code === Code.OK) admitted++;
      else if (code === Code.RESOURCE_EXHAUSTED && admitted >= least) return admitted;
    }
  };
  const make = async (client: GrpcClient, calls: number): Promise<void> => {
    for (let made = 0; made < calls; ) if ((await client.call('Unary')).code === Code.OK) made++;
  };

  /** Of a tenant about itself. */
  const selfOf = (tenant: string) => {
    const client = new AdminClient(gateway.port('self'), gateway.key(tenant));
    closers.push(() => client.close());
    return () => client.call(Usage.getUsage, { tenantId: '' });
  };

  test('a tenant looks at its usage when its limits are used up, and spends none of them by it', async () => {
    const ask = selfOf('limited');
    for (let i = 0; i < 5; i++) expect((await ask()).limits).toMatchObject([{ name: 'calls', available: 3 }]);
    await useUp(clientOf('limited'), 3);
    const { limits } = await ask();
    expect(limits).toMatchObject([{ name: 'calls', available: 0, retryAfter: { seconds: expect.any(Number) } }]);
  });

  test('metrics say the same of a quota that was topped up', async () => {
    const client = clientOf('measured');
    await adjust('measured', 5);
    await useUp(client, 1);
    const request = GetMetricsRequest.fromPartial({ tenantId: 'measured' });
    for (;;) {
      // A store that was late on a busy machine may have refused what it had units for.
      await client.call('Unary');
      const { limits } = await admin.call(MetricsServiceService.getMetrics, request);
      const { used, limit } = limits.find(({ name }) => name === 'units/day') ?? { used: 0, limit: 0 };
      if (used < LIMIT + 5) continue;
      expect([used, limit]).toEqual([LIMIT + 5, LIMIT + 5]);
      break;
    }
  });

  test('but not for ever: looks have a limit of their own, which its calls do not notice', async () => {
    const ask = selfOf('curious');
    const looks = await Promise.allSettled(Array.from({ length: 200 }, ask));
    const refused = looks
      .filter((look) => look.status === 'rejected')
      .map(({ reason }) => reason)
      .filter(({ code }) => code === Code.RESOURCE_EXHAUSTED);
    expect(refused.length).toBeGreaterThan(0);
    for (const error of refused) expect(error.details).toContain('tollgate.usage');
    expect((await clientOf('curious').call('Unary')).code).toBe(Code.OK);
    // Who administers asks as often as he likes.
    await Promise.all(Array.from({ length: 50 }, () => usageOf('curious')));
  });

  test('GetUsage says what was used, and spends nothing', async () => {
    const client = clientOf('looked-at');
    await make(client, 3);
    for (let i = 0; i < 100; i++) await usageOf('looked-at');
    const usage = await usageOf('looked-at');
    expect(usage).toMatchObject({ tenantId: 'looked-at', plan: 'small', concurrency: { limit: 7, running: 0 } });
    const [limit] = usage.limits;
    expect(limit).toMatchObject({ name: 'calls', burst: BURST });
    // A fleet's gateways have some calls leased.
    expect(limit?.available).toBeLessThanOrEqual(BURST - 3);
    if (kind === 'embedded') expect(limit?.available).toBe(BURST - 3);
    const [quota] = usage.quotas;
    expect(quota).toMatchObject({ metric: 'units', period: Period.PERIOD_DAY, limit: LIMIT, adjusted: 0 });
    expect(quota!.used + quota!.remaining).toBe(LIMIT);
    await expect.poll(async () => (await usageOf('looked-at')).quotas[0]?.used).toBe(3);
    expect(quota!.resetTime!.getTime()).toBeGreaterThan(Date.now());
    expect(await useUp(client, LIMIT - 3)).toBe(LIMIT - 3);
    expect((await usageOf('looked-at')).quotas[0]).toMatchObject({ used: LIMIT, remaining: 0 });
  });

  test("a tenant's own key sees its usage", async () => {
    const own = new AdminClient(gateway.admin, gateway.key('looked-at'));
    closers.push(() => own.close());
    expect((await usageOf('', own)).tenantId).toBe('looked-at');
    await expect(usageOf('adjusted', own)).rejects.toMatchObject({ code: Code.NOT_FOUND });
  });

  test('AdjustQuota gives a tenant that is out of units more of them, once for each request_id', async () => {
    const client = clientOf('adjusted');
    expect(await useUp(client, LIMIT)).toBe(LIMIT);
    const asked = { requestId: 'topup-1' };
    expect(await adjust('adjusted', 5, { validateOnly: true })).toMatchObject({ adjusted: 5, remaining: 5 });
    const answers = await Promise.all(Array.from({ length: 5 }, () => adjust('adjusted', 5, asked)));
    expect(new Set(answers.map(({ adjusted }) => adjusted))).toEqual(new Set([5]));
    // This gateway asks again at once, another one within a second.
    expect(await useUp(client, 5)).toBe(5);
    await expect(adjust('adjusted', 6, asked)).rejects.toMatchObject({ code: Code.INVALID_ARGUMENT });
    expect((await usageOf('adjusted')).quotas[0]).toMatchObject({ used: 15, adjusted: 5, remaining: 0 });
  });

  test('AdjustQuota takes units away', async () => {
    expect(await adjust('corrected', -4)).toMatchObject({ adjusted: -4, remaining: LIMIT - 4 });
    expect(await useUp(clientOf('corrected'), LIMIT - 4)).toBe(LIMIT - 4);
  });

  test('AdjustQuota wants a reason and a quota that is there, and is in the audit log', async () => {
    await expect(adjust('repeated', 1, { reason: '' })).rejects.toMatchObject({ code: Code.INVALID_ARGUMENT });
    await expect(adjust('repeated', 0)).rejects.toMatchObject({ code: Code.INVALID_ARGUMENT });
    await expect(adjust('repeated', 1, { metric: 'tokens' })).rejects.toMatchObject({ code: Code.INVALID_ARGUMENT });
    await expect(adjust('absent', 1)).rejects.toMatchObject({ code: Code.NOT_FOUND });
    await adjust('repeated', 1, { reason: 'goodwill' });
    const filter = ListAuditEntriesRequest.fromPartial({ tenantId: 'repeated', method: 'AdjustQuota' });
    const { entries } = await admin.call(AuditServiceService.listAuditEntries, filter);
    expect(entries.map(({ status }) => status)).toEqual(['OK', ...Array(3).fill('INVALID_ARGUMENT')]);
    expect(entries[0]).toMatchObject({
      reason: 'goodwill',
      remoteAddress: '127.0.0.1',
      resource: 'tenants/repeated/quotas',
    });
  });

  // The last test: Redis does not come back.
  if (kind === 'redis') {
    test('a store that is away is said to be', async () => {
      await redis?.kill();
      const away = { code: Code.UNAVAILABLE, details: expect.stringMatching(/store \(Redis\) does not answer/) };
      await expect(usageOf('looked-at')).rejects.toMatchObject(away);
      await expect(adjust('looked-at', 1)).rejects.toMatchObject(away);
    });
  }
});
