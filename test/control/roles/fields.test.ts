import type { MethodDefinition, ServiceError } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  ApiKey,
  ApiKey_State as KeyState,
  ApiKeyServiceService as Keys,
} from '../../../generated/tollgate/admin/v1/api_key.ts';
import { Plan, PlanServiceService as Plans } from '../../../generated/tollgate/admin/v1/plan.ts';
import { Tenant, TenantServiceService as Tenants } from '../../../generated/tollgate/admin/v1/tenant.ts';
import { Code } from '../../../src/grpc/status.ts';
import { ADMIN_PLAN, ADMIN_TENANT } from '../../../src/tenants/reserved.ts';
import { AdminClient } from '../../support/admin-client.ts';
import { readDetails } from '../details.ts';
import { type CallerName, Callers } from './callers.ts';

// Fields that a role may not set are refused, not passed over: whoever could give a key rights beyond his own had them.

let world: Callers;
const clients: AdminClient[] = [];
beforeAll(async () => {
  world = await Callers.start();
});
afterAll(async () => {
  for (const client of clients) client.close();
  await world.stop();
});

function as(caller: CallerName, listener = 'admin'): AdminClient {
  const client = new AdminClient(world.gateway.port(listener), world.keyOf(caller));
  clients.push(client);
  return client;
}

async function refusedField<Q, R>(caller: CallerName, method: MethodDefinition<Q, R>, request: Q): Promise<string> {
  const error = await as(caller)
    .call(method, request)
    .then(
      () => Promise.reject(new Error('the call succeeded')),
      (failure: ServiceError) => failure,
    );
  const details = readDetails(error.metadata);
  expect([error.code, details.info?.reason]).toEqual([Code.PERMISSION_DENIED, 'FIELD_NOT_PERMITTED']);
  const field = details.info?.metadata.field ?? '';
  expect(error.details).toContain(field);
  return field;
}

const create = (tenantId: string, scopes: string[]) => ({
  tenantId,
  apiKey: ApiKey.fromPartial({ name: 'new', scopes }),
});
const update = (id: string, fields: Partial<ApiKey>) => ({
  apiKey: ApiKey.fromPartial({ id, ...fields }),
  updateMask: Object.keys(fields),
});

describe('scopes', () => {
  test.each(['tollgate.owner', 'tollgate.admin', 'tollgate.operator', 'tollgate.viewer', 'tollgate.metrics'])(
    'an operator gives nobody %s, and an owner does',
    async (scope) => {
      expect(await refusedField('operator', Keys.createApiKey, create('alpha', ['books.read', scope]))).toBe(
        'api_key.scopes',
      );
      const { apiKey } = await as('owner').call(Keys.createApiKey, create('alpha', [scope]));
      expect(apiKey?.scopes).toEqual([scope]);
    },
  );

  test('an operator gives a tenant the right to manage its keys', async () => {
    const { apiKey } = await as('operator').call(Keys.createApiKey, create('alpha', ['tollgate.keys', 'books.write']));
    expect(apiKey?.scopes).toEqual(['tollgate.keys', 'books.write']);
  });

  test('a tenant gives a key what it has itself, and nothing else', async () => {
    const { apiKey } = await as('tenant_keys').call(
      Keys.createApiKey,
      create('alpha', ['books.read', 'tollgate.keys']),
    );
    for (const scope of ['books.write', 'tollgate.owner']) {
      expect(await refusedField('tenant_keys', Keys.createApiKey, create('alpha', [scope]))).toBe('api_key.scopes');
      const more = update(apiKey!.id, { scopes: ['books.read', scope] });
      expect(await refusedField('tenant_keys', Keys.updateApiKey, more)).toBe('api_key.scopes');
    }
    expect(await world.admin.call(Keys.getApiKey, { id: apiKey!.id })).toEqual(apiKey);
  });

  test.each([
    ['operator', 'tollgate.owner'],
    ['tenant_keys', 'books.write'],
  ] as const)('a key with rights that a caller (%s) lacks is not changed by it', async (caller, scope) => {
    const { apiKey } = await world.createKey('alpha', [scope]);
    for (const fields of [{ state: KeyState.STATE_DISABLED }, { scopes: [] }, { name: 'mine' }]) {
      expect(await refusedField(caller, Keys.updateApiKey, update(apiKey.id, fields))).toBe('api_key.scopes');
    }
    expect(await world.admin.call(Keys.getApiKey, { id: apiKey.id })).toEqual(apiKey);
  });

  test("an operator deletes no owner's key; a tenant any of its own", async () => {
    const owners = await world.createKey('alpha', ['tollgate.owner']);
    const request = { id: owners.apiKey.id, etag: '' };
    expect(await refusedField('operator', Keys.deleteApiKey, request)).toBe('api_key.scopes');
    const strong = await world.createKey('alpha', ['books.write']);
    await as('tenant_keys').call(Keys.deleteApiKey, { id: strong.apiKey.id, etag: '' });
    const left = await world.admin.keysOf('alpha');
    expect([left.includes(owners.apiKey.id), left.includes(strong.apiKey.id)]).toEqual([true, false]);
  });
});

test("the owners' tenant and plan are theirs to change", async () => {
  const tenant = Tenant.fromPartial({ id: ADMIN_TENANT, plan: 'wide' });
  expect(await refusedField('operator', Tenants.updateTenant, { tenant, updateMask: ['plan'] })).toBe('tenant.id');
  const plan = Plan.fromPartial({ id: ADMIN_PLAN, concurrency: 1 });
  expect(await refusedField('operator', Plans.updatePlan, { plan, updateMask: ['concurrency'] })).toBe('plan.id');
  await as('owner').call(Tenants.updateTenant, {
    tenant: { ...tenant, displayName: 'Us' },
    updateMask: ['display_name'],
  });
});

test('without a tenant in the request a tenant lists its own keys', async () => {
  const { apiKeys } = await as('tenant_keys').call(Keys.listApiKeys, { tenantId: '', pageSize: 1000, pageToken: '' });
  expect(new Set(apiKeys.map(({ tenantId }) => tenantId))).toEqual(new Set(['alpha']));
});

describe('a listener that shows tollgate-self', () => {
  test('serves tenants what is theirs', async () => {
    expect((await as('tenant', 'self').getTenant('alpha')).id).toBe('alpha');
    expect(await as('tenant_keys', 'self').keysOf('alpha')).not.toEqual([]);
  });

  test.each(['tenant', 'owner'] as const)('has nothing else of the admin services, for %s', async (caller) => {
    const list = as(caller, 'self').call(Tenants.listTenants, { pageSize: 1, pageToken: '' });
    await expect(list).rejects.toMatchObject({ code: Code.UNIMPLEMENTED });
  });

  test('the public one, which does not, has none of them', async () => {
    await expect(as('tenant', 'public').getTenant('alpha')).rejects.toMatchObject({ code: Code.UNIMPLEMENTED });
  });
});
