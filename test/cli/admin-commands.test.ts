import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { GetMetricsResponse } from '../../generated/tollgate/metrics/v1/metrics.ts';
import { ExitCode } from '../../src/cli/exit-codes.ts';
import { type ControlFixture, fakeMetrics, startFixture } from '../control/fixture.ts';
import { openTenants } from '../control/open-tenants.ts';
import { EVERYTHING_PROTOS } from '../support/everything-methods.ts';
import { runCli } from './fake-io.ts';

// The commands against the real control services; the gateway in between, which checks the key, is tested elsewhere.

let opened: Awaited<ReturnType<typeof openTenants>>;
let fixture: ControlFixture;

beforeAll(async () => {
  opened = await openTenants();
  const response = GetMetricsResponse.fromPartial({
    series: [
      {
        tenantId: 'acme',
        method: 'a.B/C',
        status: 'OK',
        calls: 1234,
        latency: { p50: { nanos: 1_500_000 }, p90: { nanos: 20_000_000 }, p99: { seconds: 2 }, max: { seconds: 3 } },
      },
    ],
    refusals: { RATE_LIMITED: 2, CREDENTIAL_INVALID: 7 },
    backends: [{ backend: 'shop', breaker: 2, outstandingCalls: 1, calls: 5, failures: 4 }],
  });
  fixture = await startFixture({ ...opened, metrics: fakeMetrics(async () => response) });
});
afterAll(async () => {
  await fixture.stop();
  await opened.close();
});

const admin = (...args: string[]) =>
  runCli([...args, '--address', fixture.ownerAddress], { TOLLGATE_ADMIN_KEY: 'tg_admin_x_y' });

async function json(...args: string[]) {
  const { code, out, err } = await admin(...args, '--output', 'json');
  expect([code, err]).toEqual([0, '']);
  return JSON.parse(out);
}

test('plans: create, get, list, update, delete', async () => {
  const created = await admin(
    ...['plans', 'create', 'gold', '--limit', 'calls=50:100', '--limit', 'heavy=0.5:1'],
    ...['--quota', 'units=10000/day@6,Europe/Berlin', '--concurrency', '20'],
  );
  expect(created).toMatchObject({ code: 0, err: '' });
  expect(created.out).toMatch(
    /^id: +gold\nlimits: +calls=50:100 heavy=0.5:1\nquotas: +units=10000\/day@6,Europe\/Berlin\n/,
  );
  const updated = await admin('plans', 'update', 'gold', '--concurrency', '0');
  expect(updated.out).toMatch(/limits: +calls=50:100 heavy=0.5:1\n(.*\n)*concurrency: no limit/);
  expect(await json('plans', 'get', 'gold')).toMatchObject({ id: 'gold', quotas: [{ metric: 'units', anchor: 6 }] });
  const other = await admin('plans', 'update', 'gold', '--limit', 'heavy=1:2', '--quota', 'units=9/month');
  expect(other.out).toMatch(
    /limits: +calls=50:100 heavy=1:2\nquotas: +units=10000\/day@6,Europe\/Berlin units=9\/month\n/,
  );
  const removed = await admin('plans', 'update', 'gold', '--remove-limit', 'heavy', '--remove-quota', 'units/month');
  expect(removed.out).toMatch(/limits: +calls=50:100\nquotas: +units=10000\/day@6,Europe\/Berlin\n/);
  const list = await admin('plans', 'list');
  expect(list.out.split('\n')[0]).toMatch(
    /^ID +LIMITS +QUOTAS +CONCURRENCY +PRIORITY +SILENCE +ALLOWED +CREATED +ETAG$/,
  );
  expect(list.out).toContain('gold');
  expect(await admin('plans', 'delete', 'gold')).toEqual({ code: 0, out: '', err: 'Deleted plan gold.\n' });
});

test('backends and contracts: create, get, list, update, delete', async () => {
  const created = await admin(
    ...['backends', 'create', 'shop', '--endpoint', '127.0.0.1:7500,127.0.0.1:7501'],
    ...['--backend-server-name', 'shop.example', '--default-timeout', '2m'],
  );
  expect(created.out).toMatch(
    /^id: +shop\nendpoints: +127.0.0.1:7500 127.0.0.1:7501\ntls: +shop.example\ntimeout: +120000ms\n/,
  );
  const contract = await admin(
    ...['contracts', 'create', 'things', '--backend', 'shop', '--protos', EVERYTHING_PROTOS, '--listener', 'public'],
  );
  expect(contract).toMatchObject({ code: 0, err: '' });
  expect(contract.out).toMatch(
    /^id: +things\nbackend: +shop\nlisteners: +public\nmethods: +.*EverythingService\/Unary/,
  );
  expect((await admin('contracts', 'list')).out).toMatch(/ID +BACKEND +LISTENERS +METHODS.*\nthings +shop +public +9 /);
  expect(await admin('backends', 'delete', 'shop')).toMatchObject({
    code: ExitCode.FAILED,
    err: expect.stringContaining('things'),
  });

  const moved = await json('backends', 'update', 'shop', '--endpoint', '127.0.0.1:7502');
  expect(moved).toMatchObject({
    endpoints: ['127.0.0.1:7502'],
    tls: { serverName: 'shop.example' },
    defaultTimeout: '120s',
  });
  const hidden = await json('contracts', 'update', 'things', '--listener', '');
  expect(hidden.listeners).toBeUndefined();
  expect(
    await admin('contracts', 'create', 'more', '--backend', 'shop', '--descriptor-set', 'none.binpb'),
  ).toMatchObject({
    code: ExitCode.FAILED,
    err: expect.stringContaining('cannot read none.binpb'),
  });
  expect((await admin('contracts', 'delete', 'things')).err).toBe('Deleted contract things.\n');
  expect((await admin('backends', 'delete', 'shop')).err).toBe('Deleted backend shop.\n');
});

describe('with a plan', () => {
  beforeAll(async () => {
    await admin('plans', 'create', 'free');
  });

  test('tenants: create, get, list, update, delete', async () => {
    const created = await admin('tenants', 'create', 'acme', '--plan', 'free', '--name', 'Acme Inc.');
    expect(created.out).toMatch(/^id: +acme\nname: +Acme Inc.\nplan: +free\nstate: +active\n/);
    const suspended = await json('tenants', 'update', 'acme', '--state', 'suspended');
    expect(suspended).toMatchObject({ id: 'acme', displayName: 'Acme Inc.', state: 'STATE_SUSPENDED' });
    expect((await admin('tenants', 'list')).out).toMatch(
      /ID +NAME +PLAN +STATE +ALLOWED +OVERRIDES +CREATED +ETAG\nacme +Acme Inc. +free +suspended/,
    );
    expect((await admin('tenants', 'delete', 'acme', '--etag', 'stale')).code).toBe(ExitCode.CONFLICT);
    expect(await admin('tenants', 'delete', 'acme', '--etag', suspended.etag)).toMatchObject({ code: 0 });
    const gone = await admin('tenants', 'get', 'acme');
    expect(gone).toMatchObject({ code: ExitCode.NOT_FOUND, out: '' });
    expect(gone.err).toMatch(/^error: NOT_FOUND: there is no tenant "acme"/);
  });

  test('keys: the new key is alone on stdout, so that a shell can take it', async () => {
    await admin('tenants', 'create', 'keyed', '--plan', 'free');
    const created = await admin(
      'keys',
      'create',
      '--tenant',
      'keyed',
      '--name',
      'ci',
      '--scope',
      'a,b',
      '--scope',
      'c',
    );
    expect(created.code).toBe(0);
    expect(created.out).toMatch(/^tg_ci_\w+_\w+\n$/);
    expect(created.err).toContain('cannot be shown again');
    const [key] = await json('keys', 'list', '--tenant', 'keyed');
    expect(key).toMatchObject({ name: 'ci', scopes: ['a', 'b', 'c'], tenantId: 'keyed' });
    expect(created.out).toContain(key.id);
    const limited = await json('keys', 'update', key.id, '--expires', '2040-01-01T00:00:00Z', '--state', 'disabled');
    expect(limited).toMatchObject({
      expireTime: '2040-01-01T00:00:00Z',
      state: 'STATE_DISABLED',
      scopes: ['a', 'b', 'c'],
    });
    expect(await json('keys', 'update', key.id, '--expires', 'never')).not.toHaveProperty('expireTime');
    expect((await admin('keys', 'get', key.id)).out).toMatch(/expires: +never/);
    expect(await admin('keys', 'delete', key.id)).toEqual({ code: 0, out: '', err: `Revoked key ${key.id}.\n` });
    expect(await admin('keys', 'list', '--tenant', 'keyed')).toMatchObject({
      code: 0,
      out: '',
      err: 'No keys yet: tollgate keys create --tenant ID --name NAME\n',
    });
    expect(await json('keys', 'create', '--tenant', 'keyed', '--name', 'x')).toMatchObject({
      apiKey: { name: 'x' },
      key: expect.stringMatching(/^tg_x_/),
    });
  });

  test('keys: rotate prints the new key alone, and says how long the old one goes on', async () => {
    await admin('tenants', 'create', 'rotated', '--plan', 'free');
    const { apiKey } = await json('keys', 'create', '--tenant', 'rotated', '--name', 'ci', '--limit', 'calls=5:10');
    const rotated = await admin('keys', 'rotate', apiKey.id, '--grace', '12h');
    expect(rotated.code).toBe(0);
    expect(rotated.out).toMatch(/^tg_ci_\w+_\w+\n$/);
    expect(rotated.err).toMatch(
      /cannot be shown again.\nThe old key \w+ goes on until \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ.\n$/,
    );
    const list: { id: string; expireTime?: string }[] = await json('keys', 'list', '--tenant', 'rotated');
    expect(list).toHaveLength(2);
    expect(list.find(({ id }) => id === apiKey.id)?.expireTime).toBeDefined();
    const next = list.find(({ id }) => id !== apiKey.id);
    expect(next).toMatchObject({ limits: [{ name: 'calls', rate: 5, burst: 10 }] });
    expect((await admin('keys', 'get', next!.id)).out).toMatch(/limits: +calls=5:10\n(.*\n)*last used: -\n/);
    const more = await json('keys', 'update', next!.id, '--limit', 'heavy=1:1');
    expect(more.limits).toMatchObject([{ name: 'calls' }, { name: 'heavy' }]);
    expect((await json('keys', 'update', next!.id, '--remove-limit', 'calls')).limits).toMatchObject([
      { name: 'heavy' },
    ]);
    expect(await json('keys', 'update', next!.id, '--no-limits')).not.toHaveProperty('limits');
    expect((await admin('keys', 'rotate', apiKey.id, '--grace', 'soon')).err).toContain('write a duration');
    expect((await json('keys', 'rotate', next!.id)).oldApiKey.id).toBe(next!.id);
    const late = await admin('keys', 'rotate', next!.id);
    expect(late.err).toMatch(/^error: FAILED_PRECONDITION: the key "\w+" has expired: make a new one instead/);
  });

  test('tenants: what they may call, and where they differ from their plan; what is not given stays', async () => {
    const created = await admin(
      ...['tenants', 'create', 'apart', '--plan', 'free', '--allow', 'shop,shop.v1.Shop/Buy'],
      ...['--limit', 'calls=9:9', '--priority', 'high'],
    );
    expect(created.out).toMatch(/allowed: +shop shop.v1.Shop\/Buy\noverrides: +calls=9:9 priority=high\n/);
    const update = (...args: string[]) => json('tenants', 'update', 'apart', ...args);
    expect((await update('--quota', 'units=5/day', '--concurrency', '0')).overrides).toMatchObject({
      limits: [{ name: 'calls', rate: 9, burst: 9 }],
      quotas: [{ metric: 'units' }],
      concurrency: 0,
      priority: 'PRIORITY_HIGH',
    });
    const more = await update('--limit', 'heavy=2:2', '--remove-quota', 'units/day');
    expect(more.overrides.limits).toMatchObject([{ name: 'calls', rate: 9 }, { name: 'heavy' }]);
    expect(more.overrides).not.toHaveProperty('quotas');
    const fewer = await update('--no-overrides', '--limit', 'calls=1:1', '--allow-all');
    expect(fewer.overrides).toEqual({ limits: [{ name: 'calls', rate: 1, burst: 1 }] });
    expect(fewer).not.toHaveProperty('allowed');
    expect(await update('--no-overrides')).not.toHaveProperty('overrides');
    await admin('plans', 'create', 'confined', '--allow', 'shop');
    expect((await admin('plans', 'get', 'confined')).out).toMatch(/allowed: +shop\n/);
    expect((await admin('plans', 'update', 'confined', '--allow-all')).out).toMatch(/allowed: +everything\n/);
  });

  test('a list that is longer than asked for says so', async () => {
    for (const id of ['l1', 'l2', 'l3']) await admin('tenants', 'create', id, '--plan', 'free');
    const list = await admin('tenants', 'list', '--limit', '2');
    expect(list.out.trimEnd().split('\n')).toHaveLength(3);
    expect(list.err).toBe('There are more: give a larger --limit.\n');
  });

  test('who comes too late is given the etag to go on with', async () => {
    await admin('tenants', 'create', 'raced', '--plan', 'free');
    const { etag } = await json('tenants', 'get', 'raced');
    const { code, err } = await admin('tenants', 'update', 'raced', '--name', 'x', '--etag', 'stale');
    expect(code).toBe(ExitCode.CONFLICT);
    expect(err).toMatch(/^error: ABORTED: /);
    expect(err).toContain(`--etag '${etag}'`);
  });

  test('what is invalid is told field by field', async () => {
    const { code, err } = await admin('plans', 'create', 'No Good', '--limit', 'calls=0:0');
    expect(code).toBe(1);
    expect(err).toMatch(/^error: INVALID_ARGUMENT: /);
    expect(err).toContain('\n  plan_id: a name is lower-case letters, digits and "-", a letter first, at most 63\n');
    expect(err).toContain('\n  plan.limits[0].rate: must be greater than 0');
  });

  test('what stands in the way is named', async () => {
    await admin('tenants', 'create', 'holder', '--plan', 'free');
    const absent = await admin('tenants', 'create', 'planless', '--plan', 'nope');
    expect(absent.err.match(/there is no plan "nope"/g)).toHaveLength(1);
    const { err } = await admin('plans', 'delete', 'free');
    expect(err).toMatch(/^error: FAILED_PRECONDITION: /);
    expect(err).toMatch(/tenant "\w+" .*has the plan "free"/);
  });

  test('control characters in a name do not reach the terminal', async () => {
    await admin('tenants', 'create', 'evil', '--plan', 'free', '--name', '\u001b[2Jgone');
    const { out } = await admin('tenants', 'get', 'evil');
    expect(out).toContain('\\x1b[2Jgone');
    expect(out).not.toContain('\u001b');
  });
});

test('metrics are three tables', async () => {
  const { code, out } = await admin('metrics');
  expect(code).toBe(0);
  expect(out).toBe(
    [
      'TENANT  METHOD  STATUS  CALLS  P50      P90    P99     MAX',
      'acme    a.B/C   OK      1234   1.50 ms  20 ms  2.00 s  3.00 s',
      '',
      'REFUSED BECAUSE     CALLS',
      'CREDENTIAL_INVALID  7',
      'RATE_LIMITED        2',
      '',
      'BACKEND  BREAKER  OUTSTANDING  CALLS  FAILURES',
      'shop     open     1            5      4',
      '',
    ].join('\n'),
  );
  expect((await admin('metrics', '--by', 'method')).out.split('\n')[0]).toMatch(/^METHOD +CALLS/);
  expect(await json('metrics')).toMatchObject({ refusals: { RATE_LIMITED: '2' } });
});

describe('what a newcomer gets wrong', () => {
  test('no key: how to set one', async () => {
    const { code, err } = await runCli(['tenants', 'list']);
    expect(code).toBe(ExitCode.DENIED);
    expect(err).toBe(
      'error: no admin key: set TOLLGATE_ADMIN_KEY, or give --key-from-env, --key-file or --key.\n' +
        'The gateway prints one at its first start, after the line "admin key:".\n',
    );
  });

  test('a key with characters that no header takes', async () => {
    const { code, err } = await runCli(['tenants', 'list', '--key', 'tg_\n_x']);
    expect([code, err]).toEqual([5, 'error: the admin key has characters that no key has; was it copied whole?\n']);
  });

  test('nothing listens: where it looked, and how to start it', async () => {
    const address = `unix:${fixture.server.path}.absent`;
    const { code, err } = await runCli(['tenants', 'list', '--key', 'k', '--address', address]);
    expect(code).toBe(ExitCode.UNAVAILABLE);
    expect(err).toContain(`nothing answers at ${address}: is the gateway running?`);
    expect(err).toContain('npm start');
    expect(err).not.toContain('    at ');
  });

  test('TLS with a listener that has none', async () => {
    // A SETTINGS frame, with which HTTP/2 begins.
    const plain = createServer((socket) =>
      socket
        .on('error', () => {})
        .resume()
        .end(Buffer.from('000000040000000000', 'hex')),
    );
    await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve));
    const at = plain.address();
    const address = `127.0.0.1:${typeof at === 'object' ? at?.port : ''}`;
    const { code, err } = await runCli(['tenants', 'list', '--key', 'k', '--tls', '--address', address]);
    await new Promise((resolve) => plain.close(resolve));
    expect(code).toBe(ExitCode.UNAVAILABLE);
    expect(err).toContain(`${address} answers, but not over TLS.\nCall it without TLS`);
  });

  test('a folder of the demo that is none', async () => {
    const { code, err } = await runCli(['start', '--port', '0', '--data', import.meta.filename]);
    expect(code).toBe(1);
    expect(err).toContain(`cannot keep the demo's keys in ${import.meta.filename} (EEXIST)`);
    expect(err).toContain('--data FOLDER');
  });

  test('an update that changes nothing', async () => {
    const { code, err } = await admin('tenants', 'update', 'acme');
    expect([code, err.split('\n')[0]]).toEqual([
      2,
      'error: nothing to change: give at least one of the options (see --help)',
    ]);
  });

  test.each([
    [['plans', 'create', 'x', '--limit', 'calls'], 'NAME=RATE:BURST'],
    [['plans', 'update', 'x', '--remove-quota', 'units'], 'METRIC/PERIOD'],
    [['tenants', 'list', '--key', 'k', '--address', 'http://127.0.0.1:7401'], 'write 127.0.0.1:7401\n'],
    [['tenants', 'list', '--key', 'k', '--address', 'https://gw:1/x'], 'write gw:1, and --tls or --ca for TLS'],
    [['plans', 'create', 'x', '--quota', 'units=5/year'], 'METRIC=LIMIT/PERIOD'],
    [['tenants', 'create', 'x'], '--plan'],
    [['tenants', 'update', 'x', '--state', 'asleep'], 'active, suspended'],
    [['keys', 'update', 'x', '--expires', 'soon'], '30d'],
    [['metrics', '--by', 'colour'], 'tenant, method and status'],
    [['tenants', 'list', '--output', 'xml'], 'table, json'],
    [['tenant', 'list'], 'tenants'],
  ])('%j is called wrongly: exit code 2, and what would be right', async (args, hint) => {
    const { code, err, out } = await runCli(args);
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain(hint);
  });
});
