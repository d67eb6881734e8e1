import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ApiKey_State } from '../../generated/tollgate/admin/v1/api_key.ts';
import { Tenant_State } from '../../generated/tollgate/admin/v1/tenant.ts';
import type { FileContent } from '../../src/tenants/apply-file.ts';
import { FailedPrecondition, InvalidArgument, NotFound } from '../../src/tenants/errors.ts';
import { hashKey } from '../../src/tenants/key-text.ts';
import { apiKey, plan, Registry, tenant } from './support.ts';

let registry: Registry;
beforeEach(async () => {
  registry = await Registry.open();
});
afterEach(() => registry.close());

const quota = { metric: 'units', limit: 100, period: 'month', timeZone: 'UTC', anchor: 1 } as const;
const free = {
  id: 'free',
  limits: [{ name: 'calls', rate: 5, burst: 10 }],
  quotas: [quota],
  concurrency: 20,
  priority: 1 as const,
};
const key = (name: string, text: string, scopes: string[] = []) => ({ name, sha256: hashKey(text), scopes });
const demo = (...keys: ReturnType<typeof key>[]) => ({ id: 'demo', displayName: 'Demo', plan: 'free', keys });
const file = (...keys: ReturnType<typeof key>[]): FileContent => ({ plans: [free], tenants: [demo(...keys)] });

const apply = (content: FileContent) => registry.manager.applyFile(content);
const find = (text: string) => registry.store.documents.getByHash('api_key', hashKey(text));

describe('the configuration file', () => {
  it('is applied in one change, and in none the second time', async () => {
    await apply(file(key('laptop', 'one', ['books.read'])));
    expect(await registry.store.documents.version()).toBe(1);
    expect(registry.sync.current.plans.get('free')).toEqual(free);
    expect(registry.sync.current.tenants.get('demo')).toMatchObject({ displayName: 'Demo', suspended: false });
    expect(await registry.manager.getApiKey({ id: 'demo.laptop' })).toMatchObject({
      name: 'laptop',
      scopes: ['books.read'],
    });
    await apply(file(key('laptop', 'one', ['books.read'])));
    expect(await registry.store.documents.version()).toBe(1);
  });

  it('never deletes what the API added', async () => {
    await apply(file());
    const { manager } = registry;
    await manager.createPlan({ planId: 'gold', plan: plan() });
    await manager.createTenant({ tenantId: 'acme', tenant: tenant({ plan: 'gold' }) });
    const { apiKey: added } = await manager.createApiKey({ tenantId: 'demo', apiKey: apiKey() });
    await apply(file(key('laptop', 'one')));
    await manager.getTenant({ id: 'acme' });
    await manager.getApiKey({ id: added!.id });
  });

  it('wins over the API in what it says, and keeps what it does not say', async () => {
    await apply(file(key('laptop', 'one')));
    const { manager } = registry;
    const state = Tenant_State.STATE_SUSPENDED;
    await manager.updateTenant({ tenant: tenant({ id: 'demo', displayName: 'theirs', state }) });
    const disabled = apiKey({ id: 'demo.laptop', scopes: ['more'], state: ApiKey_State.STATE_DISABLED });
    await manager.updateApiKey({ apiKey: disabled });
    await apply(file(key('laptop', 'one')));
    expect(await manager.getTenant({ id: 'demo' })).toMatchObject({ displayName: 'Demo', state });
    expect(await manager.getApiKey({ id: 'demo.laptop' })).toMatchObject({
      scopes: [],
      state: ApiKey_State.STATE_DISABLED,
    });
  });

  it('revokes a key whose text it replaces, and one that it no longer has', async () => {
    await apply(file(key('a', 'one'), key('b', 'two')));
    const dropped: string[] = [];
    registry.sync.onChange(({ hashes }) => void dropped.push(...hashes));
    await apply(file(key('a', 'three')));
    expect(await find('one')).toBeUndefined();
    expect(await find('two')).toBeUndefined();
    expect((await find('three'))?.id).toBe('demo.a');
    expect(dropped.toSorted()).toEqual([hashKey('one'), hashKey('two'), hashKey('three')].toSorted());
  });

  it('lets two keys change their texts with each other', async () => {
    await apply(file(key('a', 'one'), key('b', 'two')));
    await apply(file(key('a', 'two'), key('b', 'one')));
    expect([(await find('one'))?.id, (await find('two'))?.id]).toEqual(['demo.b', 'demo.a']);
  });

  it('is refused whole when something in it is wrong', async () => {
    await expect(apply(file(key('a', 'one'), key('b', 'one')))).rejects.toMatchObject({
      code: 'failed_precondition',
      violation: { type: 'KEY_TAKEN', subject: 'api_keys/demo.a' },
    });
    await expect(apply(file(key('a', 'one'), key('a', 'two')))).rejects.toThrow(InvalidArgument);
    await expect(apply({ plans: [], tenants: [demo()] })).rejects.toThrow(FailedPrecondition);
    await expect(apply({ plans: [free, free], tenants: [] })).rejects.toThrow('stands twice');
    await expect(apply({ plans: [free], tenants: [{ ...demo(), id: 'tollgate-admin' }] })).rejects.toThrow(
      'TOLLGATE_ADMIN_KEY',
    );
    expect(await registry.store.documents.version()).toBe(0);
  });
});

describe('the admin key', () => {
  const ensure = (text?: string) => registry.manager.ensureAdminKey(text);
  const long = 'operators-own-secret-0123456789';

  it('is minted once, and shown only then', async () => {
    const text = await ensure();
    expect(text).toMatch(/^tg_admin_/);
    expect(await find(text!)).toMatchObject({ parent: 'tollgate-admin' });
    expect(registry.sync.current.plans.get('unlimited')).toEqual({
      id: 'unlimited',
      limits: [],
      quotas: [],
      concurrency: 0,
      priority: 1,
    });
    expect(await ensure()).toBeUndefined();
    const { apiKeys } = await registry.manager.listApiKeys({ tenantId: 'tollgate-admin', pageSize: 0, pageToken: '' });
    expect(apiKeys).toMatchObject([{ scopes: ['tollgate.admin', 'tollgate.metrics'] }]);
  });

  it('is the one from the environment when there is one; a new one takes the place of the old', async () => {
    expect(await ensure(long)).toBeUndefined();
    const version = await registry.store.documents.version();
    await ensure(long);
    expect(await registry.store.documents.version()).toBe(version);
    await ensure(`${long}-new`);
    expect(await find(long)).toBeUndefined();
    expect(await find(`${long}-new`)).toBeDefined();
    expect(await ensure()).toBeUndefined();
  });

  it('is refused when it is too weak, with words that help', async () => {
    await expect(ensure('hunter2')).rejects.toThrow(/TOLLGATE_ADMIN_KEY: must be 22 to 256 .*openssl/);
    await expect(ensure('')).rejects.toThrow(InvalidArgument);
  });

  it('is minted anew when none is usable any more', async () => {
    const first = await ensure();
    const { id } = (await find(first!))!;
    await registry.manager.updateApiKey({
      apiKey: apiKey({ id, state: ApiKey_State.STATE_DISABLED }),
      updateMask: ['state'],
    });
    expect(await ensure()).toMatch(/^tg_admin_/);
  });

  it('belongs to a tenant that nobody can delete or suspend', async () => {
    await ensure();
    const { manager } = registry;
    await expect(manager.deleteTenant({ id: 'tollgate-admin', etag: '' })).rejects.toThrow(FailedPrecondition);
    const suspended = tenant({ id: 'tollgate-admin', plan: 'unlimited', state: Tenant_State.STATE_SUSPENDED });
    await expect(manager.updateTenant({ tenant: suspended })).rejects.toThrow(FailedPrecondition);
    await expect(manager.createTenant({ tenantId: 'tollgate-admin', tenant: tenant() })).rejects.toThrow(
      FailedPrecondition,
    );
    await expect(manager.getTenant({ id: 'none' })).rejects.toThrow(NotFound);
  });
});
