import { readFileSync } from 'node:fs';
import { status } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Quota_Period } from '../../generated/tollgate/admin/v1/plan.ts';
import { Listener_Errors, Plan, Tenant } from '../../generated/tollgate/config/v1/config.ts';
import { REFUSALS } from '../../src/chain/refusal-table.ts';
import { EverythingBackend } from '../support/everything-backend.ts';
import { EVERYTHING, everythingPath } from '../support/everything-methods.ts';
import { type CallOptions, GrpcClient, type Observation } from '../support/grpc-client.ts';
import { grpcRequest, H2Client, HELLO } from '../support/h2-client.ts';
import { newKey } from '../support/test-config.ts';
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts';
import { refusalOf } from './refusal-of.ts';

// Each row of DESIGN section 6, as a client sees it; that no refusal reaches the backend is counted at the backend.

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

const backend = new EverythingBackend();
let gateway: TestGateway;
const open: GrpcClient[] = [];

/** A client on a listener; closed after the tests. */
function client(key: string | undefined, listener = 'public'): GrpcClient {
  const made = new GrpcClient(`127.0.0.1:${gateway.port(listener)}`, key);
  open.push(made);
  return made;
}

beforeAll(async () => {
  await backend.start();
  gateway = await startTestGateway({
    backend: backend.address,
    scopes: (tenant) => (tenant === 'no-scopes' ? [] : ['everything.scoped']),
    edit: (config) => {
      const first = config.listeners[0]!;
      config.listeners.push({ ...first, name: 'uniform', errors: Listener_Errors.ERRORS_UNIFORM });
      config.listeners.push({ ...first, name: 'trusting', trustRequestId: true });
      const day = { period: Quota_Period.PERIOD_DAY, timeZone: 'UTC', anchor: 0 };
      const calls = { name: 'calls', rate: 1_000, burst: 1_000 };
      const plans: Partial<Plan>[] = [
        { name: 'slow', limits: [{ name: 'calls', rate: 0.01, burst: 2 }] },
        { name: 'special', limits: [calls, { name: 'special', rate: 0.01, burst: 1 }] },
        { name: 'single', limits: [calls], concurrency: 1 },
        { name: 'poor', limits: [calls], quotas: [{ metric: 'units', limit: 10, ...day }] },
      ];
      config.plans.push(...plans.map((plan) => Plan.fromPartial(plan)));
      for (const plan of ['slow', 'special', 'single', 'poor']) {
        config.tenants.push(Tenant.fromPartial({ id: plan, plan }));
      }
      config.tenants.push(Tenant.fromPartial({ id: 'no-scopes', plan: 'wide' }));
    },
  });
});

afterAll(async () => {
  for (const each of open) each.close();
  await gateway?.stop();
  backend.stop();
});

describe('without a valid credential', () => {
  let before = 0;
  beforeEach(() => {
    before = backend.count();
  });
  afterEach(() => {
    expect(backend.count()).toBe(before);
  });

  const wrong: Readonly<Record<string, () => string | undefined>> = {
    'no key': () => undefined,
    'an unknown key': () => newKey('nobody'),
    'text that is no key': () => 'hello',
    'a key with one character changed': () => `${gateway.key('alpha').slice(0, -1)}_`,
    'a very long key': () => `tg_${'a'.repeat(4_000)}`,
  };

  test.each(Object.entries(wrong))('%s is CREDENTIAL_INVALID', async (_name, key) => {
    expectRefusal(await client(key()).call('Unary'), 'CREDENTIAL_INVALID');
  });

  test('the answer is the same whatever was wrong, and whatever was called', async () => {
    const answers: unknown[] = [];
    for (const key of Object.values(wrong)) {
      for (const path of [everythingPath('Unary'), '/no.such.Service/Method', `/${EVERYTHING}/None`]) {
        const { code, details } = await client(key()).call('Unary', { path });
        answers.push({ code, details });
      }
    }
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
  });

  test('two different credentials are as good as none', async () => {
    const h2 = await H2Client.connect(`http://127.0.0.1:${gateway.public}`);
    const headers = { ...grpcRequest(everythingPath('Unary'), gateway.key('alpha')), 'x-api-key': newKey('other') };
    const answer = await h2.request(headers, HELLO);
    expect(answer.headers['grpc-status']).toBe(String(status.UNAUTHENTICATED));
    h2.close();
  });
});

test('x-api-key is as good as authorization', async () => {
  const seen = await client(undefined).call('Unary', { metadata: { 'x-api-key': gateway.key('alpha') } });
  expect(seen.code).toBe(status.OK);
});

test('a public method needs no credential', async () => {
  const seen = await client(undefined).call('Open');
  expect(seen.code).toBe(status.OK);
  expect(backend.last.metadata).not.toHaveProperty('x-tenant-id');
});

describe('with a valid credential', () => {
  test('a method that no contract has is METHOD_UNKNOWN', async () => {
    const before = backend.count();
    for (const path of [
      `/${EVERYTHING}/None`,
      '/no.such.Service/Method',
      '/',
      '/tollgate.admin.v1.TenantService/ListTenants',
    ]) {
      expectRefusal(await client(gateway.key('alpha')).call('Unary', { path }), 'METHOD_UNKNOWN');
    }
    expect(backend.count()).toBe(before);
  });

  test('a method whose scope the key lacks is SCOPE_MISSING', async () => {
    const before = backend.count();
    const { metadata } = expectRefusal(await client(gateway.key('no-scopes')).call('Scoped'), 'SCOPE_MISSING');
    expect(metadata).toMatchObject({ scope: 'everything.scoped' });
    expect(backend.count()).toBe(before);
    expect((await client(gateway.key('alpha')).call('Scoped')).code).toBe(status.OK);
  });

  test('more calls than the rate limit are RATE_LIMITED, with the time to wait', async () => {
    const caller = client(gateway.key('slow'));
    const answers = await times(5, () => caller.call('Unary'));
    expect(answers.map(({ code }) => code)).toEqual([0, 0, 8, 8, 8]);
    const refusal = expectRefusal(answers[4]!, 'RATE_LIMITED');
    // One unit conforms after 100 s at a rate of 0.01; waits are rounded up, by a quarter at most.
    expect(refusal.pushbackMs).toBeGreaterThan(90_000);
    expect(refusal.pushbackMs).toBeLessThanOrEqual(125_000);
    expect(refusal.retryDelayMs).toBe(refusal.pushbackMs);
    expect(backend.calls.filter(({ metadata }) => metadata['x-tenant-id'] === 'slow')).toHaveLength(2);
  });

  test("a method's own limit refuses that method alone", async () => {
    const caller = client(gateway.key('special'));
    const answers = await times(2, () => caller.call('Limited'));
    expect(answers[0]!.code).toBe(status.OK);
    expect(expectRefusal(answers[1]!, 'RATE_LIMITED').metadata).toMatchObject({ limit: 'special' });
    expect((await caller.call('Unary')).code).toBe(status.OK);
    expect(backend.count('Limited')).toBe(1);
  });

  test('more calls at once than the plan allows are CONCURRENCY_LIMITED, until one ends', async () => {
    const caller = client(gateway.key('single'));
    const before = backend.count();
    let cancel = (): void => {};
    const hanging = caller.call('Unary', {
      script: { hang: 'before-headers' },
      onCall: (call) => {
        cancel = () => call.cancel();
      },
    });
    await backend.watch.until(() => backend.count() === before + 1);
    expectRefusal(await caller.call('Unary'), 'CONCURRENCY_LIMITED');
    expect(backend.count()).toBe(before + 1);
    const held = backend.last;
    cancel();
    await hanging;
    await backend.watch.until(() => held.cancelled);
    expect((await caller.call('Unary')).code).toBe(status.OK);
  });

  test('a quota that is used up is QUOTA_EXHAUSTED, and says not to retry', async () => {
    const caller = client(gateway.key('poor'));
    const answers = [
      await caller.call('Costly'),
      await caller.call('Costly'),
      ...(await times(4, () => caller.call('Unary'))),
    ];
    // 10 units: 7 for the first, too few for the second, 3 of 1 each.
    expect(answers.map(({ code }) => code)).toEqual([0, 8, 0, 0, 0, 8]);
    const refusal = expectRefusal(answers[5]!, 'QUOTA_EXHAUSTED');
    expect(refusal.pushbackMs).toBe(-1);
    expect(refusal.metadata).toMatchObject({ metric: 'units', limit: '10' });
    expect(backend.calls.filter(({ metadata }) => metadata['x-tenant-id'] === 'poor')).toHaveLength(4);
  });
});

describe('what the backend is told', () => {
  const spoofed: CallOptions = {
    metadata: {
      'x-tenant-id': 'beta',
      'x-principal-id': 'root',
      'x-tollgate-role': 'admin',
      'x-tollgate-': 'x',
      'x-request-id': '0190b5a0-0000-7000-8000-000000000000',
    },
  };

  test.each(['Unary', 'Open'] as const)('%s: nothing that a client may not say', async (method) => {
    await client(method === 'Open' ? undefined : gateway.key('alpha')).call(method, spoofed);
    const { metadata } = backend.last;
    expect(metadata['x-tenant-id']).toBe(method === 'Open' ? undefined : 'alpha');
    expect(metadata['x-principal-id']).not.toBe('root');
    expect(Object.keys(metadata).filter((name) => name.startsWith('x-tollgate-'))).toEqual([]);
    expect(metadata['x-request-id']).toMatch(UUID_V7);
    expect(metadata['x-request-id']).not.toBe(spoofed.metadata?.['x-request-id']);
  });

  test('the credential is not passed on', async () => {
    const caller = client(gateway.key('alpha'));
    await caller.call('Unary');
    const text = JSON.stringify(backend.last.metadata);
    expect(text).not.toContain(gateway.key('alpha'));
  });

  test("a trusting listener keeps a client's valid request id, and no other", async () => {
    const caller = client(gateway.key('alpha'), 'trusting');
    await caller.call('Unary', spoofed);
    expect(backend.last.metadata['x-request-id']).toBe(spoofed.metadata?.['x-request-id']);
    await caller.call('Unary', { metadata: { 'x-request-id': 'mine' } });
    expect(backend.last.metadata['x-request-id']).toMatch(UUID_V7);
  });

  test('each call has an id of its own', async () => {
    const caller = client(gateway.key('alpha'));
    const from = backend.count();
    await times(20, () => caller.call('Unary'));
    expect(new Set(backend.calls.slice(from).map(({ metadata }) => metadata['x-request-id'])).size).toBe(20);
  });
});

describe('a listener with `errors: uniform`', () => {
  test('gives one answer to everything it refuses', async () => {
    const before = backend.count();
    const answers = [
      await client(undefined, 'uniform').call('Unary'),
      await client(newKey('nobody'), 'uniform').call('Unary'),
      await client(gateway.key('alpha'), 'uniform').call('Unary', { path: '/no.such.Service/Method' }),
      await client(gateway.key('no-scopes'), 'uniform').call('Scoped'),
    ];
    for (const { code, details, trailers } of answers) {
      expect({ code, details, trailers }).toEqual({
        code: status.UNAUTHENTICATED,
        details: answers[0]!.details,
        trailers: answers[0]!.trailers,
      });
      expect(trailers).not.toHaveProperty('grpc-status-details-bin');
    }
    expect(backend.count()).toBe(before);
  });

  test('lets through what it admits', async () => {
    expect((await client(gateway.key('alpha'), 'uniform').call('Unary')).code).toBe(status.OK);
    expect((await client(gateway.key('alpha'), 'uniform').call('Unary', { script: { code: 5 } })).code).toBe(5);
  });
});

describe('what is no gRPC', () => {
  const requests: Readonly<Record<string, [headers: Record<string, string>, body: Buffer | undefined]>> = {
    'a GET': [{ ':method': 'GET', ':path': '/' }, undefined],
    'a POST of JSON': [
      { ':method': 'POST', ':path': everythingPath('Unary'), 'content-type': 'application/json' },
      HELLO,
    ],
    'a POST without content-type': [{ ':method': 'POST', ':path': everythingPath('Unary') }, HELLO],
    'gRPC-like, but not': [{ ':method': 'POST', ':path': '/', 'content-type': 'application/grpcx' }, HELLO],
  };

  test.each(Object.entries(requests))(
    '%s is answered by HTTP 415, or 401 where errors are uniform',
    async (_name, [headers, body]) => {
      const before = backend.count();
      for (const [listener, expected] of [
        ['public', 415],
        ['uniform', 401],
      ] as const) {
        const h2 = await H2Client.connect(`http://127.0.0.1:${gateway.port(listener)}`);
        expect((await h2.request(headers, body)).status).toBe(expected);
        h2.close();
      }
      expect(backend.count()).toBe(before);
    },
  );
});

test("the README's table of refusals is the table of the code", () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  const section = /<!-- refusals -->\n([\s\S]*?)<!-- \/refusals -->/.exec(readme)?.[1] ?? '';
  const rows = section
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.slice(2, -2).split(' | '));
  expect(rows).toEqual(
    REFUSALS.map(({ reason, status: name, when, details, pushback }) => [
      `\`${reason}\``,
      name,
      when,
      details.join(', ') || '-',
      pushback ?? '-',
    ]),
  );
});

/** Holds an answer against its row of the table of refusals. */
function expectRefusal(observed: Observation, reason: string): ReturnType<typeof refusalOf> {
  const row = REFUSALS.find((each) => each.reason === reason)!;
  const refusal = refusalOf(observed);
  expect(refusal).toMatchObject({ reason, domain: 'tollgate', code: status[row.status], messages: [] });
  expect(refusal.detailTypes).toEqual(['ErrorInfo', ...row.details]);
  expect(refusal.metadata.request_id).toMatch(UUID_V7);
  if (row.pushback === undefined) expect(refusal.pushbackMs).toBeUndefined();
  if (row.pushback === '-1') expect(refusal.pushbackMs).toBe(-1);
  if (row.pushback === 'ms') expect(refusal.pushbackMs).toBeGreaterThanOrEqual(0);
  if (row.details.includes('QuotaFailure')) expect(refusal.quotaSubjects).toHaveLength(1);
  return refusal;
}

/** One after the other. */
async function times<T>(count: number, run: () => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (let i = 0; i < count; i++) results.push(await run());
  return results;
}
