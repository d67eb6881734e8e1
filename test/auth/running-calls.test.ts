import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ApiKey, ApiKey_State } from '../../generated/tollgate/admin/v1/api_key.ts';
import { Tenant_State } from '../../generated/tollgate/admin/v1/tenant.ts';
import type { Call } from '../../src/chain/call.ts';
import { tenant } from '../tenants/support.ts';
import { AuthFixture } from './support.ts';

/** Times by which a look at all running calls was asked for. */
let asked: number[] = [];
let fixture: AuthFixture;
beforeEach(async () => {
  asked = [];
  // Room for one key: whoever is second makes the first leave the cache.
  fixture = await AuthFixture.open({ maxPositives: 1, lookBy: (at) => void asked.push(at) });
});
afterEach(() => fixture.close());

async function admitted(text: string): Promise<Call> {
  const call = fixture.call(text);
  expect(await fixture.auth.admit(call)).toBeUndefined();
  return call;
}
function update(change: Partial<ApiKey>, field: string) {
  return fixture.registry.manager.updateApiKey({ apiKey: ApiKey.fromPartial(change), updateMask: [field] });
}
/** What one look says of each. */
function look(...calls: Call[]): (string | undefined)[] {
  const judge = fixture.auth.judge(fixture.registry.sync.current);
  return calls.map((call) => judge(call)?.reason);
}

describe('a look at the running calls', () => {
  it('ends those whose key was revoked, and no others, though it has left the cache', async () => {
    const [first, second] = [await fixture.key(), await fixture.key()];
    const calls = [await admitted(first.text), await admitted(second.text)];
    expect(fixture.auth.stats.evictions).toBe(1);
    asked = [];
    await fixture.registry.manager.deleteApiKey({ id: first.id, etag: '' });
    expect(asked).toEqual([fixture.registry.folder.clock.now()]);
    expect(look(...calls)).toEqual(['CREDENTIAL_REVOKED', undefined]);
  });

  it('remembers what was changed for one look', async () => {
    const key = await fixture.key();
    const call = await admitted(key.text);
    await update({ id: key.id, state: ApiKey_State.STATE_DISABLED }, 'state');
    await update({ id: key.id, state: ApiKey_State.STATE_ACTIVE }, 'state');
    // It was looked at when all was well again.
    expect(look(call)).toEqual([undefined]);
    await update({ id: key.id, state: ApiKey_State.STATE_DISABLED }, 'state');
    expect(look(call)).toEqual(['CREDENTIAL_REVOKED']);
  });

  it('is asked for at the end of a key, which may be moved', async () => {
    const now = fixture.registry.folder.clock.now();
    const key = await fixture.key({ expireTime: new Date(now + 10_000) });
    asked = [];
    const call = await admitted(key.text);
    expect(asked).toEqual([now + 10_000]);
    await update({ id: key.id, expireTime: new Date(now + 20_000) }, 'expire_time');
    asked = [];
    fixture.registry.folder.clock.ms += 10_000;
    expect(look(call)).toEqual([undefined]);
    expect(asked).toEqual([now + 20_000]);
    fixture.registry.folder.clock.ms += 10_000;
    expect(look(call)).toEqual(['CREDENTIAL_EXPIRED']);
  });

  it('is not asked for by calls of keys that never end, nor by changes that end nothing', async () => {
    const key = await fixture.key();
    await admitted(key.text);
    asked = [];
    await admitted(key.text);
    await fixture.registry.manager.createTenant({ tenantId: 'another', tenant: tenant() });
    expect(asked).toEqual([]);
  });

  it('is not escaped by a call whose key was being looked up', async () => {
    const { manager } = fixture.registry;
    const key = await fixture.key();
    const gate = Promise.withResolvers<void>();
    fixture.after = gate.promise;
    const call = fixture.call(key.text);
    const verdict = fixture.auth.admit(call);
    const suspended = { ...(await manager.getTenant({ id: 'demo' })), state: Tenant_State.STATE_SUSPENDED };
    await manager.updateTenant({ tenant: suspended, updateMask: ['state'] });
    expect(look(call)).toEqual([undefined]);
    gate.resolve();
    expect((await verdict)?.reason).toBe('CREDENTIAL_INVALID');
  });
});
