import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { ApiKeyServiceService, RotateApiKeyRequest } from '../../generated/tollgate/admin/v1/api_key.ts';
import { type Plan, Quota_Period } from '../../generated/tollgate/admin/v1/plan.ts';
import { type Config, Plan as ConfigPlan, Tenant } from '../../generated/tollgate/config/v1/config.ts';
import { AdminClient } from '../support/admin-client.ts';
import { EverythingBackend } from '../support/everything-backend.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import { GrpcClient } from '../support/grpc-client.ts';
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts';
import { press } from './press.ts';

// What is promised of limits and quotas, counted at the backend.

const OK = 0;
const EXHAUSTED = 8;
const backend = new EverythingBackend();
beforeAll(() => backend.start());
afterAll(() => backend.stop());

/** Calls of a tenant that the backend saw. */
const seenOf = (tenant: string): number =>
  backend.calls.filter(({ metadata }) => metadata['x-tenant-id'] === tenant).length;

function addTenant(config: Config, id: string, plan: Partial<ConfigPlan>): void {
  config.plans.push(ConfigPlan.fromPartial({ name: id, ...plan }));
  config.tenants.push(Tenant.fromPartial({ id, plan: id }));
}

describe('rate and concurrency', () => {
  const RATE = 100;
  const BURST = 20;
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startTestGateway({
      backend: backend.address,
      edit: (config) => {
        addTenant(config, 'rated', { limits: [{ name: 'calls', rate: RATE, burst: BURST }] });
        addTenant(config, 'five', { concurrency: 5 });
      },
    });
  });
  afterAll(() => gateway?.stop());

  test('a tenant that calls ten times as often gets its burst and its rate, and nearly all of it', async () => {
    const TENFOLD = 10 * (BURST + RATE * 2);
    const until = performance.now() + 2_000;
    const { byStatus, seconds } = await press(gateway.public, gateway.key('rated'), {
      atOnce: 16,
      done: (made) => made >= TENFOLD && performance.now() >= until,
    });
    const admitted = seenOf('rated');
    expect(byStatus.get(OK)).toBe(admitted);
    expect(admitted).toBeLessThanOrEqual(BURST + RATE * seconds);
    expect(admitted).toBeGreaterThanOrEqual(0.95 * (BURST + RATE * seconds));
    expect([...byStatus.keys()].sort()).toEqual([OK, EXHAUSTED]);
  });

  test("one tenant's flood does not cost another a call", async () => {
    let others = 0;
    const flood = press(gateway.public, gateway.key('rated'), { atOnce: 16, done: () => others >= 200 });
    const { byStatus } = await press(gateway.public, gateway.key('beta'), {
      atOnce: 1,
      done: () => {
        others++;
        return others > 200;
      },
    });
    await flood;
    expect(byStatus).toEqual(new Map([[OK, 200]]));
  });

  test('no more calls run at once than the plan allows, and each end makes room for one', async () => {
    const client = new GrpcClient(`127.0.0.1:${gateway.public}`, gateway.key('five'));
    const cancels: (() => void)[] = [];
    const answers = Array.from({ length: 30 }, () =>
      client.call('Unary', {
        script: { hang: 'before-headers' },
        onCall: (call) => cancels.push(() => call.cancel()),
      }),
    );
    let refused = 0;
    for (const answer of answers)
      void answer.then(({ code }) => {
        if (code === EXHAUSTED) refused++;
        backend.watch.changed();
      });
    await backend.watch.until(() => refused === 25 && seenOf('five') === 5);
    for (const cancel of cancels) cancel();
    await backend.watch.until(() =>
      backend.calls.every((call) => call.metadata['x-tenant-id'] !== 'five' || call.cancelled),
    );
    expect((await client.call('Unary')).code).toBe(OK);
    client.close();
  });
});

describe('a gateway that is killed', () => {
  const QUOTA = 3_000;
  /** What one gateway may have in hand: 1 % of the limit. */
  const LEASE = QUOTA / 100;
  const AT_ONCE = 16;
  let gateway: GatewayProcess | undefined;
  afterEach(async () => {
    await gateway?.dispose();
  });

  const start = (tenant: string): Promise<GatewayProcess> =>
    GatewayProcess.start({
      backend: backend.address,
      edit: (config) =>
        addTenant(config, tenant, {
          quotas: [{ metric: 'units', limit: QUOTA, period: Quota_Period.PERIOD_MONTH, timeZone: 'UTC', anchor: 0 }],
        }),
    });
  /** Uses up what is left. */
  const exhaust = (running: GatewayProcess, tenant: string) =>
    press(running.public, running.config.key(tenant), {
      atOnce: AT_ONCE,
      done: (_made, by) => (by.get(EXHAUSTED) ?? 0) > 50,
    });

  test('in the middle of traffic admits no more than the quota in total, and loses at most one lease', async () => {
    gateway = await start('killed');
    const running = gateway;
    const traffic = press(running.public, running.config.key('killed'), {
      atOnce: AT_ONCE,
      done: () => !running.running,
    });
    await backend.watch.until(() => seenOf('killed') >= 1_000);
    await running.kill('SIGKILL');
    await traffic;
    await running.start();
    await exhaust(running, 'killed');
    const admitted = seenOf('killed');
    expect(admitted).toBeLessThanOrEqual(QUOTA);
    // Calls that were admitted and had not reached the backend died with the gateway.
    expect(admitted).toBeGreaterThanOrEqual(QUOTA - LEASE - AT_ONCE);
  });

  test('by SIGTERM loses nothing of the quota', async () => {
    gateway = await start('stopped');
    await press(gateway.public, gateway.config.key('stopped'), { atOnce: 4, done: (made) => made >= 100 });
    expect(await gateway.kill('SIGTERM')).toBe(0);
    await gateway.start();
    await exhaust(gateway, 'stopped');
    expect(seenOf('stopped')).toBe(QUOTA);
  });

  test('keeps tenants, plans, keys and every write that was acknowledged', async () => {
    gateway = await start('kept');
    let admin = new AdminClient(gateway.admin, gateway.config.adminKey);
    const acknowledged: { tenant: string; plan: Plan; old: string; id: string; key: string }[] = [];
    const writing = (async () => {
      for (let i = 0; ; i++) {
        const plan = await admin.createPlan(`made-${i}`, { limits: [], quotas: [], concurrency: 0 });
        const edited = await admin.updatePlan({ ...plan, concurrency: i + 1 });
        await admin.createTenant(`made-${i}`, edited.id);
        const { id: old } = await admin.createKey(`made-${i}`, 'first');
        const request = RotateApiKeyRequest.fromPartial({ id: old, grace: { seconds: 3600 } });
        const { apiKey, key } = await admin.call(ApiKeyServiceService.rotateApiKey, request);
        acknowledged.push({ tenant: `made-${i}`, plan: edited, old, id: apiKey?.id ?? '', key });
        backend.watch.changed();
      }
    })().catch(() => {});
    await backend.watch.until(() => acknowledged.length >= 10);
    await gateway.kill('SIGKILL');
    await writing;
    admin.close();
    await gateway.start();
    admin = new AdminClient(gateway.admin, gateway.config.adminKey);
    for (const { tenant, plan, old, id, key } of acknowledged) {
      expect((await admin.getTenant(tenant)).plan).toBe(plan.id);
      expect(await admin.getPlan(plan.id)).toEqual(plan);
      expect(await admin.keysOf(tenant)).toEqual([old, id].sort());
      const client = new GrpcClient(`127.0.0.1:${gateway.public}`, key);
      expect((await client.call('Unary')).code).toBe(OK);
      expect(backend.last.metadata).toMatchObject({ 'x-tenant-id': tenant, 'x-principal-id': id });
      client.close();
    }
    admin.close();
  });
});
