import type { MethodDefinition } from '@grpc/grpc-js';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  ApiKey,
  ApiKey_State as KeyState,
  ApiKeyServiceService as Keys,
} from '../../generated/tollgate/admin/v1/api_key.ts';
import { Plan, PlanServiceService as Plans } from '../../generated/tollgate/admin/v1/plan.ts';
import {
  Tenant,
  Tenant_State as TenantState,
  TenantServiceService as Tenants,
} from '../../generated/tollgate/admin/v1/tenant.ts';
import { readDetails } from './details.ts';
import { type ControlFixture, REQUEST_ID, startFixture } from './fixture.ts';
import { openTenants } from './open-tenants.ts';

let opened: Awaited<ReturnType<typeof openTenants>>;
let fixture: ControlFixture;
let count = 0;
/** Ids of this test, so that tests share a server and nothing else. */
let planId: string;
let tenantId: string;

beforeAll(async () => {
  opened = await openTenants();
  fixture = await startFixture(opened);
});
afterAll(async () => {
  await fixture.stop();
  await opened.close();
});
beforeEach(async () => {
  planId = `plan-${++count}`;
  tenantId = `tenant-${count}`;
  await fixture.call(Plans.createPlan, { planId, plan: Plan.fromPartial({ concurrency: 5 }) });
  await fixture.call(Tenants.createTenant, { tenantId, tenant: Tenant.fromPartial({ plan: planId }) });
});

const getTenant = () => fixture.call(Tenants.getTenant, { id: tenantId });
const limit = { name: 'calls', rate: 50, burst: 100 };

/** What must fail, as code, reason and the fields that are to blame. */
async function refusal<Request, Response>(method: MethodDefinition<Request, Response>, request: Request) {
  const error = await fixture.failure(method, request);
  const details = readDetails(error.metadata);
  expect(details.code).toBe(error.code);
  expect(details.info?.metadata.request_id).toBe(REQUEST_ID);
  return { code: error.code, reason: details.info?.reason, fields: details.fields.map(({ field }) => field), details };
}

const INVALID = { code: 3, reason: 'INVALID_REQUEST' };
const NOT_FOUND = { code: 5, reason: 'NOT_FOUND' };
const EXISTS = { code: 6, reason: 'ALREADY_EXISTS' };
const MISMATCH = { code: 10, reason: 'ETAG_MISMATCH' };

describe('tenants', () => {
  test('are created active, with etag and times, and read as they were created', async () => {
    const tenant = Tenant.fromPartial({ displayName: 'Acme', plan: planId });
    const created = await fixture.call(Tenants.createTenant, { tenantId: `${tenantId}-b`, tenant });
    expect(created).toMatchObject({
      id: `${tenantId}-b`,
      displayName: 'Acme',
      plan: planId,
      state: TenantState.STATE_ACTIVE,
      etag: expect.stringMatching(/./),
      createTime: expect.any(Date),
      updateTime: expect.any(Date),
    });
    expect(await fixture.call(Tenants.getTenant, { id: `${tenantId}-b` })).toEqual(created);
  });

  test('CreateTenant refuses what is wrong, taken, or has no plan', async () => {
    const tenant = Tenant.fromPartial({ plan: planId });
    expect(await refusal(Tenants.createTenant, { tenantId: 'Not An Id', tenant })).toMatchObject({
      ...INVALID,
      fields: ['tenant_id'],
    });
    expect(await refusal(Tenants.createTenant, { tenantId: 'x', tenant: undefined })).toMatchObject({
      ...INVALID,
      fields: ['tenant'],
    });
    const long = Tenant.fromPartial({ plan: planId, displayName: 'x'.repeat(201) });
    expect(await refusal(Tenants.createTenant, { tenantId: '', tenant: long })).toMatchObject({
      ...INVALID,
      fields: ['tenant_id', 'tenant.display_name'],
    });
    expect(await refusal(Tenants.createTenant, { tenantId, tenant })).toMatchObject(EXISTS);
    const planless = Tenant.fromPartial({ plan: 'no-such' });
    const { details, ...rest } = await refusal(Tenants.createTenant, { tenantId: `${tenantId}-c`, tenant: planless });
    expect(rest).toMatchObject({ code: 9, reason: 'PLAN_UNKNOWN' });
    expect(details.preconditions).toEqual([
      { type: 'PLAN_UNKNOWN', subject: 'plans/no-such', description: expect.stringContaining('no-such') },
    ]);
  });

  test('an absent tenant is not found by any method', async () => {
    const id = 'absent';
    const tenant = Tenant.fromPartial({ id, plan: planId });
    expect(await refusal(Tenants.getTenant, { id })).toMatchObject(NOT_FOUND);
    expect(await refusal(Tenants.deleteTenant, { id, etag: '' })).toMatchObject(NOT_FOUND);
    expect(await refusal(Tenants.updateTenant, { tenant, updateMask: ['plan'] })).toMatchObject(NOT_FOUND);
  });

  test('an empty id is invalid, not absent', async () => {
    expect(await refusal(Tenants.getTenant, { id: '' })).toMatchObject({ ...INVALID, fields: ['id'] });
    expect(await refusal(Tenants.deleteTenant, { id: '', etag: '' })).toMatchObject({ ...INVALID, fields: ['id'] });
  });

  test('an update changes the fields of its mask and no others', async () => {
    const before = await getTenant();
    const tenant = Tenant.fromPartial({
      id: tenantId,
      displayName: 'New',
      plan: 'ignored',
      state: TenantState.STATE_SUSPENDED,
    });
    const updated = await fixture.call(Tenants.updateTenant, { tenant, updateMask: ['display_name', 'state'] });
    expect(updated).toMatchObject({ displayName: 'New', plan: planId, state: TenantState.STATE_SUSPENDED });
    expect(updated.etag).not.toBe(before.etag);
    expect(await getTenant()).toEqual(updated);
  });

  test('without a mask all that may be changed is', async () => {
    const tenant = Tenant.fromPartial({ id: tenantId, displayName: 'All', plan: planId });
    expect(await fixture.call(Tenants.updateTenant, { tenant, updateMask: undefined })).toMatchObject({
      displayName: 'All',
      state: TenantState.STATE_ACTIVE,
    });
  });

  test.each([['id'], ['etag'], ['create_time'], ['no.such'], ['displayName']])(
    'the mask %s is refused',
    async (path) => {
      const tenant = Tenant.fromPartial({ id: tenantId, plan: planId });
      expect(await refusal(Tenants.updateTenant, { tenant, updateMask: [path] })).toMatchObject({
        ...INVALID,
        fields: ['update_mask'],
      });
    },
  );

  test('of many writers with the same etag one wins, and the others learn the current one', async () => {
    const { etag } = await getTenant();
    const attempts = await Promise.all(
      Array.from({ length: 10 }, (_, i) => {
        const tenant = Tenant.fromPartial({ id: tenantId, etag, displayName: `writer ${i}` });
        const request = { tenant, updateMask: ['display_name'] };
        return fixture.call(Tenants.updateTenant, request).then(
          (won) => ({ won, lost: undefined }),
          (error) => ({ won: undefined, lost: readDetails(error.metadata) }),
        );
      }),
    );
    const current = await getTenant();
    expect(attempts.flatMap(({ won }) => won ?? [])).toEqual([current]);
    for (const { lost } of attempts.filter(({ won }) => !won)) {
      expect(lost).toMatchObject({ ...{ code: MISMATCH.code }, info: { reason: 'ETAG_MISMATCH' } });
      expect(lost?.info?.metadata.etag).toBe(current.etag);
    }
  });

  test('writers without an etag all succeed, and no change is lost', async () => {
    const [name, state] = await Promise.all([
      fixture.call(Tenants.updateTenant, {
        tenant: Tenant.fromPartial({ id: tenantId, displayName: 'N' }),
        updateMask: ['display_name'],
      }),
      fixture.call(Tenants.updateTenant, {
        tenant: Tenant.fromPartial({ id: tenantId, state: TenantState.STATE_SUSPENDED }),
        updateMask: ['state'],
      }),
    ]);
    expect([name.id, state.id]).toEqual([tenantId, tenantId]);
    expect(await getTenant()).toMatchObject({ displayName: 'N', state: TenantState.STATE_SUSPENDED });
  });

  test('a stale etag deletes nothing; the right one deletes the tenant and its keys', async () => {
    const { etag } = await getTenant();
    const apiKey = ApiKey.fromPartial({ name: 'laptop' });
    const { apiKey: key } = await fixture.call(Keys.createApiKey, { tenantId, apiKey });
    expect(await refusal(Tenants.deleteTenant, { id: tenantId, etag: 'stale' })).toMatchObject(MISMATCH);
    expect(await fixture.call(Tenants.deleteTenant, { id: tenantId, etag })).toEqual({});
    expect(await refusal(Tenants.getTenant, { id: tenantId })).toMatchObject(NOT_FOUND);
    expect(await refusal(Keys.getApiKey, { id: key!.id })).toMatchObject(NOT_FOUND);
  });

  test('pages, put together, have every tenant once, in order', async () => {
    for (const suffix of 'abcdefg') {
      await fixture.call(Tenants.createTenant, {
        tenantId: `${tenantId}-${suffix}`,
        tenant: Tenant.fromPartial({ plan: planId }),
      });
    }
    const ids: string[] = [];
    let pageToken = '';
    do {
      const page = await fixture.call(Tenants.listTenants, { pageSize: 3, pageToken });
      expect(page.tenants.length).toBeLessThanOrEqual(3);
      ids.push(...page.tenants.map(({ id }) => id));
      pageToken = page.nextPageToken;
    } while (pageToken !== '');
    expect(ids).toEqual([...new Set(ids)].sort());
    expect(ids).toEqual(expect.arrayContaining([tenantId, `${tenantId}-a`, `${tenantId}-g`]));
  });

  test('a page token of another list, or of nobody, is refused', async () => {
    expect(await refusal(Tenants.listTenants, { pageSize: 1, pageToken: 'made-up' })).toMatchObject({
      ...INVALID,
      fields: ['page_token'],
    });
    expect(await refusal(Tenants.listTenants, { pageSize: -1, pageToken: '' })).toMatchObject({
      ...INVALID,
      fields: ['page_size'],
    });
  });
});

describe('plans', () => {
  test('are created, read, and updated field by field', async () => {
    const plan = Plan.fromPartial({ id: planId, limits: [limit], concurrency: 99 });
    const updated = await fixture.call(Plans.updatePlan, { plan, updateMask: ['limits'] });
    expect(updated).toMatchObject({ id: planId, limits: [limit], concurrency: 5 });
    expect(await fixture.call(Plans.getPlan, { id: planId })).toEqual(updated);
  });

  test('every field that is wrong is named, by its path', async () => {
    const plan = Plan.fromPartial({
      limits: [limit, { name: 'Bad Name', rate: 0, burst: 0 }],
      quotas: [{ metric: 'units', limit: 10, anchor: 32 }],
    });
    expect(await refusal(Plans.createPlan, { planId: 'wrong', plan })).toMatchObject({
      ...INVALID,
      fields: expect.arrayContaining([
        'plan.limits[1].name',
        'plan.limits[1].rate',
        'plan.limits[1].burst',
        'plan.quotas[0].period',
        'plan.quotas[0].anchor',
      ]),
    });
  });

  test('what the schema cannot say is refused the same way', async () => {
    const plan = Plan.fromPartial({ limits: [limit, limit] });
    expect(await refusal(Plans.createPlan, { planId: 'twice', plan })).toMatchObject({
      ...INVALID,
      fields: ['plan.limits'],
    });
  });

  test('a taken id, an absent plan and a stale etag are refused', async () => {
    const plan = Plan.fromPartial({ id: planId, etag: 'stale' });
    expect(await refusal(Plans.createPlan, { planId, plan })).toMatchObject(EXISTS);
    expect(await refusal(Plans.getPlan, { id: 'absent' })).toMatchObject(NOT_FOUND);
    expect(await refusal(Plans.deletePlan, { id: 'absent', etag: '' })).toMatchObject(NOT_FOUND);
    expect(await refusal(Plans.updatePlan, { plan, updateMask: ['concurrency'] })).toMatchObject(MISMATCH);
    expect(await refusal(Plans.updatePlan, { plan: undefined, updateMask: undefined })).toMatchObject({
      ...INVALID,
      fields: ['plan'],
    });
  });

  test('a plan that tenants have stays; afterwards it goes', async () => {
    const { details, ...rest } = await refusal(Plans.deletePlan, { id: planId, etag: '' });
    expect(rest).toMatchObject({ code: 9, reason: 'PLAN_IN_USE' });
    expect(details.preconditions).toMatchObject([{ type: 'PLAN_IN_USE', subject: `tenants/${tenantId}` }]);
    await fixture.call(Tenants.deleteTenant, { id: tenantId, etag: '' });
    expect(await fixture.call(Plans.deletePlan, { id: planId, etag: '' })).toEqual({});
  });

  test('are listed in pages', async () => {
    const first = await fixture.call(Plans.listPlans, { pageSize: 1, pageToken: '' });
    const second = await fixture.call(Plans.listPlans, { pageSize: 1, pageToken: first.nextPageToken });
    expect(first.plans).toHaveLength(1);
    expect(second.plans[0]?.id).not.toBe(first.plans[0]?.id);
  });
});

describe('keys', () => {
  const createKey = (fields: Partial<ApiKey> = {}) =>
    fixture.call(Keys.createApiKey, { tenantId, apiKey: ApiKey.fromPartial({ name: 'laptop', ...fields }) });

  test('the text is shown once, and has the id in it', async () => {
    const { apiKey, key } = await createKey({ scopes: ['books.write'] });
    expect(apiKey).toMatchObject({ tenantId, name: 'laptop', scopes: ['books.write'], state: KeyState.STATE_ACTIVE });
    expect(key).toContain(`tg_laptop_${apiKey!.id}_`);
    const read = await fixture.call(Keys.getApiKey, { id: apiKey!.id });
    expect(read).toEqual(apiKey);
    expect(JSON.stringify(read)).not.toContain(key);
    expect(fixture.log.join('')).not.toContain(key);
  });

  test('CreateApiKey refuses an absent tenant, and what is wrong', async () => {
    const apiKey = ApiKey.fromPartial({ name: 'laptop' });
    expect(await refusal(Keys.createApiKey, { tenantId: 'absent', apiKey })).toMatchObject(NOT_FOUND);
    expect(await refusal(Keys.createApiKey, { tenantId: '', apiKey: undefined })).toMatchObject({
      ...INVALID,
      fields: ['tenant_id', 'api_key'],
    });
    const nameless = ApiKey.fromPartial({});
    expect(await refusal(Keys.createApiKey, { tenantId, apiKey: nameless })).toMatchObject({
      ...INVALID,
      fields: ['api_key.name'],
    });
  });

  test('are updated by mask; an absent time in the mask means never', async () => {
    const { apiKey } = await createKey({ expireTime: new Date('2040-01-01T00:00:00Z') });
    const { id } = apiKey!;
    const disabled = await fixture.call(Keys.updateApiKey, {
      apiKey: ApiKey.fromPartial({ id, state: KeyState.STATE_DISABLED }),
      updateMask: ['state'],
    });
    expect(disabled).toMatchObject({ state: KeyState.STATE_DISABLED, expireTime: apiKey!.expireTime });
    const forever = await fixture.call(Keys.updateApiKey, {
      apiKey: ApiKey.fromPartial({ id, etag: disabled.etag }),
      updateMask: ['expire_time'],
    });
    expect(forever.expireTime).toBeUndefined();
  });

  test('an absent key and a stale etag are refused', async () => {
    const { apiKey } = await createKey();
    const { id } = apiKey!;
    expect(await refusal(Keys.getApiKey, { id: 'absent' })).toMatchObject(NOT_FOUND);
    expect(await refusal(Keys.deleteApiKey, { id: 'absent', etag: '' })).toMatchObject(NOT_FOUND);
    expect(await refusal(Keys.deleteApiKey, { id, etag: 'stale' })).toMatchObject(MISMATCH);
    const stale = ApiKey.fromPartial({ id, etag: 'stale', name: 'x' });
    expect(await refusal(Keys.updateApiKey, { apiKey: stale, updateMask: ['name'] })).toMatchObject(MISMATCH);
    expect(await fixture.call(Keys.deleteApiKey, { id, etag: apiKey!.etag })).toEqual({});
    expect(await refusal(Keys.getApiKey, { id })).toMatchObject(NOT_FOUND);
  });

  test('are listed by tenant, in pages; a token of one list is none of another', async () => {
    const ids = [await createKey(), await createKey(), await createKey()].map(({ apiKey }) => apiKey!.id).sort();
    const first = await fixture.call(Keys.listApiKeys, { tenantId, pageSize: 2, pageToken: '' });
    const rest = await fixture.call(Keys.listApiKeys, { tenantId, pageSize: 2, pageToken: first.nextPageToken });
    expect([...first.apiKeys, ...rest.apiKeys].map(({ id }) => id)).toEqual(ids);
    expect(rest.nextPageToken).toBe('');
    const others = { tenantId: '', pageSize: 2, pageToken: first.nextPageToken };
    expect(await refusal(Keys.listApiKeys, others)).toMatchObject({ ...INVALID, fields: ['page_token'] });
  });
});

test('a write is logged with who did it and how it ended, at info', async () => {
  await refusal(Tenants.createTenant, { tenantId, tenant: Tenant.fromPartial({ plan: planId }) });
  const lines = fixture.log.map((line) => JSON.parse(line));
  expect(lines).toContainEqual(
    expect.objectContaining({
      level: 'info',
      method: 'tollgate.admin.v1.TenantService/CreateTenant',
      status: 'ALREADY_EXISTS',
      principal: 'key1',
    }),
  );
});
