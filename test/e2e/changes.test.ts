import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Quota_Period } from '../../generated/tollgate/admin/v1/plan.ts';
import { Tenant_State } from '../../generated/tollgate/admin/v1/tenant.ts';
import { AdminClient } from '../support/admin-client.ts';
import { EverythingBackend } from '../support/everything-backend.ts';
import { GrpcClient } from '../support/grpc-client.ts';
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts';
import { refusalOf } from './refusal-of.ts';

// A change made over the admin services holds for the next call: nothing is restarted, no connection is made anew.

const backend = new EverythingBackend();
let gateway: TestGateway;
let admin: AdminClient;
const open: GrpcClient[] = [];

beforeAll(async () => {
  await backend.start();
  gateway = await startTestGateway({ backend: backend.address });
  admin = new AdminClient(gateway.admin, gateway.adminKey);
});
afterAll(async () => {
  admin?.close();
  for (const client of open) client.close();
  await gateway?.stop();
  backend.stop();
});

/** A new tenant with a key, and a client whose connection stays open. */
async function newCaller(tenant: string, plan = 'wide') {
  await admin.createTenant(tenant, plan);
  const { id, key } = await admin.createKey(tenant, 'first');
  const client = new GrpcClient(`127.0.0.1:${gateway.public}`, key);
  open.push(client);
  const reasonOf = async (): Promise<string | undefined> => refusalOf(await client.call('Unary')).reason;
  return { id, client, reasonOf };
}

describe('the next call', () => {
  test('of a tenant that was just made is admitted', async () => {
    const { id, client } = await newCaller('fresh');
    expect((await client.call('Unary')).code).toBe(status.OK);
    expect(backend.last.metadata).toMatchObject({ 'x-tenant-id': 'fresh', 'x-principal-id': id });
  });

  test('of a key that was unknown before it was made is admitted', async () => {
    const { reasonOf } = await newCaller('late');
    expect(await reasonOf()).toBeUndefined();
  });

  test('of a suspended tenant is refused as if its key did not exist, until it is active again', async () => {
    const { reasonOf } = await newCaller('suspended');
    expect(await reasonOf()).toBeUndefined();
    await admin.updateTenant('suspended', { state: Tenant_State.STATE_SUSPENDED });
    const before = backend.count();
    expect(await reasonOf()).toBe('CREDENTIAL_INVALID');
    expect(backend.count()).toBe(before);
    await admin.updateTenant('suspended', { state: Tenant_State.STATE_ACTIVE });
    expect(await reasonOf()).toBeUndefined();
  });

  test('with a deleted key is refused, and with another key of the tenant is not', async () => {
    const { id, reasonOf } = await newCaller('rotating');
    const second = await admin.createKey('rotating', 'second');
    const other = new GrpcClient(`127.0.0.1:${gateway.public}`, second.key);
    open.push(other);
    expect(await reasonOf()).toBeUndefined();
    expect((await other.call('Unary')).code).toBe(status.OK);
    await admin.deleteKey(id);
    expect(await reasonOf()).toBe('CREDENTIAL_INVALID');
    expect((await other.call('Unary')).code).toBe(status.OK);
  });

  test('of a deleted tenant is refused', async () => {
    const { reasonOf } = await newCaller('leaving');
    expect(await reasonOf()).toBeUndefined();
    await admin.deleteTenant('leaving');
    expect(await reasonOf()).toBe('CREDENTIAL_INVALID');
  });

  test('after a move to another plan is counted by that plan', async () => {
    await admin.createPlan('narrow', {
      limits: [{ name: 'calls', rate: 0.001, burst: 1 }],
      quotas: [],
      concurrency: 0,
    });
    const { reasonOf } = await newCaller('moving');
    expect([await reasonOf(), await reasonOf(), await reasonOf()]).toEqual([undefined, undefined, undefined]);
    await admin.updateTenant('moving', { plan: 'narrow' });
    const after = [await reasonOf(), await reasonOf(), await reasonOf()];
    expect(after.slice(1)).toEqual(['RATE_LIMITED', 'RATE_LIMITED']);
    await admin.updateTenant('moving', { plan: 'wide' });
    expect(await reasonOf()).toBeUndefined();
  });

  test('after an edit of its plan is counted by the edited plan', async () => {
    const units = { metric: 'units', limit: 2, period: Quota_Period.PERIOD_MONTH, timeZone: 'UTC', anchor: 0 };
    const plan = await admin.createPlan('growing', { limits: [], quotas: [units], concurrency: 0 });
    const { reasonOf } = await newCaller('grower', 'growing');
    expect([await reasonOf(), await reasonOf(), await reasonOf()]).toEqual([undefined, undefined, 'QUOTA_EXHAUSTED']);
    await admin.updatePlan({ ...plan, quotas: [{ ...units, limit: 3 }] });
    expect([await reasonOf(), await reasonOf()]).toEqual([undefined, 'QUOTA_EXHAUSTED']);
  });
});
