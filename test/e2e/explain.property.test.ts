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
import { Quota_Period as Period, Plan, PlanServiceService as Plans } from '../../generated/tollgate/admin/v1/plan.ts';
import {
  Tenant,
  Tenant_State as TenantState,
  TenantServiceService as Tenants,
} from '../../generated/tollgate/admin/v1/tenant.ts';
import { codeName } from '../../src/grpc/status.ts';
import { AdminClient } from '../support/admin-client.ts';
import { EverythingBackend, methodDefinition } from '../support/everything-backend.ts';
import type { EverythingMethod } from '../support/everything-methods.ts';
import { GrpcClient } from '../support/grpc-client.ts';
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts';
import { refusalOf } from './refusal-of.ts';

// ExplainDecision agrees with what then really happens, whatever the tenant, its plan, its key, the method and the use so far.

const METHODS: readonly EverythingMethod[] = ['Unary', 'Costly', 'Limited', 'Scoped', 'Open'];
/** Buckets that do not refill while the test looks. */
const RATE = 0.0001;

const backend = new EverythingBackend();
let gateway: TestGateway;
let admin: AdminClient;
beforeAll(async () => {
  await backend.start();
  gateway = await startTestGateway({ backend: backend.address });
  admin = new AdminClient(gateway.admin, gateway.adminKey);
});
afterAll(async () => {
  admin.close();
  await gateway.stop();
  await backend.stop();
});

const world = fc.record({
  calls: fc.option(fc.integer({ min: 1, max: 4 })),
  special: fc.option(fc.integer({ min: 1, max: 3 })),
  day: fc.option(fc.integer({ min: 0, max: 12 })),
  month: fc.option(fc.integer({ min: 0, max: 12 })),
  tenantState: fc.constantFrom(TenantState.STATE_ACTIVE, TenantState.STATE_ACTIVE, TenantState.STATE_SUSPENDED),
  keyState: fc.constantFrom(KeyState.STATE_ACTIVE, KeyState.STATE_ACTIVE, KeyState.STATE_DISABLED),
  expiresInMs: fc.constantFrom(undefined, 3_600_000, -1000),
  scopes: fc.subarray(['everything.scoped', 'other']),
  deleted: fc.constantFrom(false, false, false, true),
  /** Of the key. */
  own: fc.option(fc.integer({ min: 1, max: 4 })),
  /** Of the tenant: another limit than its plan's, and what it may call. */
  override: fc.option(fc.integer({ min: 1, max: 4 })),
  allowed: fc.constantFrom([], [], [], ['everything'], [methodDefinition('Scoped').path.slice(1)]),
  before: fc.array(fc.constantFrom(...METHODS), { maxLength: 5 }),
  method: fc.constantFrom(...METHODS),
});
type World = typeof world extends fc.Arbitrary<infer T> ? T : never;

let count = 0;

/** Makes the tenant. @returns its id, and its key */
async function build(drawn: World): Promise<{ tenantId: string; keyId: string; key: string }> {
  const id = `drawn-${++count}`;
  const limit = (name: string, burst: number | null) => (burst === null ? [] : [{ name, rate: RATE, burst }]);
  const quota = (period: Period, units: number | null) =>
    units === null ? [] : [{ metric: 'units', limit: units, period }];
  const plan = Plan.fromPartial({
    limits: [...limit('calls', drawn.calls), ...limit('special', drawn.special)],
    quotas: [...quota(Period.PERIOD_DAY, drawn.day), ...quota(Period.PERIOD_MONTH, drawn.month)],
  });
  const overrides = drawn.override === null ? undefined : { limits: limit('calls', drawn.override) };
  const tenant = Tenant.fromPartial({ plan: id, allowed: [...drawn.allowed], overrides });
  await admin.call(Plans.createPlan, { planId: id, plan });
  await admin.call(Tenants.createTenant, { tenantId: id, tenant: tenant });
  const apiKey = ApiKey.fromPartial({ name: 'drawn', scopes: drawn.scopes, limits: limit('calls', drawn.own) });
  const made = await admin.call(Keys.createApiKey, { tenantId: id, apiKey });
  return { tenantId: id, keyId: made.apiKey?.id ?? '', key: made.key };
}

/** What happens to tenant and key after their first calls. */
async function change(drawn: World, tenantId: string, keyId: string): Promise<void> {
  if (drawn.tenantState === TenantState.STATE_SUSPENDED)
    await admin.updateTenant(tenantId, { state: drawn.tenantState });
  const expireTime = drawn.expiresInMs === undefined ? undefined : new Date(Date.now() + drawn.expiresInMs);
  const apiKey = ApiKey.fromPartial({ id: keyId, state: drawn.keyState, expireTime });
  await admin.call(Keys.updateApiKey, { apiKey, updateMask: ['state', 'expire_time'] });
  if (drawn.deleted) await admin.deleteKey(keyId);
}

const told = ({ status, reason }: ExplainDecisionResponse) => ({ status, reason });

test('ExplainDecision says what a call then gets', async () => {
  const seen = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(world, async (drawn) => {
      const { tenantId, keyId, key } = await build(drawn);
      const client = new GrpcClient(`127.0.0.1:${gateway.public}`, key);
      try {
        for (const method of drawn.before) await client.call(method);
        await change(drawn, tenantId, keyId);
        const method = methodDefinition(drawn.method).path.slice(1);
        const ask = (caller: Partial<ExplainDecisionRequest>) =>
          admin.call(
            Decisions.explainDecision,
            ExplainDecisionRequest.fromPartial({ method, listener: 'public', ...caller }),
          );
        const byCredential = await ask({ metadata: { authorization: `Bearer ${key}` } });
        const again = await ask({ metadata: { 'x-api-key': key } });
        const byKey = await ask({ caller: { $case: 'apiKeyId', apiKeyId: keyId } });
        const happened = await client.call(drawn.method);
        const reason = happened.code === 0 ? '' : (refusalOf(happened).reason ?? '');
        const real = { status: codeName(happened.code), reason };
        expect([told(byCredential), told(again), told(byKey)]).toEqual([real, real, real]);
        expect(JSON.stringify([byCredential, byKey])).not.toContain(key);
        seen.set(reason, (seen.get(reason) ?? 0) + 1);
      } finally {
        client.close();
      }
    }),
    // Always the same ones: the kinds of answers that they reach are counted below.
    { numRuns: 80, seed: 7 },
  );
  // The draw reaches every kind of answer.
  expect([...seen.keys()].sort()).toEqual([
    '',
    'CREDENTIAL_INVALID',
    'METHOD_UNKNOWN',
    'QUOTA_EXHAUSTED',
    'RATE_LIMITED',
    'SCOPE_MISSING',
  ]);
}, 120_000);
