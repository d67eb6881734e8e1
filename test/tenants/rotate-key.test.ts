import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ApiKey, ApiKey_State, RotateApiKeyRequest } from '../../generated/tollgate/admin/v1/api_key.ts';
import { hashKey, parseKey } from '../../src/tenants/key-text.ts';
import { apiKey, Registry } from './support.ts';

let registry: Registry;
beforeEach(async () => {
  registry = await Registry.open();
  await registry.seed('demo');
});
afterEach(() => registry.close());

const HOUR = 3_600_000;
const now = () => registry.folder.clock.ms;

async function made(over: object = {}): Promise<ApiKey> {
  const { apiKey: created } = await registry.manager.createApiKey({ tenantId: 'demo', apiKey: apiKey(over) });
  return created!;
}
const rotate = (request: Partial<RotateApiKeyRequest>) =>
  registry.manager.rotateApiKey(RotateApiKeyRequest.fromPartial(request));
const hours = (count: number) => ({ seconds: count * 3600, nanos: 0 });

describe('a key that is rotated', () => {
  it('has a successor with the same rights, another id and another text, and ends after the grace', async () => {
    const limits = [{ name: 'calls', rate: 3, burst: 4 }];
    const old = await made({ name: 'ci', scopes: ['a', 'b'], limits });
    const { version } = registry.sync.current;
    const { apiKey: next, key, oldApiKey } = await rotate({ id: old.id, grace: hours(1) });
    expect(next).toMatchObject({ tenantId: 'demo', name: 'ci', scopes: ['a', 'b'], limits, state: old.state });
    expect(next?.expireTime).toBeUndefined();
    expect(next?.id).not.toBe(old.id);
    expect(parseKey(key)).toMatchObject({ name: 'ci', id: next?.id });
    expect((await registry.store.documents.getByHash('api_key', hashKey(key)))?.id).toBe(next?.id);
    expect(oldApiKey).toMatchObject({ id: old.id, expireTime: new Date(now() + HOUR) });
    expect(await registry.manager.getApiKey({ id: old.id })).toEqual(oldApiKey);
    // Both or none: one change.
    expect(registry.sync.current.version).toBe(version + 1);
  });

  it('ends at once without a grace', async () => {
    const old = await made();
    expect((await rotate({ id: old.id })).oldApiKey?.expireTime).toEqual(new Date(now()));
  });

  it('lives no longer than it would have, and neither does the successor, unless that is asked for', async () => {
    const expireTime = new Date(now() + HOUR);
    const first = await rotate({ id: (await made({ expireTime })).id, grace: hours(48) });
    expect([first.oldApiKey?.expireTime, first.apiKey?.expireTime]).toEqual([expireTime, expireTime]);
    const later = new Date(now() + 90 * 24 * HOUR);
    const second = await rotate({ id: first.apiKey!.id, grace: hours(48), expireTime: later });
    expect([second.oldApiKey?.expireTime, second.apiKey?.expireTime]).toEqual([expireTime, later]);
  });

  it('must be in force: a disabled or expired one gains no successor', async () => {
    const disabled = await made({ state: ApiKey_State.STATE_DISABLED });
    const expired = await made({ expireTime: new Date(now()) });
    for (const { id } of [disabled, expired]) {
      await expect(rotate({ id, grace: hours(1) })).rejects.toMatchObject({
        code: 'failed_precondition',
        violation: { type: 'KEY_NOT_IN_FORCE', subject: `api_keys/${id}` },
      });
    }
    await expect(rotate({ id: 'absent' })).rejects.toMatchObject({ code: 'not_found' });
  });

  it('is refused with a grace or an end that makes no sense, and with an etag that is not the current one', async () => {
    const { id, etag } = await made();
    await expect(rotate({ id, grace: hours(24 * 366 + 1) })).rejects.toMatchObject({ field: 'grace' });
    await expect(rotate({ id, grace: { seconds: -1, nanos: 0 } })).rejects.toMatchObject({ field: 'grace' });
    await expect(rotate({ id, expireTime: new Date(now()) })).rejects.toMatchObject({ field: 'expire_time' });
    const { oldApiKey } = await rotate({ id, etag, grace: hours(1) });
    await expect(rotate({ id, etag })).rejects.toMatchObject({ code: 'etag_mismatch', current: oldApiKey?.etag });
  });
});
