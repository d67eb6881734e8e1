import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { ExitCode } from '../../src/cli/exit-codes.ts';
import { ADMIN_TENANT } from '../../src/tenants/reserved.ts';
import { type ControlFixture, startFixture } from '../control/fixture.ts';
import { openTenants } from '../control/open-tenants.ts';
import { EVERYTHING } from '../support/everything-methods.ts';
import { everythingDescriptors } from '../support/registration.ts';
import { runCli } from './fake-io.ts';

// Whatever a file says: applied twice it does nothing, and neither does what `export` writes of it.

let opened: Awaited<ReturnType<typeof openTenants>>;
let fixture: ControlFixture;

beforeAll(async () => {
  opened = await openTenants();
  fixture = await startFixture(opened);
});
afterAll(async () => {
  await fixture.stop();
  await opened.close();
});

const cli = (args: readonly string[], input = '') =>
  runCli([...args, '--address', fixture.ownerAddress, '--key', 'k'], {}, '/nowhere', { readInput: async () => input });
const apply = (text: string, ...args: string[]) => cli(['apply', '-f', '-', '--prune', ...args], text);

const name = fc.constantFrom('a', 'b-1', 'calls', 'zz', 'web');
const some = <T>(arbitrary: fc.Arbitrary<T>, selector: (item: T) => unknown) =>
  fc.uniqueArray(arbitrary, { selector, maxLength: 3 });
const maybe = <T extends object>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }, required: (keyof T)[]) =>
  fc.record(model, { requiredKeys: required });

const limit = fc.record({
  name,
  rate: fc.double({ min: 0.001, max: 1e6, noNaN: true }),
  burst: fc.integer({ min: 1, max: 4294967295 }),
});
const quota = maybe(
  {
    metric: name,
    limit: fc.constantFrom(0, 1, 10_000, Number.MAX_SAFE_INTEGER),
    period: fc.constantFrom('day', 'month'),
    time_zone: fc.constantFrom('', 'UTC', 'Europe/Berlin'),
    anchor: fc.integer({ min: 0, max: 23 }),
  },
  ['metric', 'limit', 'period'],
);
const allowed = fc.constantFrom('bookstore', 'tollgate.admin.v1.PlanService', 'tollgate.admin.v1.PlanService/GetPlan');
const overrides = maybe(
  {
    limits: some(limit, (item) => item.name),
    quotas: some(quota, (item) => `${item.metric}/${item.period}`),
    concurrency: fc.nat(9),
    priority: fc.constantFrom('low', 'normal', 'high'),
  },
  [],
);
const plan = (id: string) =>
  maybe(
    {
      name: fc.constant(id),
      limits: some(limit, (item) => item.name),
      quotas: some(quota, (item) => `${item.metric}/${item.period}`),
      concurrency: fc.nat(1000),
      priority: fc.constantFrom('low', 'normal', 'high'),
      when_store_silent: fc.constantFrom('local_share', 'open', 'closed'),
      allowed: fc.uniqueArray(allowed),
    },
    ['name'],
  );
const key = maybe(
  {
    name,
    scopes: fc.uniqueArray(fc.constantFrom('books.read', 'books.write', 'tollgate.keys')),
    state: fc.constantFrom('active', 'disabled'),
    limits: some(limit, (item) => item.name),
    expire_time: fc.constantFrom('2040-01-01T00:00:00Z', '2031-12-31T23:59:59.123+01:00'),
  },
  ['name'],
);
const issuer = (tenant: string) =>
  maybe(
    {
      issuer: fc.constantFrom(`https://${tenant}.example/a`, `https://${tenant}.example/b`),
      audiences: fc.constantFrom(['x'], ['x', 'y']),
      jwks_url: fc.constant('https://keys.example/jwks'),
      algorithms: fc.constantFrom(['ES256'], ['RS256', 'EdDSA']),
      type_optional: fc.boolean(),
      subject_claim: fc.constantFrom('sub', 'email'),
      max_token_age: fc.constantFrom('90s', '1h', '1m30s'),
      clock_tolerance: fc.constantFrom('1s', '2m'),
    },
    ['issuer', 'audiences', 'jwks_url'],
  );
const certificate = (tenant: string) =>
  fc
    .record({ name, scopes: fc.constantFrom([], ['books.read']) })
    .map((drawn) => ({ ...drawn, dns: `${drawn.name}.${tenant}.example` }));
const tenant = (id: string) =>
  maybe(
    {
      id: fc.constant(id),
      // Texts that YAML would take for something else, among others.
      display_name: fc.oneof(
        fc.constantFrom('', 'null', '1e3', 'yes: no', '# x', ' a\n'),
        fc.string({ maxLength: 20 }),
      ),
      plan: fc.constantFrom('p1', 'p2'),
      state: fc.constantFrom('active', 'suspended'),
      keys: fc.array(key, { maxLength: 4 }),
      issuers: some(issuer(id), (item) => item.issuer).map(([first]) => (first ? [first] : [])),
      client_certificates: some(certificate(id), (item) => item.name),
      allowed: fc.uniqueArray(allowed),
      overrides,
    },
    ['id', 'plan'],
  );
const backend = (id: string) =>
  maybe(
    {
      name: fc.constant(id),
      endpoints: fc.constantFrom(['127.0.0.1:7500'], ['10.0.0.1:80', 'shop.example:443']),
      breaker: maybe(
        {
          failure_ratio: fc.constantFrom(0.25, 1),
          window: fc.constantFrom('500ms', '1m30s'),
          min_calls: fc.integer({ min: 1, max: 9 }),
          failure_statuses: fc.constantFrom(['UNAVAILABLE'], ['INTERNAL', 'UNKNOWN']),
        },
        [],
      ),
      tls: fc.constantFrom({}, { server_name: 'shop.example' }),
      connect_timeout: fc.constantFrom('1s', '1.5s'),
      default_timeout: fc.constantFrom('90s', '250ms'),
      max_connections: fc.integer({ min: 0, max: 64 }),
      retry: maybe({ max_attempts: fc.constantFrom(1, 5), budget_ratio: fc.constantFrom(0, 0.5) }, []),
    },
    ['name', 'endpoints'],
  );
const contract = maybe(
  {
    name: fc.constant('things'),
    backend: fc.constantFrom('b1', 'b2'),
    descriptor_set: fc.constant(`base64:${(await everythingDescriptors()).toString('base64')}`),
    listeners: fc.constantFrom([], ['public'], ['public', 'admin']),
    policy: fc.constantFrom(
      {},
      { [EVERYTHING]: { cost: 2 } },
      { [`${EVERYTHING}/Unary`]: { required_scopes: ['a', 'b'], max_deadline: '1.5s', idempotent: true, cost: 0 } },
    ),
  },
  ['name', 'backend', 'descriptor_set'],
);
const manifest = fc.record({
  backends: fc.tuple(backend('b1'), backend('b2')),
  contracts: fc.array(contract, { maxLength: 1 }),
  plans: fc.tuple(plan('p1'), plan('p2')),
  tenants: fc.subarray(['t1', 't2', 't3']).chain((ids) => fc.tuple(...ids.map(tenant))),
});

test('apply is idempotent, and export | apply does nothing', async () => {
  await fc.assert(
    fc.asyncProperty(manifest, async (drawn) => {
      const text = stringify(drawn);
      const first = await apply(text, '--yes');
      expect(first).toMatchObject({ code: 0 });
      expect((await apply(text, '--dry-run', '--exit-code')).out).toBe('Nothing to do.\n');
      const file = await cli(['export']);
      expect(await apply(file.out, '--dry-run', '--exit-code')).toEqual({ code: 0, out: 'Nothing to do.\n', err: '' });
      // Everything away, and back from what was exported, ids of keys and all.
      expect(await apply('plans: []\ntenants: []\nbackends: []\ncontracts: []', '--yes')).toMatchObject({ code: 0 });
      expect(await apply(file.out, '--yes')).toMatchObject({ code: 0 });
      expect(await apply(file.out, '--dry-run', '--exit-code')).toMatchObject({ code: ExitCode.OK });
    }),
    { numRuns: 8, endOnFailure: true },
  );
  expect((await cli(['export'])).out).not.toContain(ADMIN_TENANT);
});
