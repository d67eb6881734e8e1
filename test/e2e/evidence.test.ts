import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  Quota_Period as Period,
  type Plan as PlanMessage,
  PlanServiceService as Plans,
} from '../../generated/tollgate/admin/v1/plan.ts';
import { Tenant as TenantMessage, TenantServiceService as Tenants } from '../../generated/tollgate/admin/v1/tenant.ts';
import { Plan, Tenant } from '../../generated/tollgate/config/v1/config.ts';
import { AdminClient } from '../support/admin-client.ts';
import { EverythingBackend } from '../support/everything-backend.ts';
import { GrpcClient } from '../support/grpc-client.ts';
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts';

// What a plan would have meant for the calls of late, before it is changed.

const backend = new EverythingBackend();
let gateway: TestGateway;
let admin: AdminClient;
beforeAll(async () => {
  await backend.start();
  gateway = await startTestGateway({
    backend: backend.address,
    edit: (config) => {
      const quotas = [{ metric: 'units', limit: 100, period: Period.PERIOD_DAY }];
      config.plans.push(Plan.fromPartial({ name: 'team', quotas }), Plan.fromPartial({ name: 'tiny' }));
      config.plans.push(Plan.fromPartial({ name: 'three', quotas: [{ ...quotas[0], limit: 3 }] }));
      for (const id of ['loud', 'quiet']) config.tenants.push(Tenant.fromPartial({ id, plan: 'team' }));
      config.tenants.push(Tenant.fromPartial({ id: 'other', plan: 'tiny' }));
    },
  });
  admin = new AdminClient(gateway.admin, gateway.adminKey);
  for (const [tenant, calls] of [
    ['loud', 8],
    ['quiet', 2],
    ['other', 9],
  ] as const) {
    const client = new GrpcClient(`127.0.0.1:${gateway.public}`, gateway.key(tenant));
    for (let i = 0; i < calls; i++) await client.call('Unary');
    client.close();
  }
});
afterAll(async () => {
  admin.close();
  await gateway.stop();
  await backend.stop();
});

const update = (plan: Partial<PlanMessage>, validateOnly: boolean) =>
  admin.call(Plans.updatePlan, {
    plan: { id: 'team', etag: '', limits: [], quotas: [], concurrency: 0, priority: 0, allowed: [], ...plan },
    updateMask: ['limits'],
    validateOnly,
  });

test('validate_only of UpdatePlan says whose calls would have been refused', async () => {
  const limits = [{ name: 'calls', rate: 0.001, burst: 3 }];
  const { evidence } = await update({ limits }, true);
  expect(evidence).toMatchObject({ calls: 10, newlyRefused: 5, newlyAdmitted: 0 });
  expect(evidence?.affected).toMatchObject([{ tenantId: 'loud', calls: 8, newlyRefused: 5, rule: 'limit calls' }]);
  expect(evidence?.affected[0]?.method).toMatch(/^everything\..*\/Unary$/);
  expect(evidence?.startTime).toBeInstanceOf(Date);
  // Nothing was changed, and what was answered is not stored.
  expect(await admin.getPlan('team')).toMatchObject({ limits: [], evidence: undefined });
});

test('a change that decides nothing otherwise says so, and a real one has no evidence', async () => {
  const limits = [{ name: 'calls', rate: 1000, burst: 1000 }];
  expect((await update({ limits }, true)).evidence).toMatchObject({ calls: 10, newlyRefused: 0, affected: [] });
  expect((await update({ limits }, false)).evidence).toBeUndefined();
});

test('validate_only of UpdateTenant says what another plan would have meant for it', async () => {
  const tenant = TenantMessage.fromPartial({ id: 'loud', plan: 'three' });
  const { evidence } = await admin.call(Tenants.updateTenant, { tenant, updateMask: ['plan'], validateOnly: true });
  expect(evidence).toMatchObject({ calls: 8, newlyRefused: 5 });
  expect(evidence?.affected).toMatchObject([{ tenantId: 'loud', rule: 'quota units/day' }]);
  expect((await admin.getTenant('loud')).plan).toBe('team');
});
