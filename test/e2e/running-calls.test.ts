import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ApiKey, ApiKey_State, ApiKeyServiceService } from '../../generated/tollgate/admin/v1/api_key.ts';
import { Tenant_State } from '../../generated/tollgate/admin/v1/tenant.ts';
import { type Config, Listener_Errors, Plan, Store_Redis } from '../../generated/tollgate/config/v1/config.ts';
import {
  GetMetricsRequest,
  GetMetricsRequest_Label,
  MetricsServiceService,
} from '../../generated/tollgate/metrics/v1/metrics.ts';
import { Code, codeName } from '../../src/grpc/status.ts';
import { waitForAll } from '../fleet/wait-for-all.ts';
import { AdminClient } from '../support/admin-client.ts';
import { EverythingBackend } from '../support/everything-backend.ts';
import type { EverythingMethod } from '../support/everything-methods.ts';
import { type CallOptions, GrpcClient, type Observation } from '../support/grpc-client.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts';
import { refusalOf } from './refusal-of.ts';

// A call that runs ends with its credential, or its tenant: the client is told, the backend's stream is reset, and the call is
// settled once. Each kind of call and each cause; the change is made at the same gateway, and at another of the fleet.

/** What the backend is told to do so that the call runs until somebody ends it. */
const KINDS: Readonly<Partial<Record<EverythingMethod, CallOptions>>> = {
  Unary: { script: { hang: 'before-headers' } },
  ServerStream: { script: { messages: 2, hang: 'after-messages' } },
  ClientStream: { keepOpen: true },
  BidiStream: { keepOpen: true },
};
const METHODS = Object.keys(KINDS) as (keyof typeof KINDS)[];

interface Caller {
  readonly tenant: string;
  readonly keyId: string;
}

interface Cause {
  readonly name: string;
  readonly reason: string;
  readonly status: 'UNAUTHENTICATED' | 'PERMISSION_DENIED';
  end(admin: AdminClient, caller: Caller): Promise<unknown>;
}

const CAUSES: readonly Cause[] = [
  {
    name: 'its key is deleted',
    reason: 'CREDENTIAL_REVOKED',
    status: 'UNAUTHENTICATED',
    end: (admin, { keyId }) => admin.deleteKey(keyId),
  },
  {
    name: 'its key is disabled',
    reason: 'CREDENTIAL_REVOKED',
    status: 'UNAUTHENTICATED',
    end: (admin, { keyId }) => updateKey(admin, { id: keyId, state: ApiKey_State.STATE_DISABLED }, 'state'),
  },
  {
    name: 'its key is given an end, when that comes',
    reason: 'CREDENTIAL_EXPIRED',
    status: 'UNAUTHENTICATED',
    end: (admin, { keyId }) => updateKey(admin, { id: keyId, expireTime: new Date(Date.now() + 150) }, 'expire_time'),
  },
  {
    name: 'its tenant is suspended',
    reason: 'TENANT_SUSPENDED',
    status: 'PERMISSION_DENIED',
    end: (admin, { tenant }) => admin.updateTenant(tenant, { state: Tenant_State.STATE_SUSPENDED }),
  },
  {
    name: 'its tenant is deleted',
    reason: 'CREDENTIAL_REVOKED',
    status: 'UNAUTHENTICATED',
    end: (admin, { tenant }) => admin.deleteTenant(tenant),
  },
];

const backend = new EverythingBackend();
beforeAll(() => backend.start());
afterAll(() => backend.stop());

function updateKey(admin: AdminClient, change: Partial<ApiKey>, field: string): Promise<ApiKey> {
  return admin.call(ApiKeyServiceService.updateApiKey, { apiKey: ApiKey.fromPartial(change), updateMask: [field] });
}

const seenOf = (tenant: string) => backend.calls.filter(({ metadata }) => metadata['x-tenant-id'] === tenant);

/** How many calls of a tenant have ended, by status, as this gateway has counted. */
async function endedCalls(admin: AdminClient, tenantId: string): Promise<Record<string, number>> {
  const request = GetMetricsRequest.fromPartial({ tenantId, groupBy: [GetMetricsRequest_Label.LABEL_STATUS] });
  const { series } = await admin.call(MetricsServiceService.getMetrics, request);
  return Object.fromEntries(series.map(({ status, calls }) => [status, calls]));
}

const STORES = [
  ['on the embedded store', false],
  ['at the other gateway of a fleet', true],
] as const;

describe.each(STORES)('a call that runs, changes being made %s,', (_, fleet) => {
  let redis: RedisServer | undefined;
  let serving: TestGateway;
  let changed: TestGateway;
  let admin: AdminClient;
  /** Of the gateway that serves the calls. */
  let watcher: AdminClient;

  beforeAll(async () => {
    redis = fleet ? await startRedis() : undefined;
    const edit = (config: Config) => {
      if (redis === undefined) return;
      const url = `redis://127.0.0.1:${redis.port}`;
      config.store = { kind: { $case: 'redis', redis: Store_Redis.fromPartial({ url }) } };
      config.tenants = [];
    };
    serving = await startTestGateway({
      backend: backend.address,
      edit: (config) => {
        edit(config);
        config.listeners.push({ ...config.listeners[0]!, name: 'uniform', errors: Listener_Errors.ERRORS_UNIFORM });
        // Without limits: nothing here waits for Redis.
        config.plans.push(Plan.fromPartial({ name: 'open' }), Plan.fromPartial({ name: 'single', concurrency: 1 }));
      },
    });
    changed = fleet ? await startTestGateway({ backend: backend.address, edit }) : serving;
    // The last to start has set the admin key of all.
    admin = new AdminClient(changed.admin, changed.adminKey);
    watcher = new AdminClient(serving.admin, changed.adminKey);
  });
  afterAll(async () => {
    admin?.close();
    watcher?.close();
    await serving?.stop();
    if (fleet) await changed?.stop();
    await redis?.stop();
  });

  async function newTenant(name: string, plan = 'open'): Promise<Caller & { key: string }> {
    // Both describes share the backend.
    const tenant = fleet ? `fleet-${name}` : name;
    await admin.createTenant(tenant, plan);
    const { id, key } = await admin.createKey(tenant, 'first');
    return { tenant, keyId: id, key };
  }

  /** Begins a call, and resolves when the backend has it. */
  async function begin({ tenant, key }: Caller & { key: string }, method: EverythingMethod, listener = 'public') {
    // What was written at the other gateway is here, too.
    while (!(await waitForAll(admin)).reached);
    const client = new GrpcClient(`127.0.0.1:${serving.port(listener)}`, key);
    let observation: Observation | undefined;
    const ended = client.call(method, KINDS[method]).then((seen) => {
      client.close();
      observation = seen;
      backend.watch.changed();
      return seen;
    });
    await backend.watch.until(() => observation !== undefined || (seenOf(tenant).at(-1)?.messages ?? 0) > 0);
    if (observation !== undefined) throw new Error(`the call ended at once: ${observation.details}`);
    return { ended };
  }

  describe.each(CAUSES.map((cause) => [cause.name, cause] as const))('ends when %s:', (_name, cause) => {
    test.each(METHODS)('%s', async (method) => {
      const caller = await newTenant(`${CAUSES.indexOf(cause)}-${method.toLowerCase()}`);
      const { ended } = await begin(caller, method);
      await cause.end(admin, caller);
      const { code, reason, domain, metadata } = refusalOf(await ended);
      expect([codeName(code), reason, domain]).toEqual([cause.status, cause.reason, 'tollgate']);
      const [seen, ...more] = seenOf(caller.tenant);
      expect(more).toEqual([]);
      expect(metadata.request_id).toBe(seen?.metadata['x-request-id']);
      await backend.watch.until(() => seen?.cancelled === true);
      expect(await endedCalls(watcher, caller.tenant)).toEqual({ [cause.status]: 1 });
    });
  });

  test('ends at the end that its key had from the beginning', async () => {
    for (let life = 500; ; life *= 2) {
      const caller = await newTenant(`dated-${life}`);
      const expireTime = new Date(Date.now() + life);
      await updateKey(admin, { id: caller.keyId, expireTime }, 'expire_time');
      const begun = await begin(caller, 'BidiStream').catch((error: unknown) => error);
      // Too late already, on a machine with much to do.
      if (begun instanceof Error) continue;
      const { ended } = begun as { ended: Promise<Observation> };
      expect(refusalOf(await ended).reason).toBe('CREDENTIAL_EXPIRED');
      expect(Date.now()).toBeGreaterThanOrEqual(expireTime.getTime());
      return;
    }
  });

  test('goes on when its key gets another name or a later end, and when others are revoked', async () => {
    const caller = await newTenant('spared');
    const expireTime = new Date(Date.now() + 3_600_000);
    await updateKey(admin, { id: caller.keyId, expireTime }, 'expire_time');
    const { ended } = await begin(caller, 'BidiStream');
    await updateKey(admin, { id: caller.keyId, name: 'renamed' }, 'name');
    await updateKey(admin, { id: caller.keyId, expireTime: new Date(Date.now() + 7_200_000) }, 'expire_time');
    await admin.deleteKey((await admin.createKey(caller.tenant, 'other')).id);
    // Whoever is ended by a look at all running calls is ended before, or with, this one.
    const other = await newTenant('not-spared');
    const second = await begin(other, 'BidiStream');
    await admin.deleteTenant(other.tenant);
    await second.ended;
    expect(seenOf(caller.tenant)[0]?.cancelled).toBe(false);
    await admin.deleteKey(caller.keyId);
    expect(refusalOf(await ended).reason).toBe('CREDENTIAL_REVOKED');
  });

  test('is told nothing by a listener with uniform errors', async () => {
    const caller = await newTenant('uniform');
    const { ended } = await begin(caller, 'BidiStream', 'uniform');
    await admin.updateTenant(caller.tenant, { state: Tenant_State.STATE_SUSPENDED });
    const { code, details, trailers } = await ended;
    expect([code, details]).toEqual([Code.UNAUTHENTICATED, 'The call was refused. Ask the operator of this gateway.']);
    expect(trailers['grpc-status-details-bin']).toBeUndefined();
  });

  test("counts against its tenant's concurrency for as long as it runs, and no longer", async () => {
    const caller = await newTenant('single', 'single');
    const second = await admin.createKey(caller.tenant, 'second');
    const { ended } = await begin(caller, 'BidiStream');
    const client = new GrpcClient(`127.0.0.1:${serving.public}`, second.key);
    for (let i = 0; i < 3; i++) expect(refusalOf(await client.call('Unary')).reason).toBe('CONCURRENCY_LIMITED');
    await admin.deleteKey(caller.keyId);
    expect(refusalOf(await ended).reason).toBe('CREDENTIAL_REVOKED');
    expect((await client.call('Unary')).code).toBe(Code.OK);
    client.close();
  });
});
