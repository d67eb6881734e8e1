import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ApiKey, ApiKey_State } from '../../generated/tollgate/admin/v1/api_key.ts';
import { Tenant_State } from '../../generated/tollgate/admin/v1/tenant.ts';
import { credentialInvalid, storeUnavailable } from '../../src/chain/refusal.ts';
import { hashKey } from '../../src/tenants/key-text.ts';
import { keyContent } from '../../src/tenants/stored.ts';
import { apiKey, tenant } from '../tenants/support.ts';
import { AuthFixture, method } from './support.ts';

let fixture: AuthFixture;
beforeEach(async () => {
  fixture = await AuthFixture.open();
});
afterEach(() => fixture.close());

const INVALID = credentialInvalid();
const unknown = 'tg_laptop_0123456789abcdef_0123456789abcdef0123456789abcdef01234567';

describe('authentication', () => {
  it('tells principal, tenant and plan from a key', async () => {
    const { text, id } = await fixture.key({ scopes: ['books.read'] });
    const call = fixture.call(text);
    expect(await fixture.auth.admit(call)).toBeUndefined();
    expect(call.principal).toMatchObject({ id, tenantId: 'demo', scopes: new Set(['books.read']) });
    expect(call.tenant).toBe(call.snapshot.tenants.get('demo'));
    expect(call.plan).toBe(call.snapshot.plans.get('free'));
  });

  it('answers synchronously, without the store, whoever it knows; and without hashing, whose header block it knows', async () => {
    const { text } = await fixture.key();
    const first = fixture.call(text);
    await fixture.auth.admit(first);
    expect(fixture.auth.admit(fixture.call(text))).toBeUndefined();
    // The memo alone is looked at: the text could not pass.
    const call = fixture.call('', { credential: { text: '', entry: first.credential.entry } });
    expect(fixture.auth.admit(call)).toBeUndefined();
    expect(call.principal?.tenantId).toBe('demo');
    expect(fixture.lookups).toBe(1);
    expect(fixture.auth.stats).toMatchObject({ hits: 2, misses: 1, positives: 1, negatives: 0 });
  });

  it('does not trust the memo of another gateway', async () => {
    const other = await AuthFixture.open();
    const { text } = await other.key();
    const call = other.call(text);
    expect(await other.auth.admit(call)).toBeUndefined();
    expect(await fixture.auth.admit(fixture.call(text, { credential: call.credential }))).toBe(INVALID);
    await other.close();
  });

  it('refuses all that is wrong with one and the same answer', async () => {
    const { manager } = fixture.registry;
    const expired = await fixture.key({ expireTime: new Date(fixture.registry.folder.clock.ms) });
    const disabled = await fixture.key({ state: ApiKey_State.STATE_DISABLED });
    const deleted = await fixture.key();
    await manager.deleteApiKey({ id: deleted.id, etag: '' });
    const { text } = await fixture.key();
    const wrong = [
      '',
      'short',
      'x'.repeat(300),
      `${text} `,
      `${text}x`,
      text.slice(0, -1),
      text.toUpperCase(),
      unknown,
    ];
    wrong.push(expired.text, disabled.text, deleted.text, `tg_laptop_é${'x'.repeat(40)}`);
    for (const presented of wrong) expect(await fixture.admit(presented), presented).toBe(INVALID);
    expect(await fixture.admit(text)).toBeUndefined();
  });

  it('does not bother hash or store with nothing, or with more than anybody needs', () => {
    for (const text of ['', 'x'.repeat(8193), 'x'.repeat(10_000_000)]) {
      expect(fixture.auth.admit(fixture.call(text))).toBe(INVALID);
    }
    expect(fixture.lookups).toBe(0);
  });

  it('looks for what cannot be a key as for an unknown one, and finds none, be it in the store', async () => {
    for (const text of ['short', 'x'.repeat(257), `${'x'.repeat(40)}\n`]) {
      const id = `demo.k${text.length}`;
      const content = keyContent(ApiKey.fromPartial({ id, tenantId: 'demo', name: 'k' }), hashKey(text));
      await fixture.registry.sync.change([{ op: 'put', kind: 'api_key', id, ...content }]);
      expect(await fixture.admit(text)).toBe(INVALID);
    }
    expect(fixture.lookups).toBe(3);
  });

  it('remembers unknown keys for a while', async () => {
    const call = fixture.call(unknown);
    expect(await fixture.auth.admit(call)).toBe(INVALID);
    expect(fixture.auth.admit(call)).toBe(INVALID);
    expect(fixture.auth.admit(fixture.call(unknown))).toBe(INVALID);
    expect(fixture.lookups).toBe(1);
    fixture.registry.folder.clock.ms += 10_000;
    expect(await fixture.auth.admit(call)).toBe(INVALID);
    expect(fixture.lookups).toBe(2);
  });

  it('ends a key at its time, memo or not', async () => {
    const { clock } = fixture.registry.folder;
    const { text } = await fixture.key({ expireTime: new Date(clock.ms + 1000) });
    const call = fixture.call(text);
    clock.ms += 999;
    expect(await fixture.auth.admit(call)).toBeUndefined();
    clock.ms += 1;
    expect(await fixture.auth.admit(call)).toBe(INVALID);
    expect(await fixture.admit(text)).toBe(INVALID);
  });

  it('looks at no credential for public methods', async () => {
    const call = fixture.call(unknown, { method: method({ public: true }) });
    expect(fixture.auth.admit(call)).toBeUndefined();
    expect([call.principal, call.tenant, fixture.lookups]).toEqual([undefined, undefined, 0]);
  });

  it('comes before everything: without a credential a method that is not there is refused the same', async () => {
    expect(await fixture.admit(unknown, { method: undefined })).toBe(INVALID);
  });
});

describe('a change takes effect on the next decision', () => {
  it('when a key is deleted, disabled, enabled or gets other scopes', async () => {
    const { manager } = fixture.registry;
    const { text, id } = await fixture.key();
    const call = fixture.call(text);
    expect(await fixture.auth.admit(call)).toBeUndefined();
    const set = (over: object, ...updateMask: string[]) =>
      manager.updateApiKey({ apiKey: apiKey({ id, ...over }), updateMask });
    await set({ state: ApiKey_State.STATE_DISABLED }, 'state');
    expect(await fixture.auth.admit(call)).toBe(INVALID);
    await set({ state: ApiKey_State.STATE_ACTIVE }, 'state');
    expect(await fixture.auth.admit(call)).toBeUndefined();
    await set({ scopes: ['new'] }, 'scopes');
    await fixture.auth.admit(call);
    expect(call.principal?.scopes).toEqual(new Set(['new']));
    await manager.deleteApiKey({ id, etag: '' });
    expect(await fixture.auth.admit(call)).toBe(INVALID);
  });

  it('when a tenant is suspended, active again, on another plan, or deleted', async () => {
    const { manager } = fixture.registry;
    const { text } = await fixture.key();
    const admit = async () => {
      const call = fixture.call(text);
      return (await fixture.auth.admit(call)) ?? call.plan?.id;
    };
    await manager.createPlan({
      planId: 'gold',
      plan: { id: '', limits: [], quotas: [], concurrency: 9, priority: 0, allowed: [], etag: '' },
    });
    expect(await admit()).toBe('free');
    const set = (over: object, ...updateMask: string[]) =>
      manager.updateTenant({ tenant: tenant({ id: 'demo', ...over }), updateMask });
    await set({ state: Tenant_State.STATE_SUSPENDED }, 'state');
    expect(await admit()).toBe(INVALID);
    await set({ state: Tenant_State.STATE_ACTIVE, plan: 'gold' }, 'state', 'plan');
    expect(await admit()).toBe('gold');
    await manager.deleteTenant({ id: 'demo', etag: '' });
    expect(await admit()).toBe(INVALID);
  });

  it('when an unknown key becomes known', async () => {
    const text = 'a-key-that-was-tried-too-early';
    expect(await fixture.admit(text)).toBe(INVALID);
    await fixture.registry.manager.ensureAdminKey(text);
    expect(await fixture.admit(text)).toBeUndefined();
  });

  it('when a key is deleted while it is being looked up: the old answer is not used, and not kept', async () => {
    const { text, id } = await fixture.key();
    const gate = Promise.withResolvers<void>();
    fixture.after = gate.promise;
    const verdict = fixture.admit(text);
    await Promise.resolve();
    await fixture.registry.manager.deleteApiKey({ id, etag: '' });
    gate.resolve();
    expect(await verdict).toBe(INVALID);
    expect(await fixture.admit(text)).toBe(INVALID);
    expect(fixture.lookups).toBe(2);
  });

  it('but a call keeps the snapshot that it began with', async () => {
    const { text } = await fixture.key();
    const call = fixture.call(text);
    await fixture.registry.manager.updateTenant({
      tenant: tenant({ id: 'demo', displayName: 'later' }),
      updateMask: ['display_name'],
    });
    await fixture.auth.admit(call);
    expect(call.tenant?.displayName).toBe('');
    const next = fixture.call(text);
    await fixture.auth.admit(next);
    expect(next.tenant?.displayName).toBe('later');
  });
});

describe('the store behind authentication', () => {
  it('is asked once for a key that many calls bring at the same time', async () => {
    const { text } = await fixture.key();
    const gate = Promise.withResolvers<void>();
    fixture.before = gate.promise;
    const calls = Array.from({ length: 100 }, () => fixture.call(text));
    const verdicts = calls.map((call) => fixture.auth.admit(call));
    gate.resolve();
    expect(new Set(await Promise.all(verdicts))).toEqual(new Set([undefined]));
    expect(fixture.lookups).toBe(1);
    expect(new Set(calls.map((call) => call.principal)).size).toBe(1);
  });

  it('makes callers unavailable when it fails, not unauthenticated; and is asked again', async () => {
    const { text } = await fixture.key();
    fixture.before = Promise.reject(new Error('disk on fire'));
    expect(await fixture.admit(text)).toBe(storeUnavailable());
    expect(fixture.storeErrors).toMatchObject([{ message: 'disk on fire' }]);
    fixture.before = undefined;
    expect(await fixture.admit(text)).toBeUndefined();
  });

  it('is asked so many things at once, and no more', async () => {
    const small = await AuthFixture.open({ maxLookups: 3 });
    const gate = Promise.withResolvers<void>();
    small.before = gate.promise;
    const verdicts = [0, 1, 2, 3, 0].map((i) => small.admit(`${unknown.slice(0, -1)}${i}`));
    gate.resolve();
    expect(await Promise.all(verdicts)).toEqual([INVALID, INVALID, INVALID, storeUnavailable(), INVALID]);
    expect(small.lookups).toBe(3);
    await small.close();
  });
});
