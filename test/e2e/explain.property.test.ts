import { credentials } from '@grpc/grpc-js';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  ApiKey,
  ApiKey_State as KeyState,
  ApiKeyServiceService as Keys,
} from '../../generated/tollgate/admin/v1/api_key.ts';
import {
  DecisionServiceService as Decisions,
  ExplainDecisionRequest,
  type ExplainDecisionResponse,
} from '../../generated/tollgate/admin/v1/decision.ts';
import { ClientCertificate, Issuer } from '../../generated/tollgate/admin/v1/issuer.ts';
import { Quota_Period as Period, Plan, PlanServiceService as Plans } from '../../generated/tollgate/admin/v1/plan.ts';
import {
  Tenant,
  Tenant_State as TenantState,
  TenantServiceService as Tenants,
} from '../../generated/tollgate/admin/v1/tenant.ts';
import {
  Authentication,
  Overload,
  ServerTls,
  ServerTls_ClientAuth,
} from '../../generated/tollgate/config/v1/config.ts';
import { codeName } from '../../src/grpc/status.ts';
import { AdminClient } from '../support/admin-client.ts';
import { EverythingBackend, methodDefinition } from '../support/everything-backend.ts';
import type { EverythingMethod } from '../support/everything-methods.ts';
import { GrpcClient } from '../support/grpc-client.ts';
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts';
import { AUTHORITY, AUTHORITY_PEM, PAIRS, type TlsPair } from '../support/tls-files.ts';
import { TokenIssuer } from '../support/token-issuer.ts';
import { refusalOf } from './refusal-of.ts';

// ExplainDecision agrees with what then really happens, whatever the tenant, its plan, its credential, the method, the use so far,
// and the calls that run.

const METHODS: readonly EverythingMethod[] = ['Unary', 'Costly', 'Limited', 'Scoped', 'Open'];
const RUNS = 120;
/** Buckets that do not refill while the test looks. */
const RATE = 0.0001;

const URI = 'spiffe://tollgate.test/ns/shop/sa/web';

const issuer = new TokenIssuer();
const backend = new EverythingBackend();
let gateway: TestGateway;
let admin: AdminClient;
beforeAll(async () => {
  await Promise.all([backend.start(), issuer.start()]);
  gateway = await startTestGateway({
    backend: backend.address,
    edit: (config) => {
      const { cert, key } = PAIRS.gateway;
      const clientAuth = ServerTls_ClientAuth.CLIENT_AUTH_OPTIONAL;
      config.listeners[0]!.tls = ServerTls.fromPartial({ cert, key, clientCa: AUTHORITY, clientAuth });
      // What depends on the machine, or on how many have tried before, is no matter of the explanation.
      config.overload = Overload.fromPartial({ disabled: true });
      config.authentication = Authentication.fromPartial({ failures: { burst: 100_000 } });
    },
  });
  admin = new AdminClient(gateway.admin, gateway.adminKey);
});
afterAll(async () => {
  admin.close();
  await gateway.stop();
  await issuer.stop();
  backend.stop();
});

const world = fc.record({
  credential: fc.constantFrom('key', 'key', 'token', 'certificate'),
  /** Calls at once; and calls that are begun and run on, as far as they are admitted. */
  concurrency: fc.constantFrom(0, 0, 1, 2),
  running: fc.constantFrom(0, 0, 1, 2),
  calls: fc.option(fc.integer({ min: 1, max: 4 }), { freq: 1 }),
  special: fc.option(fc.integer({ min: 1, max: 3 })),
  day: fc.option(fc.integer({ min: 0, max: 8 })),
  month: fc.option(fc.integer({ min: 0, max: 12 })),
  tenantState: fc.constantFrom(TenantState.STATE_ACTIVE, TenantState.STATE_ACTIVE, TenantState.STATE_SUSPENDED),
  keyState: fc.constantFrom(KeyState.STATE_ACTIVE, KeyState.STATE_ACTIVE, KeyState.STATE_DISABLED),
  expiresInMs: fc.constantFrom(undefined, 3_600_000, -1000),
  scopes: fc.subarray(['everything.scoped', 'other']),
  deleted: fc.constantFrom(false, false, false, true),
  /** Of the key. */
  own: fc.option(fc.integer({ min: 1, max: 4 }), { freq: 1 }),
  /** Of the tenant: another limit than its plan's, and what it may call. */
  override: fc.option(fc.integer({ min: 1, max: 4 }), { freq: 1 }),
  allowed: fc.constantFrom([], [], [], ['everything'], [methodDefinition('Scoped').path.slice(1)]),
  before: fc.array(fc.constantFrom(...METHODS), { maxLength: 5 }),
  method: fc.constantFrom(...METHODS),
});
type World = typeof world extends fc.Arbitrary<infer T> ? T : never;

let count = 0;

/** Who calls, and what the explanation is told of it. */
interface Caller {
  readonly client: GrpcClient;
  /** The same caller in one or more ways. */
  readonly told: readonly Partial<ExplainDecisionRequest>[];
  /** Nothing of it may be in an explanation. */
  readonly secret: string;
  /** What happens to the credential after its first calls. */
  spoil(): Promise<void>;
}

/** Makes the tenant, and somebody who calls for it. */
async function build(drawn: World): Promise<Caller & { readonly tenantId: string }> {
  const tenantId = `drawn-${++count}`;
  const quota = (period: Period, units: number | null) =>
    units === null ? [] : [{ metric: 'units', limit: units, period }];
  const plan = Plan.fromPartial({
    limits: [...limit('calls', drawn.calls), ...limit('special', drawn.special)],
    quotas: [...quota(Period.PERIOD_DAY, drawn.day), ...quota(Period.PERIOD_MONTH, drawn.month)],
    concurrency: drawn.concurrency,
  });
  const overrides = drawn.override === null ? undefined : { limits: limit('calls', drawn.override) };
  const tenant = Tenant.fromPartial({ plan: tenantId, allowed: [...drawn.allowed], overrides });
  await admin.call(Plans.createPlan, { planId: tenantId, plan });
  await admin.call(Tenants.createTenant, { tenantId, tenant });
  return { tenantId, ...(await CALLERS[drawn.credential](tenantId, drawn)) };
}

const limit = (name: string, burst: number | null) => (burst === null ? [] : [{ name, rate: RATE, burst }]);

function connect(credential?: string, pair?: TlsPair): GrpcClient {
  const channel = credentials.createSsl(AUTHORITY_PEM, pair?.pem.key, pair?.pem.cert);
  return new GrpcClient(`localhost:${gateway.public}`, credential, channel);
}

async function byKey(tenantId: string, drawn: World): Promise<Caller> {
  const fields = ApiKey.fromPartial({ name: 'drawn', scopes: drawn.scopes, limits: limit('calls', drawn.own) });
  const { key, apiKey } = await admin.call(Keys.createApiKey, { tenantId, apiKey: fields });
  const apiKeyId = apiKey?.id ?? '';
  return {
    client: connect(key),
    secret: key,
    told: [
      { metadata: { authorization: `Bearer ${key}` } },
      { metadata: { 'x-api-key': key } },
      { caller: { $case: 'apiKeyId', apiKeyId } },
    ],
    async spoil() {
      const { keyState: state, expiresInMs } = drawn;
      const expireTime = expiresInMs === undefined ? undefined : new Date(Date.now() + expiresInMs);
      const changed = ApiKey.fromPartial({ id: apiKeyId, state, expireTime });
      await admin.call(Keys.updateApiKey, { apiKey: changed, updateMask: ['state', 'expire_time'] });
      if (drawn.deleted) await admin.deleteKey(apiKeyId);
    },
  };
}

/** A token cannot be changed: what is wrong with it is so from the beginning, but for the trust in its issuer. */
async function byToken(tenantId: string, drawn: World): Promise<Caller> {
  const { url } = issuer;
  const keys = { $case: 'jwksUrl', jwksUrl: issuer.jwksUrl } as const;
  const trusted = Issuer.fromPartial({ issuer: url, audiences: ['shop'], keys, name: 'corp', tenantClaim: 'org' });
  await updateTenant({ id: tenantId, issuers: [trusted] }, 'issuers');
  const exp = Math.floor(Date.now() / 1000) + Math.sign(drawn.expiresInMs ?? 1) * 3600;
  const aud = drawn.keyState === KeyState.STATE_DISABLED ? 'another' : 'shop';
  const token = issuer.token({ org: tenantId, scope: drawn.scopes.join(' '), exp, aud });
  return {
    client: connect(token),
    secret: token,
    told: [{ metadata: { authorization: `Bearer ${token}` } }],
    async spoil() {
      if (drawn.deleted) await updateTenant({ id: tenantId, issuers: [] }, 'issuers');
    },
  };
}

async function byCertificate(tenantId: string, drawn: World): Promise<Caller> {
  const certificate = ClientCertificate.fromPartial({
    name: 'web',
    san: { $case: 'uri', uri: URI },
    scopes: drawn.scopes,
  });
  const trust = (clientCertificates: ClientCertificate[]) =>
    updateTenant({ id: tenantId, clientCertificates }, 'client_certificates');
  await trust([certificate]);
  return {
    client: connect(undefined, PAIRS.client),
    secret: PAIRS.client.pem.key.toString(),
    told: [{ clientCertificate: { uris: [URI], dnsNames: ['web.shop.test'] } }],
    async spoil() {
      if (drawn.deleted) await trust([]);
    },
  };
}

const CALLERS = { key: byKey, token: byToken, certificate: byCertificate } as const;

async function updateTenant(tenant: Partial<Tenant>, ...updateMask: string[]): Promise<void> {
  await admin.call(Tenants.updateTenant, { tenant: Tenant.fromPartial(tenant), updateMask });
}

/** Whether a credential of the tenant is as good as this one, which the explanation of a tenant is about. */
function isSound({ credential, keyState, expiresInMs, deleted, own }: World): boolean {
  if (deleted || (credential === 'key' && own !== null)) return false;
  if (credential === 'certificate') return true;
  return keyState === KeyState.STATE_ACTIVE && (expiresInMs ?? 1) > 0;
}

/** Begins calls that run until their client ends them; those that are refused are over. */
async function beginCalls(client: GrpcClient, calls: number): Promise<void> {
  for (let i = 0; i < calls; i++) {
    const begun = Promise.withResolvers<void>();
    const ended = client.call('ServerStream', {
      script: { messages: 1, hang: 'after-messages' },
      onMessage: () => begun.resolve(),
    });
    await Promise.race([begun.promise, ended]);
  }
}

const told = ({ status, reason }: ExplainDecisionResponse) => ({ status, reason });

test('ExplainDecision says what a call then gets', async () => {
  const seen: { readonly credential: string; readonly reason: string }[] = [];
  await fc.assert(
    fc.asyncProperty(world, async (drawn) => {
      const { tenantId, client, secret, told: callers, spoil } = await build(drawn);
      try {
        for (const method of drawn.before) await client.call(method);
        await beginCalls(client, drawn.running);
        if (drawn.tenantState === TenantState.STATE_SUSPENDED) {
          await admin.updateTenant(tenantId, { state: drawn.tenantState });
        }
        await spoil();
        const method = methodDefinition(drawn.method).path.slice(1);
        const ofTenant = { caller: { $case: 'tenantId', tenantId } as const, scopes: drawn.scopes };
        const explained: ExplainDecisionResponse[] = [];
        for (const caller of isSound(drawn) ? [...callers, ofTenant] : callers) {
          const request = ExplainDecisionRequest.fromPartial({ method, listener: 'public', ...caller });
          explained.push(await admin.call(Decisions.explainDecision, request));
        }
        const happened = await client.call(drawn.method);
        const reason = happened.code === 0 ? '' : (refusalOf(happened).reason ?? '');
        const real = { status: codeName(happened.code), reason };
        expect(explained.map(told)).toEqual(explained.map(() => real));
        expect(JSON.stringify(explained)).not.toContain(secret);
        seen.push({ credential: drawn.credential, reason });
      } finally {
        // Its calls end with it. One tenant alone has the certificate.
        client.close();
        if (drawn.credential === 'certificate') {
          await updateTenant({ id: tenantId, clientCertificates: [] }, 'client_certificates');
        }
      }
    }),
    // Always the same ones: the kinds of answers that they reach are counted below.
    { numRuns: RUNS, seed: 7 },
  );
  // The draw reaches every kind of answer, and every kind of credential is admitted.
  const reasons = ['', 'CONCURRENCY_LIMITED', 'CREDENTIAL_INVALID', 'METHOD_UNKNOWN'];
  reasons.push('QUOTA_EXHAUSTED', 'RATE_LIMITED', 'SCOPE_MISSING');
  expect([...new Set(seen.map(({ reason }) => reason))].sort()).toEqual(reasons);
  const admitted = seen.filter(({ reason }) => reason === '').map(({ credential }) => credential);
  expect(new Set(admitted)).toEqual(new Set(Object.keys(CALLERS)));
}, 240_000);
