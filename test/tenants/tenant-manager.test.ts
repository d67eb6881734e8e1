import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ApiKey_State } from '../../generated/tollgate/admin/v1/api_key.ts';
import { Quota_Period } from '../../generated/tollgate/admin/v1/plan.ts';
import { Tenant_State } from '../../generated/tollgate/admin/v1/tenant.ts';
import {
  AlreadyExists,
  EtagMismatch,
  FailedPrecondition,
  InvalidArgument,
  NotFound,
} from '../../src/tenants/errors.ts';
import { hashKey, parseKey } from '../../src/tenants/key-text.ts';
import type { TenantManager } from '../../src/tenants/tenant-manager.ts';
import { apiKey, plan, Registry, tenant } from './support.ts';

let registry: Registry;
let manager: TenantManager;

beforeEach(async () => {
  registry = await Registry.open();
  manager = registry.manager;
  await registry.seed('demo');
});
afterEach(() => registry.close());

describe('tenants', () => {
  it('are created active, with etag and times, and take effect at once', async () => {
    const created = await manager.createTenant({ tenantId: 'acme', tenant: tenant({ displayName: 'ACME' }) });
    const now = new Date(registry.folder.clock.ms);
    expect(created).toMatchObject({ id: 'acme', displayName: 'ACME', plan: 'free', state: Tenant_State.STATE_ACTIVE });
    expect(created).toMatchObject({ createTime: now, updateTime: now });
    expect(created.etag).not.toBe('');
    expect(await manager.getTenant({ id: 'acme' })).toEqual(created);
    expect(registry.sync.current.tenants.get('acme')?.plan).toBe('free');
  });

  it('are refused when the id is taken or wrong, or the plan unknown', async () => {
    const create = (tenantId: string, over: object = {}) => manager.createTenant({ tenantId, tenant: tenant(over) });
    await expect(create('demo')).rejects.toThrow(AlreadyExists);
    await expect(create('Demo')).rejects.toMatchObject({ code: 'invalid_argument', field: 'tenant_id' });
    await expect(create('x', { plan: '' })).rejects.toMatchObject({ field: 'tenant.plan' });
    await expect(create('x', { plan: 'none' })).rejects.toMatchObject({
      code: 'failed_precondition',
      violation: { type: 'PLAN_UNKNOWN', subject: 'plans/none' },
    });
    await expect(create('x', { displayName: 'x'.repeat(201) })).rejects.toMatchObject({ field: 'tenant.display_name' });
    await expect(manager.createTenant({ tenantId: 'x' })).rejects.toThrow(InvalidArgument);
    await expect(manager.getTenant({ id: 'x' })).rejects.toThrow(NotFound);
  });

  it('are updated by mask, wholly without one; a state that is not given stays', async () => {
    await manager.updateTenant({
      tenant: tenant({ id: 'demo', displayName: 'ignored', state: Tenant_State.STATE_SUSPENDED }),
      updateMask: ['state'],
    });
    expect(await manager.getTenant({ id: 'demo' })).toMatchObject({
      displayName: '',
      state: Tenant_State.STATE_SUSPENDED,
    });
    const whole = await manager.updateTenant({ tenant: tenant({ id: 'demo', displayName: 'new' }) });
    expect(whole).toMatchObject({ displayName: 'new', plan: 'free', state: Tenant_State.STATE_SUSPENDED });
    const wrong = (over: object, updateMask: string[]) =>
      expect(manager.updateTenant({ tenant: tenant({ id: 'demo', ...over }), updateMask })).rejects;
    await wrong({}, ['state']).toMatchObject({ field: 'tenant.state' });
    await wrong({}, ['id']).toMatchObject({ field: 'update_mask' });
    await wrong({ plan: 'none' }, ['plan']).toThrow(FailedPrecondition);
    await expect(manager.updateTenant({ tenant: tenant({ id: 'none' }) })).rejects.toThrow(NotFound);
  });

  it('are guarded by etags: of writers at once with the same one, one wins', async () => {
    const { etag } = await manager.getTenant({ id: 'demo' });
    const results = await Promise.allSettled(
      Array.from({ length: 10 }, (_, i) =>
        manager.updateTenant({ tenant: tenant({ id: 'demo', displayName: `w${i}`, etag }) }),
      ),
    );
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const now = await manager.getTenant({ id: 'demo' });
    for (const result of results) {
      if (result.status === 'rejected')
        expect(result.reason).toMatchObject({ code: 'etag_mismatch', current: now.etag });
    }
    await expect(manager.deleteTenant({ id: 'demo', etag })).rejects.toThrow(EtagMismatch);
    await manager.deleteTenant({ id: 'demo', etag: now.etag });
  });

  it('lose no change to writers without etags that touch other fields', async () => {
    const writers = Array.from({ length: 5 }, (_, i) => [
      manager.updateTenant({ tenant: tenant({ id: 'demo', displayName: `w${i}` }), updateMask: ['display_name'] }),
      manager.updateTenant({
        tenant: tenant({ id: 'demo', state: Tenant_State.STATE_SUSPENDED }),
        updateMask: ['state'],
      }),
    ]);
    await Promise.all(writers.flat());
    const { displayName, state } = await manager.getTenant({ id: 'demo' });
    expect([displayName.slice(0, 1), state]).toEqual(['w', Tenant_State.STATE_SUSPENDED]);
  });

  it('get no new version from an update that changes nothing', async () => {
    const before = await manager.getTenant({ id: 'demo' });
    expect(await manager.updateTenant({ tenant: before })).toEqual(before);
  });

  it('are listed in pages', async () => {
    for (const tenantId of ['a', 'b', 'c']) await manager.createTenant({ tenantId, tenant: tenant() });
    const ids: string[] = [];
    let pageToken = '';
    do {
      const page = await manager.listTenants({ pageSize: 3, pageToken });
      ids.push(...page.tenants.map(({ id }) => id), '|');
      pageToken = page.nextPageToken;
    } while (pageToken !== '');
    expect(ids).toEqual(['a', 'b', 'c', '|', 'demo', '|']);
    await expect(manager.listTenants({ pageSize: 3, pageToken: 'x' })).rejects.toMatchObject({ field: 'page_token' });
  });

  /** All pages of a list: the ids, with `|` where one ended. */
  async function pagesOf(request: { pageSize: number; plan?: string; state?: Tenant_State }): Promise<string> {
    let [ids, pageToken] = ['', ''];
    do {
      const page = await manager.listTenants({ ...request, pageToken });
      ids += `${page.tenants.map(({ id }) => id).join(' ')}|`;
      pageToken = page.nextPageToken;
    } while (pageToken !== '');
    return ids;
  }

  it('are listed by plan and state, in pages of those alone', async () => {
    await manager.createPlan({ planId: 'gold', plan: plan() });
    for (const tenantId of ['a', 'b', 'c', 'd']) {
      const state = tenantId < 'c' ? Tenant_State.STATE_SUSPENDED : Tenant_State.STATE_ACTIVE;
      await manager.createTenant({ tenantId, tenant: tenant({ plan: tenantId === 'd' ? 'free' : 'gold', state }) });
    }
    expect(await pagesOf({ pageSize: 2, plan: 'gold' })).toBe('a b|c|');
    expect(await pagesOf({ pageSize: 9, plan: 'free', state: Tenant_State.STATE_ACTIVE })).toBe('d demo|');
    expect(await pagesOf({ pageSize: 1, state: Tenant_State.STATE_SUSPENDED })).toBe('a|b|');
    expect(await pagesOf({ pageSize: 9, plan: 'none' })).toBe('|');
    // The token of one list is none of another.
    const { nextPageToken: pageToken } = await manager.listTenants({ pageSize: 1, pageToken: '', plan: 'gold' });
    const other = manager.listTenants({ pageSize: 1, pageToken, plan: 'free' });
    await expect(other).rejects.toMatchObject({ field: 'page_token' });
  });

  it('are looked at in bounded numbers for one page: it may be empty, and not the last', async () => {
    await manager.createPlan({ planId: 'gold', plan: plan() });
    const { body } = (await registry.store.documents.get('tenant', 'demo'))!;
    const many = Array.from({ length: 5_100 }, (_, i) => `a${String(i).padStart(5, '0')}`);
    await registry.store.documents.commit(
      many.map((id) => ({ op: 'put', kind: 'tenant', id, body, reference: 'free' })),
    );
    await manager.createTenant({ tenantId: 'last', tenant: tenant({ plan: 'gold' }) });
    expect(await pagesOf({ pageSize: 9, plan: 'gold' })).toBe('|last|');
  });

  it('take their keys with them', async () => {
    const { apiKey: key } = await manager.createApiKey({ tenantId: 'demo', apiKey: apiKey() });
    await manager.deleteTenant({ id: 'demo', etag: '' });
    await expect(manager.getApiKey({ id: key?.id ?? '' })).rejects.toThrow(NotFound);
    await expect(manager.deleteTenant({ id: 'demo', etag: '' })).rejects.toThrow(NotFound);
    expect(registry.sync.current.tenants.size).toBe(0);
  });
});

describe('plans', () => {
  it('change for all their tenants at once', async () => {
    const limits = [{ name: 'calls', rate: 5, burst: 10 }];
    await manager.updatePlan({ plan: plan({ id: 'free', limits, concurrency: 3 }), updateMask: ['limits'] });
    expect(registry.sync.current.plans.get('free')).toMatchObject({ limits, concurrency: 0 });
  });

  it('cannot be deleted while a tenant has them', async () => {
    await expect(manager.deletePlan({ id: 'free', etag: '' })).rejects.toMatchObject({
      code: 'failed_precondition',
      violation: { type: 'PLAN_IN_USE', subject: 'tenants/demo' },
    });
    await manager.deleteTenant({ id: 'demo', etag: '' });
    await manager.deletePlan({ id: 'free', etag: '' });
    expect((await manager.listPlans({ pageSize: 0, pageToken: '' })).plans).toEqual([]);
  });

  it.each([
    ['plan.limits[0].rate', { limits: [{ name: 'calls', rate: 0, burst: 1 }] }],
    ['plan.limits[0].rate', { limits: [{ name: 'calls', rate: Number.POSITIVE_INFINITY, burst: 1 }] }],
    ['plan.limits[0].burst', { limits: [{ name: 'calls', rate: 1, burst: 0 }] }],
    ['plan.limits[0].name', { limits: [{ name: 'A', rate: 1, burst: 1 }] }],
    [
      'plan.limits',
      {
        limits: [
          { name: 'a', rate: 1, burst: 1 },
          { name: 'a', rate: 2, burst: 1 },
        ],
      },
    ],
    [
      'plan.quotas[0].time_zone',
      { quotas: [{ metric: 'units', limit: 1, period: 1, timeZone: 'Mars/Base', anchor: 0 }] },
    ],
    ['plan.quotas[0].anchor', { quotas: [{ metric: 'units', limit: 1, period: 1, timeZone: '', anchor: 24 }] }],
    ['plan.quotas[0].period', { quotas: [{ metric: 'units', limit: 1, period: 0, timeZone: '', anchor: 0 }] }],
    ['plan.quotas[0].limit', { quotas: [{ metric: 'units', limit: 2 ** 53, period: 1, timeZone: '', anchor: 0 }] }],
  ])('are refused with a wrong %s: %o', async (field, over) => {
    await expect(manager.createPlan({ planId: 'x', plan: plan(over) })).rejects.toMatchObject({ field });
  });

  it('may have a daily and a monthly quota of one metric', async () => {
    const quota = { metric: 'units', limit: 1, timeZone: 'Europe/Berlin', anchor: 1 };
    const quotas = [Quota_Period.PERIOD_DAY, Quota_Period.PERIOD_MONTH].map((period) => ({ ...quota, period }));
    expect((await manager.createPlan({ planId: 'x', plan: plan({ quotas }) })).quotas).toEqual(quotas);
  });
});

describe('keys', () => {
  it('show their text once; the store has only its SHA-256', async () => {
    const expireTime = new Date(1_800_000_000_000);
    const request = { tenantId: 'demo', apiKey: apiKey({ name: 'ci-runner', scopes: ['books.read'], expireTime }) };
    const { apiKey: created, key } = await manager.createApiKey(request);
    expect(parseKey(key)).toMatchObject({ name: 'ci-runner', id: created?.id });
    expect(created).toMatchObject({
      tenantId: 'demo',
      scopes: ['books.read'],
      state: ApiKey_State.STATE_ACTIVE,
      expireTime,
    });
    expect(await manager.getApiKey({ id: created!.id })).toEqual(created);
    const document = await registry.store.documents.getByHash('api_key', hashKey(key));
    expect(document?.id).toBe(created?.id);
    const secret = parseKey(key)?.secret ?? '?';
    expect(Buffer.from(document!.body).includes(secret)).toBe(false);
  });

  it('need a tenant, a name and proper scopes', async () => {
    const create = (over: object, tenantId = 'demo') => manager.createApiKey({ tenantId, apiKey: apiKey(over) });
    await expect(create({}, 'none')).rejects.toMatchObject({ code: 'not_found', kind: 'tenant', id: 'none' });
    await expect(create({ name: 'a_b' })).rejects.toMatchObject({ field: 'api_key.name' });
    await expect(create({ scopes: ['ok', 'not ok'] })).rejects.toMatchObject({ field: 'api_key.scopes[1]' });
    await expect(create({ scopes: ['ok', 'ok'] })).rejects.toMatchObject({ field: 'api_key.scopes' });
    await expect(create({ expireTime: new Date(Number.NaN) })).rejects.toMatchObject({ field: 'api_key.expire_time' });
  });

  it('are updated by mask, and stay findable by their hash', async () => {
    const { apiKey: created, key } = await manager.createApiKey({
      tenantId: 'demo',
      apiKey: apiKey({ scopes: ['a'] }),
    });
    const id = created!.id;
    await manager.updateApiKey({ apiKey: apiKey({ id, state: ApiKey_State.STATE_DISABLED }), updateMask: ['state'] });
    expect(await manager.getApiKey({ id })).toMatchObject({ scopes: ['a'], state: ApiKey_State.STATE_DISABLED });
    expect((await registry.store.documents.getByHash('api_key', hashKey(key)))?.id).toBe(id);
    const stale = apiKey({ id, etag: created!.etag, scopes: ['b'] });
    await expect(manager.updateApiKey({ apiKey: stale })).rejects.toThrow(EtagMismatch);
    await manager.deleteApiKey({ id, etag: '' });
    expect(await registry.store.documents.getByHash('api_key', hashKey(key))).toBeUndefined();
  });

  it('are listed of one tenant or of all', async () => {
    await manager.createTenant({ tenantId: 'other', tenant: tenant() });
    for (const tenantId of ['demo', 'demo', 'other']) await manager.createApiKey({ tenantId, apiKey: apiKey() });
    const list = async (tenantId: string) =>
      (await manager.listApiKeys({ tenantId, pageSize: 0, pageToken: '' })).apiKeys;
    expect((await list('demo')).map((key) => key.tenantId)).toEqual(['demo', 'demo']);
    expect(await list('')).toHaveLength(3);
  });
});
