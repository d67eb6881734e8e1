import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Plan, PlanServiceService as plans } from '../../generated/tollgate/admin/v1/plan.ts';
import { PlanOverrides, Tenant, TenantServiceService as tenants } from '../../generated/tollgate/admin/v1/tenant.ts';
import { Code } from '../../src/grpc/status.ts';
import { AdminClient } from '../support/admin-client.ts';
import { EverythingBackend } from '../support/everything-backend.ts';
import { EVERYTHING, type EverythingMethod, everythingPath } from '../support/everything-methods.ts';
import { GrpcClient, type Observation } from '../support/grpc-client.ts';
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts';
import { refusalOf } from './refusal-of.ts';

// What plans and tenants allow, and where tenants differ from their plan, as it holds for calls.

const backend = new EverythingBackend();
let gateway: TestGateway;
let admin: AdminClient;
const open: GrpcClient[] = [];

beforeAll(async () => {
  await backend.start();
  gateway = await startTestGateway({ backend: backend.address });
  admin = new AdminClient(gateway.admin, gateway.adminKey);
});
afterAll(async () => {
  admin?.close();
  for (const client of open) client.close();
  await gateway?.stop();
  backend.stop();
});

const METHODS: readonly EverythingMethod[] = ['Unary', 'ServerStream', 'Costly'];
const UNARY = everythingPath('Unary').slice(1);

async function newCaller(tenant: string, plan: string) {
  await admin.createTenant(tenant, plan);
  const { key } = await admin.createKey(tenant, 'first');
  const client = new GrpcClient(`127.0.0.1:${gateway.public}`, key);
  open.push(client);
  const reasonOf = async (method: EverythingMethod = 'Unary') => refusalOf(await client.call(method)).reason;
  return {
    client,
    reasonOf,
    /** Of METHODS, those that are answered; the others are told METHOD_UNKNOWN. */
    allowed: async (): Promise<EverythingMethod[]> => {
      const answered: EverythingMethod[] = [];
      for (const method of METHODS) {
        const reason = await reasonOf(method);
        if (reason === undefined) answered.push(method);
        else expect(reason).toBe('METHOD_UNKNOWN');
      }
      return answered;
    },
  };
}

const createPlan = (planId: string, plan: Partial<Plan>) =>
  admin.call(plans.createPlan, { planId, plan: Plan.fromPartial(plan) });
const updatePlan = (plan: Partial<Plan>, ...updateMask: string[]) =>
  admin.call(plans.updatePlan, { plan: Plan.fromPartial(plan), updateMask });
const updateTenant = (tenant: Partial<Tenant>, ...updateMask: string[]) =>
  admin.call(tenants.updateTenant, { tenant: Tenant.fromPartial(tenant), updateMask });

describe('what a plan allows', () => {
  test('is what its tenants may call, and one edit of it changes all of them at the next call', async () => {
    await createPlan('few', { allowed: [UNARY] });
    const [one, two] = [await newCaller('few-one', 'few'), await newCaller('few-two', 'few')];
    for (const { allowed } of [one, two]) expect(await allowed()).toEqual(['Unary']);
    await updatePlan({ id: 'few', allowed: [EVERYTHING] }, 'allowed');
    for (const { allowed } of [one, two]) expect(await allowed()).toEqual(METHODS);
    await updatePlan({ id: 'few', allowed: ['nothing-of-this-name'] }, 'allowed');
    for (const { allowed } of [one, two]) expect(await allowed()).toEqual([]);
    await updatePlan({ id: 'few', allowed: [] }, 'allowed');
    for (const { allowed } of [one, two]) expect(await allowed()).toEqual(METHODS);
  });

  test('is narrowed by what the tenant is allowed, and never widened', async () => {
    await createPlan('unary-and-costly', { allowed: [UNARY, everythingPath('Costly').slice(1)] });
    const { allowed } = await newCaller('narrow', 'unary-and-costly');
    expect(await allowed()).toEqual(['Unary', 'Costly']);
    await updateTenant({ id: 'narrow', allowed: [UNARY, everythingPath('ServerStream').slice(1)] }, 'allowed');
    expect(await allowed()).toEqual(['Unary']);
    await updateTenant({ id: 'narrow', allowed: [] }, 'allowed');
    expect(await allowed()).toEqual(['Unary', 'Costly']);
  });

  test('is not taken away by an update that does not name it', async () => {
    await createPlan('kept', { allowed: [UNARY] });
    const { allowed } = await newCaller('keeper', 'kept');
    await updateTenant({ id: 'keeper', allowed: [UNARY] }, 'allowed');
    // A client from before there was such a thing, which names no fields.
    await admin.call(plans.updatePlan, { plan: Plan.fromPartial({ id: 'kept' }), updateMask: undefined });
    const tenant = Tenant.fromPartial({ id: 'keeper', plan: 'kept', displayName: 'x' });
    await admin.call(tenants.updateTenant, { tenant, updateMask: undefined });
    expect(await allowed()).toEqual(['Unary']);
  });

  test('tells what is not in it like what is not there at all, and costs nothing', async () => {
    await createPlan('poor', { allowed: [UNARY], limits: [{ name: 'calls', rate: 0.001, burst: 1 }] });
    const { client, reasonOf } = await newCaller('poor', 'poor');
    const before = backend.count();
    const told = ({ code, details, headers, trailers }: Observation) => {
      const packed = String(trailers['grpc-status-details-bin']);
      const { request_id: id = 'none' } = refusalOf({ code, details, headers, trailers, messages: [] }).metadata;
      return [code, details, Buffer.from(packed, 'base64').toString('latin1').replaceAll(id, 'ID')];
    };
    const hidden = told(await client.call('Costly'));
    expect(hidden).toEqual(told(await client.call('Unary', { path: `/${EVERYTHING}/Absent` })));
    expect(hidden).toEqual(told(await client.call('Unary', { path: '/nobody.v1.Nothing/Get' })));
    // No scope is asked for of what is not there.
    expect(await reasonOf('Scoped')).toBe('METHOD_UNKNOWN');
    expect(backend.count()).toBe(before);
    // The only unit is still there.
    expect(await reasonOf()).toBeUndefined();
    expect(await reasonOf()).toBe('RATE_LIMITED');
  });

  test('leaves public methods, health, reflection and the admin services where they are', async () => {
    await createPlan('nothing', { allowed: ['nothing'] });
    const { reasonOf } = await newCaller('nothing', 'nothing');
    expect(await reasonOf('Open')).toBeUndefined();
    // Not even an admin who confines the admins' own plan locks them out.
    await updatePlan({ id: 'unlimited', allowed: ['nothing'] }, 'allowed');
    expect((await admin.getPlan('unlimited')).allowed).toEqual(['nothing']);
    await updatePlan({ id: 'unlimited', allowed: [] }, 'allowed');
  });
});

describe('where a tenant differs from its plan', () => {
  const units = (limit: number) => ({ metric: 'units', limit, period: 2 as const, timeZone: 'UTC', anchor: 0 });
  const override = (id: string, overrides: Partial<PlanOverrides> | undefined) =>
    updateTenant({ id, overrides: overrides && PlanOverrides.fromPartial(overrides) }, 'overrides');

  test('its own quota holds, another tenant of the plan has the plan’s, and an edit of the plan reaches the rest', async () => {
    await createPlan('shared', { quotas: [units(1)] });
    const [own, other] = [await newCaller('own', 'shared'), await newCaller('other', 'shared')];
    await override('own', { quotas: [units(3)] });
    for (let i = 0; i < 3; i++) expect(await own.reasonOf()).toBeUndefined();
    expect(await own.reasonOf()).toBe('QUOTA_EXHAUSTED');
    expect([await other.reasonOf(), await other.reasonOf()]).toEqual([undefined, 'QUOTA_EXHAUSTED']);
    await updatePlan({ id: 'shared', limits: [{ name: 'special', rate: 0.001, burst: 1 }], quotas: [units(2)] });
    expect([await other.reasonOf(), await other.reasonOf()]).toEqual([undefined, 'QUOTA_EXHAUSTED']);
    expect(await own.reasonOf()).toBe('QUOTA_EXHAUSTED');
    await override('own', { quotas: [units(100)] });
    // The plan's new limit is this tenant's, too.
    expect([await own.reasonOf('Limited'), await own.reasonOf('Limited')]).toEqual([undefined, 'RATE_LIMITED']);
    await override('own', undefined);
    expect(await own.reasonOf()).toBe('QUOTA_EXHAUSTED');
  });

  test('its own limit of a name holds beside those of the plan', async () => {
    await createPlan('limits', {
      limits: [
        { name: 'calls', rate: 1000, burst: 1000 },
        { name: 'special', rate: 0.001, burst: 1 },
      ],
    });
    const { reasonOf } = await newCaller('faster', 'limits');
    await override('faster', { limits: [{ name: 'special', rate: 0.001, burst: 3 }] });
    const told: (string | undefined)[] = [];
    for (let i = 0; i < 4; i++) told.push(await reasonOf('Limited'));
    expect(told).toEqual([undefined, undefined, undefined, 'RATE_LIMITED']);
    expect(await reasonOf()).toBeUndefined();
  });

  test('its own concurrency holds', async () => {
    await createPlan('one', { concurrency: 1 });
    const { client, reasonOf } = await newCaller('two-at-once', 'one');
    const running = async () => {
      const before = backend.count();
      const cancel = Promise.withResolvers<() => void>();
      const ended = client.call('BidiStream', {
        keepOpen: true,
        onCall: (call) => cancel.resolve(() => call.cancel()),
      });
      await backend.watch.until(() => backend.count() > before);
      return { ended, cancel: await cancel.promise };
    };
    const first = await running();
    expect(await reasonOf()).toBe('CONCURRENCY_LIMITED');
    await override('two-at-once', { concurrency: 2 });
    expect(await reasonOf()).toBeUndefined();
    const second = await running();
    expect(await reasonOf()).toBe('CONCURRENCY_LIMITED');
    for (const { cancel, ended } of [first, second]) {
      cancel();
      await ended;
    }
  });

  test('is refused where it makes no sense, with the field', async () => {
    await admin.createTenant('wrong', 'wide');
    const refused = async (change: Promise<unknown>) => {
      const error: unknown = await change.catch((reason: unknown) => reason);
      return error instanceof Error ? error.message : 'done';
    };
    const invalid = `${Code.INVALID_ARGUMENT} INVALID_ARGUMENT`;
    const limit = { name: 'calls', rate: 1, burst: 1 };
    expect(await refused(override('wrong', { limits: [limit, limit] }))).toContain(
      `${invalid}: tenant.overrides.limits`,
    );
    expect(await refused(override('wrong', { limits: [{ ...limit, rate: -1 }] }))).toContain(
      'tenant.overrides.limits[0].rate',
    );
    expect(await refused(override('wrong', { quotas: [{ ...units(1), timeZone: 'Mars/Base' }] }))).toContain(
      'tenant.overrides.quotas[0].time_zone',
    );
    expect(await refused(updateTenant({ id: 'wrong', allowed: ['a b'] }, 'allowed'))).toContain('tenant.allowed[0]');
    expect(await refused(updatePlan({ id: 'wide', allowed: ['a/b/c'] }, 'allowed'))).toContain('plan.allowed[0]');
  });
});
