import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { Issuer } from '../../generated/tollgate/admin/v1/issuer.ts';
import {
  Tenant,
  Tenant_State,
  TenantServiceService,
  UpdateTenantRequest,
} from '../../generated/tollgate/admin/v1/tenant.ts';
import { Store_Redis } from '../../generated/tollgate/config/v1/config.ts';
import { Code } from '../../src/grpc/status.ts';
import { AdminClient } from '../support/admin-client.ts';
import { EverythingBackend } from '../support/everything-backend.ts';
import { GrpcClient, type Observation } from '../support/grpc-client.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts';
import { TokenIssuer } from '../support/token-issuer.ts';
import { refusalOf } from './refusal-of.ts';

// Tokens from outside: an admin says whom a tenant trusts, and callers come with tokens; at one gateway, and at another one of the
// fleet than that at which the change is made.

const issuer = new TokenIssuer();
const backend = new EverythingBackend();
let redis: RedisServer;
beforeAll(async () => {
  [, , redis] = await Promise.all([issuer.start(), backend.start(), startRedis()]);
});
afterAll(async () => {
  await Promise.all([issuer.stop(), backend.stop(), redis?.stop()]);
});

interface World {
  /** Where the change is made. */
  readonly admin: AdminClient;
  /** Where calls are. */
  readonly gateway: TestGateway;
}

describe.each(['one gateway', 'another gateway of the fleet'])('at %s', (where) => {
  const closers: (() => unknown)[] = [];
  let world: World;

  beforeAll(async () => {
    const start = () =>
      startTestGateway({
        backend: backend.address,
        edit: (config) => {
          if (where !== 'one gateway')
            config.store = { kind: { $case: 'redis', redis: Store_Redis.fromPartial({ url: redis.url }) } };
          // Made over the API, so that no other gateway's start writes them anew.
          config.tenants = [];
        },
      });
    const first = await start();
    closers.push(() => first.stop());
    const gateway = where === 'one gateway' ? first : await start();
    if (gateway !== first) closers.push(() => gateway.stop());
    // The admin key of the environment is the last one's, wherever it is used.
    const admin = new AdminClient(first.admin, gateway.adminKey);
    closers.push(() => admin.close());
    await vi.waitFor(() => admin.getTenant('tollgate-admin'), { timeout: 60_000 });
    world = { admin, gateway };
  });
  afterAll(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });

  const clients: GrpcClient[] = [];
  afterEach(() => {
    for (const client of clients.splice(0)) client.close();
  });
  function client(token: string): GrpcClient {
    const made = new GrpcClient(`127.0.0.1:${world.gateway.public}`, token);
    clients.push(made);
    return made;
  }

  /** A tenant of its own for each test, which has the issuer's tokens with its name in `org`. */
  async function tenantOf(id: string): Promise<void> {
    await world.admin.createTenant(id, 'wide');
    await trust(id, true);
  }

  async function trust(id: string, isTrusted: boolean): Promise<void> {
    const keys = { $case: 'discovery', discovery: true } as const;
    const one = Issuer.fromPartial({ issuer: issuer.url, audiences: ['shop'], keys, name: 'corp', tenantClaim: 'org' });
    const tenant = Tenant.fromPartial({ id, issuers: isTrusted ? [one] : [] });
    const request = UpdateTenantRequest.fromPartial({ tenant, updateMask: ['issuers'] });
    await world.admin.call(TenantServiceService.updateTenant, request);
  }

  /** Calls until the gateway knows of a change that was made at another one. */
  const becomes = (caller: GrpcClient, code: number) =>
    expect.poll(async () => (await caller.call('Unary')).code, { interval: 20 }).toBe(code);

  /** A stream that runs. @returns how it ends, later */
  async function running(caller: GrpcClient): Promise<{ end: Promise<Observation>; hasBegun: boolean }> {
    const begun = Promise.withResolvers<void>();
    const end = caller.call('ServerStream', {
      script: { messages: 1, hang: 'after-messages' },
      onMessage: () => begun.resolve(),
    });
    const hasBegun = await Promise.race([begun.promise.then(() => true), end.then(() => false)]);
    return { end, hasBegun };
  }

  test('a token is a credential as soon as an admin says so, and no more when he says otherwise; streams end with it', async () => {
    const caller = client(issuer.token({ org: 'trusting', scope: 'everything.scoped' }));
    expect((await caller.call('Unary')).code).toBe(Code.UNAUTHENTICATED);
    await tenantOf('trusting');
    await becomes(caller, Code.OK);
    expect(backend.last.metadata).toMatchObject({ 'x-tenant-id': 'trusting', 'x-principal-id': 'corp:ann' });
    expect(backend.last.metadata.authorization).toBeUndefined();
    expect((await caller.call('Scoped')).code).toBe(Code.OK);
    const { end } = await running(caller);
    await trust('trusting', false);
    expect(refusalOf(await end)).toMatchObject({ code: Code.UNAUTHENTICATED, reason: 'CREDENTIAL_REVOKED' });
    expect(refusalOf(await caller.call('Unary')).reason).toBe('CREDENTIAL_INVALID');
  });

  test('a stream ends when its token does, and the token is refused from then on', async () => {
    await tenantOf('expiring');
    await becomes(client(issuer.token({ org: 'expiring', jti: 'waits' })), Code.OK);
    // On a machine that is busy a token may have expired before its first call has begun: then with a longer life.
    for (const seconds of [1.5, 6, 24]) {
      const exp = Date.now() / 1000 + seconds;
      const caller = client(issuer.token({ org: 'expiring', exp }));
      const { end, hasBegun } = await running(caller);
      if (!hasBegun) continue;
      expect(refusalOf(await end)).toMatchObject({ code: Code.UNAUTHENTICATED, reason: 'CREDENTIAL_EXPIRED' });
      expect(Date.now() / 1000).toBeGreaterThanOrEqual(exp);
      expect(refusalOf(await caller.call('Unary')).reason).toBe('CREDENTIAL_INVALID');
      return;
    }
    expect.unreachable('no call had begun within 24 s');
  });

  test('a stream ends when its tenant is suspended', async () => {
    await tenantOf('suspending');
    const caller = client(issuer.token({ org: 'suspending' }));
    await becomes(caller, Code.OK);
    const { end } = await running(caller);
    await world.admin.updateTenant('suspending', { state: Tenant_State.STATE_SUSPENDED });
    expect(refusalOf(await end)).toMatchObject({ code: Code.PERMISSION_DENIED, reason: 'TENANT_SUSPENDED' });
    expect(refusalOf(await caller.call('Unary')).reason).toBe('CREDENTIAL_INVALID');
  });

  test('an issuer that another tenant has is refused, and so is one that makes no sense', async () => {
    await tenantOf('first');
    await world.admin.createTenant('second', 'wide');
    const update = (issuers: Issuer[]) => {
      const tenant = Tenant.fromPartial({ id: 'second', issuers });
      const request = UpdateTenantRequest.fromPartial({ tenant, updateMask: ['issuers'] });
      return world.admin.call(TenantServiceService.updateTenant, request);
    };
    const keys = { $case: 'discovery', discovery: true } as const;
    const taken = Issuer.fromPartial({ issuer: issuer.url, audiences: ['shop'], keys });
    await expect(update([taken])).rejects.toMatchObject({ code: Code.FAILED_PRECONDITION });
    const file = { ...taken, keys: { $case: 'jwksFile', jwksFile: '/etc/passwd' } as const };
    await expect(update([file])).rejects.toMatchObject({
      code: Code.INVALID_ARGUMENT,
      details: expect.stringContaining('tenant.issuers[0].jwks_file: files are read for the configuration file alone'),
    });
  });
});
