import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  ApiKey,
  ApiKeyServiceService as keys,
  RotateApiKeyRequest,
} from '../../generated/tollgate/admin/v1/api_key.ts';
import { Plan_WhenStoreSilent } from '../../generated/tollgate/admin/v1/plan.ts';
import { type Config, Plan, Store_Redis } from '../../generated/tollgate/config/v1/config.ts';
import { Code } from '../../src/grpc/status.ts';
import { waitForAll } from '../fleet/wait-for-all.ts';
import { AdminClient } from '../support/admin-client.ts';
import { EverythingBackend } from '../support/everything-backend.ts';
import { GrpcClient } from '../support/grpc-client.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts';
import { refusalOf } from './refusal-of.ts';

// Keys over the admin services: rotation, limits of their own, last use; alone, and in a fleet of two on Redis.

const backend = new EverythingBackend();
beforeAll(() => backend.start());
afterAll(() => backend.stop());

const STORES = [
  ['on the embedded store', false],
  ['in a fleet on Redis', true],
] as const;

describe.each(STORES)('%s', (_, fleet) => {
  let redis: RedisServer | undefined;
  const gateways: TestGateway[] = [];
  let admin: AdminClient;
  const open: GrpcClient[] = [];

  beforeAll(async () => {
    redis = fleet ? await startRedis() : undefined;
    const edit = (config: Config) => {
      // Where Redis does not answer in time, calls that need it are refused: whatever the machine does, no limit is passed.
      const whenStoreSilent = Plan_WhenStoreSilent.WHEN_STORE_SILENT_CLOSED;
      config.plans = [Plan.fromPartial({ name: 'open', whenStoreSilent })];
      config.tenants = [];
      if (redis === undefined) return;
      const url = `redis://127.0.0.1:${redis.port}`;
      config.store = { kind: { $case: 'redis', redis: Store_Redis.fromPartial({ url }) } };
    };
    for (let i = 0; i < (fleet ? 2 : 1); i++) gateways.push(await startTestGateway({ backend: backend.address, edit }));
    // The last to start has set the admin key of all.
    admin = new AdminClient(gateways[0]!.admin, gateways.at(-1)!.adminKey);
  });
  afterAll(async () => {
    admin?.close();
    for (const client of open) client.close();
    for (const gateway of gateways) await gateway.stop();
    await redis?.stop();
  });

  /** Calls with a key at each gateway; what they are told. */
  async function reasonsOf(key: string): Promise<(string | undefined)[]> {
    while (!(await waitForAll(admin)).reached);
    return Promise.all(
      gateways.map(async (gateway) => {
        const client = new GrpcClient(`127.0.0.1:${gateway.public}`, key);
        open.push(client);
        return refusalOf(await client.call('Unary')).reason;
      }),
    );
  }
  const all = (reason: string | undefined) => gateways.map(() => reason);

  test('a rotated key goes on for its grace beside its successor, and no longer', async () => {
    await admin.createTenant('rotating', 'open');
    const old = await admin.createKey('rotating', 'first');
    expect(await reasonsOf(old.key)).toEqual(all(undefined));
    const request = { id: old.id, grace: { seconds: 3600, nanos: 0 } };
    const made = await admin.call(keys.rotateApiKey, RotateApiKeyRequest.fromPartial(request));
    expect(await reasonsOf(old.key)).toEqual(all(undefined));
    expect(await reasonsOf(made.key)).toEqual(all(undefined));
    expect(backend.last.metadata).toMatchObject({ 'x-tenant-id': 'rotating', 'x-principal-id': made.apiKey?.id });

    const next = await admin.call(keys.rotateApiKey, RotateApiKeyRequest.fromPartial({ id: made.apiKey!.id }));
    expect(await reasonsOf(made.key)).toEqual(all('CREDENTIAL_INVALID'));
    expect(await reasonsOf(next.key)).toEqual(all(undefined));
  });

  test('a key has limits of its own; other keys of the tenant do not feel them', async () => {
    await admin.createTenant('limited', 'open');
    const apiKey = ApiKey.fromPartial({ name: 'small', limits: [{ name: 'calls', rate: 0.001, burst: 4 }] });
    const small = await admin.call(keys.createApiKey, { tenantId: 'limited', apiKey });
    const wide = await admin.createKey('limited', 'wide');
    while (!(await waitForAll(admin)).reached);
    const count = backend.count();
    const reasons = new Map<string | undefined, number>();
    const told = (reason: string | undefined) => reasons.get(reason) ?? 0;
    for (let i = 0; i < 12 || told(undefined) === 0 || told('RATE_LIMITED') === 0; i++) {
      for (const reason of await reasonsOf(small.key)) reasons.set(reason, told(reason) + 1);
    }
    // One bucket for the whole fleet: leases that ran out unused may leave some of it, no gateway adds to it.
    const admitted = backend.count() - count;
    expect(admitted).toBeLessThanOrEqual(4);
    expect(told(undefined)).toBe(admitted);
    expect(await reasonsOf(wide.key)).toEqual(all(undefined));
    const client = new GrpcClient(`127.0.0.1:${gateways[0]!.public}`, small.key);
    open.push(client);
    let refusal = refusalOf(await client.call('Unary'));
    while (refusal.reason === 'STORE_UNAVAILABLE') refusal = refusalOf(await client.call('Unary'));
    expect([refusal.code, refusal.quotaSubjects]).toEqual([Code.RESOURCE_EXHAUSTED, [`api_key:${small.apiKey?.id}`]]);
  });

  test('a key shows when it was last used, at whatever gateway that was, and stays at its version', async () => {
    await admin.createTenant('used', 'open');
    const { id, key } = await admin.createKey('used', 'first');
    const unused = await admin.createKey('used', 'second');
    const before = Date.now();
    expect(await reasonsOf(key)).toEqual(all(undefined));
    // Each tells its own when it is asked.
    const seen = await Promise.all(
      gateways.map(async (gateway) => {
        const client = new AdminClient(gateway.admin, gateways.at(-1)!.adminKey);
        const { apiKeys } = await client.call(keys.listApiKeys, { tenantId: 'used', pageSize: 0, pageToken: '' });
        client.close();
        return new Map(apiKeys.map((each) => [each.id, each]));
      }),
    );
    for (const found of seen) {
      expect(found.get(id)?.lastUseTime?.getTime()).toBeGreaterThanOrEqual(before);
      expect(found.get(unused.id)?.lastUseTime).toBeUndefined();
    }
    const now = await admin.call(keys.getApiKey, { id });
    expect(now.etag).toBe(seen[0]?.get(id)?.etag);
    // It is nobody's to set.
    const apiKey = ApiKey.fromPartial({ id, name: 'renamed', lastUseTime: new Date(0) });
    await admin.call(keys.updateApiKey, { apiKey, updateMask: ['name'] });
    expect((await admin.call(keys.getApiKey, { id })).lastUseTime).toEqual(now.lastUseTime);
  });
});
