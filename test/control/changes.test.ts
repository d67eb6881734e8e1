import type { ClientReadableStream, ServiceError } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ApiKey, ApiKeyServiceService as Keys } from '../../generated/tollgate/admin/v1/api_key.ts';
import {
  AuditServiceService as Audit,
  ListAuditEntriesRequest,
  type WatchChangesResponse,
} from '../../generated/tollgate/admin/v1/audit.ts';
import { BreakerServiceService as Breakers } from '../../generated/tollgate/admin/v1/breaker.ts';
import { Plan, PlanServiceService as Plans } from '../../generated/tollgate/admin/v1/plan.ts';
import { Tenant, TenantServiceService as Tenants } from '../../generated/tollgate/admin/v1/tenant.ts';
import { LocalBreakers } from '../../src/breaker/breaker-admin.ts';
import { DEFAULT_BREAKER } from '../../src/breaker/options.ts';
import { Code } from '../../src/grpc/status.ts';
import { type ControlFixture, REQUEST_ID, startFixture } from './fixture.ts';
import { openTenants } from './open-tenants.ts';

let opened: Awaited<ReturnType<typeof openTenants>>;
let fixture: ControlFixture;

beforeEach(async () => {
  opened = await openTenants();
  const breakers = new LocalBreakers(() => performance.now());
  breakers.open('shop', DEFAULT_BREAKER);
  fixture = await startFixture({ ...opened, breakers });
  await fixture.call(Plans.createPlan, { planId: 'free', plan: Plan.fromPartial({ concurrency: 5 }) });
});
afterEach(async () => {
  await fixture.stop();
  await opened.close();
});

const createTenant = (tenantId: string, more: object = {}) =>
  fixture.call(Tenants.createTenant, { tenantId, tenant: Tenant.fromPartial({ plan: 'free' }), ...more });
const list = async (filter: Partial<ListAuditEntriesRequest> = {}) =>
  (await fixture.call(Audit.listAuditEntries, ListAuditEntriesRequest.fromPartial(filter))).entries;

describe('the audit log', () => {
  test('says who made a change, from where, of what to what, and why', async () => {
    await createTenant('acme');
    const tenant = Tenant.fromPartial({ id: 'acme', displayName: 'Acme' });
    await fixture.call(Tenants.updateTenant, {
      tenant,
      updateMask: ['display_name'],
      reason: 'they asked: TICKET-7 — ü',
    });
    const [entry] = await list();
    expect(entry).toMatchObject({
      principal: 'key1',
      principalTenantId: 'admins',
      role: 'owner',
      remoteAddress: '192.0.2.7',
      method: 'tollgate.admin.v1.TenantService/UpdateTenant',
      tenantId: 'acme',
      resource: 'tenants/acme',
      reason: 'they asked: TICKET-7 — ü',
      status: 'OK',
      callId: REQUEST_ID,
      version: opened.sync.current.version,
    });
    expect(entry?.changes).toEqual([
      {
        resource: 'tenants/acme',
        before: { id: 'acme', plan: 'free', state: 'STATE_ACTIVE' },
        after: { id: 'acme', displayName: 'Acme', plan: 'free', state: 'STATE_ACTIVE' },
      },
    ]);
    expect(Math.abs(Date.now() - entry!.time!.getTime())).toBeLessThan(60_000);
  });

  test('has refused changes, by handler and by schema, and nothing of what only looks', async () => {
    await createTenant('acme');
    await expect(createTenant('acme', { reason: 'again' })).rejects.toMatchObject({ code: Code.ALREADY_EXISTS });
    await expect(createTenant('Not An Id')).rejects.toMatchObject({ code: Code.INVALID_ARGUMENT });
    await fixture.call(Tenants.getTenant, { id: 'acme' });
    const entries = await list({ tenantId: '' });
    expect(entries.map(({ status, tenantId }) => [status, tenantId])).toEqual([
      ['INVALID_ARGUMENT', 'Not An Id'],
      ['ALREADY_EXISTS', 'acme'],
      ['OK', 'acme'],
      ['OK', ''],
    ]);
    expect(entries[1]).toMatchObject({ version: 0, reason: 'again', message: 'there is already a tenant "acme"' });
  });

  test('has no text of a key, and no hash of one, and neither has the log', async () => {
    await createTenant('acme');
    const apiKey = ApiKey.fromPartial({ name: 'laptop', scopes: ['books.read'] });
    const { key, apiKey: made } = await fixture.call(Keys.createApiKey, { tenantId: 'acme', apiKey });
    const [entry] = await list({ method: 'CreateApiKey' });
    expect(entry).toMatchObject({ resource: `api_keys/${made?.id}`, tenantId: 'acme' });
    const stored = await opened.documents.get('api_key', made!.id);
    const everything = JSON.stringify(await list()) + fixture.log.join('\n');
    expect(everything).toContain(made!.id);
    expect(everything).not.toContain(key);
    expect(everything).not.toContain(stored!.hash);
  });

  test('is written as JSON lines too', async () => {
    await createTenant('acme', { reason: 'because' });
    const lines = fixture.log.map((line) => JSON.parse(line)).filter(({ msg }) => msg === 'audit');
    expect(lines.at(-1).audit).toMatchObject({ resource: 'tenants/acme', reason: 'because', status: 'OK' });
  });

  test('is filtered by tenant, principal, method, status and time, in pages that have every entry once', async () => {
    for (const id of 'abcdefg') await createTenant(`tenant-${id}`);
    await expect(createTenant('tenant-a')).rejects.toThrow();
    expect(await list({ tenantId: 'tenant-c' })).toHaveLength(1);
    expect(await list({ principal: 'nobody' })).toEqual([]);
    expect(await list({ principal: 'key1', method: 'CreatePlan' })).toHaveLength(1);
    expect(await list({ status: 'ALREADY_EXISTS' })).toHaveLength(1);
    const middle = (await list({ tenantId: 'tenant-d' }))[0]!.time!;
    const [until, from] = [await list({ endTime: middle }), await list({ startTime: middle })];
    expect(until.length + from.length).toBe(9);
    const seen: string[] = [];
    let pageToken = '';
    do {
      const request = ListAuditEntriesRequest.fromPartial({ method: 'CreateTenant', pageSize: 3, pageToken });
      const page = await fixture.call(Audit.listAuditEntries, request);
      expect(page.entries.length).toBeLessThanOrEqual(3);
      seen.push(...page.entries.map(({ tenantId, status }) => `${tenantId} ${status}`));
      pageToken = page.nextPageToken;
    } while (pageToken !== '');
    const created = [...'gfedcba'].map((id) => `tenant-${id} OK`);
    expect(seen).toEqual(['tenant-a ALREADY_EXISTS', ...created]);
  });

  test('a token of another list is refused', async () => {
    for (const id of 'ab') await createTenant(id);
    const page = await fixture.call(Audit.listAuditEntries, ListAuditEntriesRequest.fromPartial({ pageSize: 1 }));
    const request = ListAuditEntriesRequest.fromPartial({ status: 'OK', pageToken: page.nextPageToken });
    await expect(fixture.call(Audit.listAuditEntries, request)).rejects.toMatchObject({ code: Code.INVALID_ARGUMENT });
  });

  test('of a caller who is refused in a flood it has some, and how many were left out', async () => {
    const deletions = Array.from({ length: 200 }, () =>
      fixture.failure(Tenants.deleteTenant, { id: 'absent', etag: '' }),
    );
    expect(new Set((await Promise.all(deletions)).map(({ code }) => code))).toEqual(new Set([Code.NOT_FOUND]));
    const refused = await list({ status: 'NOT_FOUND', pageSize: 1000 });
    expect(refused.length).toBeGreaterThanOrEqual(20);
    expect(refused.length).toBeLessThan(200);
  });

  test('a change that is no document, or that changed nothing, is there', async () => {
    await fixture.call(Breakers.isolate, { backend: 'shop', reason: 'on fire' });
    const plan = Plan.fromPartial({ id: 'free', concurrency: 5 });
    await fixture.call(Plans.updatePlan, { plan, updateMask: ['concurrency'] });
    expect((await list()).slice(0, 2)).toMatchObject([
      { resource: 'plans/free', status: 'OK', version: 0, changes: [] },
      { resource: 'breakers/shop', status: 'OK', version: 0, reason: 'on fire' },
    ]);
  });
});

describe('request_id', () => {
  test('repeated does it once, and answers again', async () => {
    const first = await createTenant('acme', { requestId: 'r1' });
    expect(await createTenant('acme', { requestId: 'r1' })).toEqual(first);
    await expect(createTenant('acme')).rejects.toMatchObject({ code: Code.ALREADY_EXISTS });
    expect(await list({ method: 'CreateTenant', status: 'OK' })).toHaveLength(1);
  });

  test('many at once do it once', async () => {
    await createTenant('acme');
    const request = { tenantId: 'acme', apiKey: ApiKey.fromPartial({ name: 'laptop' }), requestId: 'r2' };
    const answers = await Promise.all(Array.from({ length: 20 }, () => fixture.call(Keys.createApiKey, request)));
    expect(new Set(answers.map(({ apiKey }) => apiKey?.id)).size).toBe(1);
    // The text is shown once, to the one that made the key.
    expect(answers.filter(({ key }) => key !== '')).toHaveLength(1);
    const { apiKeys } = await opened.tenants.listApiKeys({ tenantId: 'acme', pageSize: 0, pageToken: '' });
    expect(apiKeys).toHaveLength(1);
  });

  test('of another request is refused', async () => {
    await createTenant('acme', { requestId: 'r3' });
    const error: ServiceError = await createTenant('other', { requestId: 'r3' }).then(
      () => Promise.reject(new Error('the call succeeded')),
      (failure) => failure,
    );
    expect([error.code, error.details]).toEqual([Code.INVALID_ARGUMENT, expect.stringContaining('request_id')]);
  });

  test('what changed nothing is done once too: a later change is not taken back by it', async () => {
    const plan = Plan.fromPartial({ id: 'free', concurrency: 5 });
    const request = { plan, updateMask: ['concurrency'], requestId: 'r4' };
    await fixture.call(Plans.updatePlan, request);
    await fixture.call(Plans.updatePlan, { plan: { ...plan, concurrency: 9 }, updateMask: ['concurrency'] });
    expect(await fixture.call(Plans.updatePlan, request)).toMatchObject({ concurrency: 9 });
  });

  test('what was refused is not remembered', async () => {
    await expect(
      createTenant('late', { requestId: 'r5', tenant: Tenant.fromPartial({ plan: 'absent' }) }),
    ).rejects.toThrow();
    await fixture.call(Plans.createPlan, { planId: 'absent', plan: Plan.fromPartial({}) });
    expect(
      await createTenant('late', { requestId: 'r5', tenant: Tenant.fromPartial({ plan: 'absent' }) }),
    ).toMatchObject({
      id: 'late',
    });
  });
});

describe('validate_only', () => {
  test('answers as the change would, changes nothing, and is no change for the audit log', async () => {
    const before = [opened.sync.current.version, (await list()).length];
    expect(await createTenant('acme', { validateOnly: true })).toMatchObject({ id: 'acme', plan: 'free' });
    expect([opened.sync.current.version, (await list()).length]).toEqual(before);
    expect(opened.sync.current.tenants.get('acme')).toBeUndefined();
    await expect(fixture.call(Tenants.getTenant, { id: 'acme' })).rejects.toMatchObject({ code: Code.NOT_FOUND });
    expect(await createTenant('acme')).toMatchObject({ id: 'acme' });
  });

  test('refuses what the change would be refused for', async () => {
    await createTenant('acme');
    const validateOnly = true;
    await expect(createTenant('acme', { validateOnly })).rejects.toMatchObject({ code: Code.ALREADY_EXISTS });
    const inUse = fixture.call(Plans.deletePlan, { id: 'free', etag: '', validateOnly });
    await expect(inUse).rejects.toMatchObject({ code: Code.FAILED_PRECONDITION });
    const stale = fixture.call(Tenants.deleteTenant, { id: 'acme', etag: 'stale', validateOnly });
    await expect(stale).rejects.toMatchObject({ code: Code.ABORTED });
  });

  test('shows no text of a key that was not made, and leaves breakers alone', async () => {
    await createTenant('acme');
    const apiKey = ApiKey.fromPartial({ name: 'laptop' });
    const { key } = await fixture.call(Keys.createApiKey, { tenantId: 'acme', apiKey, validateOnly: true });
    expect(key).toBe('');
    expect(await fixture.call(Breakers.isolate, { backend: 'shop', validateOnly: true })).toMatchObject({ state: 1 });
    await expect(fixture.call(Breakers.isolate, { backend: 'none', validateOnly: true })).rejects.toThrow();
  });
});

describe('WatchChanges', () => {
  const watch = (afterVersion?: number): ClientReadableStream<WatchChangesResponse> => {
    const { path, requestSerialize, responseDeserialize } = Audit.watchChanges;
    const { client } = fixture;
    return client.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      { afterVersion },
      fixture.metadata(),
    );
  };
  /** So many answers, then the stream is cancelled. */
  const take = async (stream: ClientReadableStream<WatchChangesResponse>, count: number) => {
    const taken: WatchChangesResponse[] = [];
    stream.on('error', () => {});
    for await (const answer of stream) {
      taken.push(answer);
      if (taken.length === count) break;
    }
    stream.cancel();
    return taken;
  };

  test('tells of each change as it is made: version, what, who and why', async () => {
    const stream = watch();
    const answers = take(stream, 3);
    await new Promise((resolve) => {
      stream.once('metadata', resolve);
    });
    const { version } = opened.sync.current;
    await createTenant('acme', { reason: 'new customer' });
    await opened.tenants.deleteTenant({ id: 'acme', etag: '' });
    expect(await answers).toMatchObject([
      { version, resources: [] },
      { version: version + 1, resources: ['tenants/acme'], entry: { principal: 'key1', reason: 'new customer' } },
      { version: version + 2, resources: ['tenants/acme'], resourceCount: 1, entry: undefined },
    ]);
  });

  test('goes on from the version that a stream broke at', async () => {
    const { version } = opened.sync.current;
    for (const id of 'abc') await createTenant(id);
    const answers = await take(watch(version + 1), 3);
    expect(answers.map((answer) => [answer.version, ...answer.resources])).toEqual([
      [version + 1],
      [version + 2, 'tenants/b'],
      [version + 3, 'tenants/c'],
    ]);
  });
});
