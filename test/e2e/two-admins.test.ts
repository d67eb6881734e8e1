import type { MethodDefinition, ServiceError } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ApiKey, ApiKeyServiceService as keys } from '../../generated/tollgate/admin/v1/api_key.ts';
import { Plan, PlanServiceService as plans } from '../../generated/tollgate/admin/v1/plan.ts';
import { Tenant, TenantServiceService as tenants } from '../../generated/tollgate/admin/v1/tenant.ts';
import { type Config, Store_Redis } from '../../generated/tollgate/config/v1/config.ts';
import { Code } from '../../src/grpc/status.ts';
import { readDetails } from '../control/details.ts';
import { AdminClient } from '../support/admin-client.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts';

// Two admins who have read the same, and write at the same time: one wins, the other is told so, with what to go on from. At
// one gateway, and at two of a fleet.

const ROUNDS = 10;
const STORES = [
  ['at one gateway', false],
  ['at two gateways of a fleet', true],
] as const;

describe.each(STORES)('two admins %s', (_, fleet) => {
  let redis: RedisServer | undefined;
  const gateways: TestGateway[] = [];
  let admins: [AdminClient, AdminClient];

  beforeAll(async () => {
    redis = fleet ? await startRedis() : undefined;
    const edit = (config: Config) => {
      config.tenants = [];
      if (redis === undefined) return;
      const url = `redis://127.0.0.1:${redis.port}`;
      config.store = { kind: { $case: 'redis', redis: Store_Redis.fromPartial({ url }) } };
    };
    for (let i = 0; i < (fleet ? 2 : 1); i++) {
      // Nothing is called here.
      gateways.push(await startTestGateway({ backend: '127.0.0.1:1', edit }));
    }
    // The last to start has set the admin key of all.
    const client = (gateway: TestGateway) => new AdminClient(gateway.admin, gateways.at(-1)!.adminKey);
    admins = [client(gateways[0]!), client(gateways.at(-1)!)];
  });
  afterAll(async () => {
    for (const admin of admins ?? []) admin.close();
    for (const gateway of gateways) await gateway.stop();
    await redis?.stop();
  });

  /** Both write under one etag. @returns what the winner wrote */
  async function race<Request, Message extends { etag: string }>(
    method: MethodDefinition<Request, Message>,
    requests: readonly [Request, Request],
    read: () => Promise<Message>,
  ): Promise<Message> {
    const outcomes = await Promise.allSettled(requests.map((request, i) => admins[i]!.call(method, request)));
    const won = outcomes.filter((outcome) => outcome.status === 'fulfilled');
    const lost = outcomes.filter((outcome) => outcome.status === 'rejected');
    expect([won.length, lost.length]).toEqual([1, 1]);
    const error = lost[0]!.reason as ServiceError;
    expect(error.code).toBe(Code.ABORTED);
    const current = await read();
    expect(won[0]!.value).toEqual(current);
    expect(readDetails(error.metadata)?.info).toMatchObject({
      reason: 'ETAG_MISMATCH',
      metadata: { etag: current.etag },
    });
    return current;
  }

  test('writing the same tenant', async () => {
    let tenant = await admins[0].createTenant('raced', 'wide');
    for (let round = 0; round < ROUNDS; round++) {
      const by = (who: string) => ({
        tenant: Tenant.fromPartial({ ...tenant, displayName: `${who} ${round}`, allowed: [`${who}-${round}`] }),
        updateMask: ['display_name', 'allowed'],
      });
      const won = await race(tenants.updateTenant, [by('one'), by('two')], () => admins[0].getTenant('raced'));
      // All of what one wrote, and nothing of the other.
      expect(won.allowed).toEqual([won.displayName.replace(' ', '-')]);
      tenant = won;
    }
  });

  test('writing the same plan', async () => {
    let plan = await admins[0].createPlan('raced', { limits: [], quotas: [], concurrency: 0 });
    for (let round = 0; round < ROUNDS; round++) {
      const by = (who: number) => ({
        plan: Plan.fromPartial({ ...plan, concurrency: 2 * round + who, allowed: [`c-${2 * round + who}`] }),
        updateMask: undefined,
      });
      plan = await race(plans.updatePlan, [by(1), by(2)], () => admins[0].getPlan('raced'));
      expect(plan.allowed).toEqual([`c-${plan.concurrency}`]);
    }
  });

  test('one changing a key, one rotating it', async () => {
    await admins[0].createTenant('keyed', 'wide');
    for (let round = 0; round < ROUNDS; round++) {
      const { id } = await admins[0].createKey('keyed', `k-${round}`);
      const get = () => admins[0].call(keys.getApiKey, { id });
      const { etag } = await get();
      const change = admins[0].call(keys.updateApiKey, {
        apiKey: ApiKey.fromPartial({ id, etag, scopes: ['more'] }),
        updateMask: ['scopes'],
      });
      const rotation = admins[1].call(keys.rotateApiKey, {
        id,
        etag,
        grace: { seconds: 60, nanos: 0 },
        expireTime: undefined,
      });
      const [changed, rotated] = await Promise.allSettled([change, rotation]);
      expect([changed.status, rotated.status].sort()).toEqual(['fulfilled', 'rejected']);
      const { apiKeys } = await admins[1].call(keys.listApiKeys, { tenantId: 'keyed', pageSize: 1000, pageToken: '' });
      const mine = apiKeys.filter(({ name }) => name === `k-${round}`);
      // A rotation that lost has left no successor.
      expect(mine.length).toBe(rotated.status === 'fulfilled' ? 2 : 1);
      const lost = changed.status === 'rejected' ? changed : rotated;
      const error = (lost as PromiseRejectedResult).reason as ServiceError;
      expect(error.code).toBe(Code.ABORTED);
      expect(readDetails(error.metadata)?.info?.metadata.etag).toBe((await get()).etag);
    }
  });
});
