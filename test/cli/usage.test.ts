import { afterAll, beforeAll, expect, test } from 'vitest';
import { Quota_Period as Period } from '../../generated/tollgate/admin/v1/plan.ts';
import { Plan, Tenant } from '../../generated/tollgate/config/v1/config.ts';
import { ExitCode } from '../../src/cli/exit-codes.ts';
import { EverythingBackend } from '../support/everything-backend.ts';
import { everythingPath } from '../support/everything-methods.ts';
import { GrpcClient } from '../support/grpc-client.ts';
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts';
import { runCli } from './fake-io.ts';

// What tenants use and why calls are refused, as a terminal shows it: usage, usage adjust, explain, evidence of what a plan would change.

/** Buckets that do not refill while the test looks. */
const RATE = 0.001;
const CALLS = 4;
const UNARY = everythingPath('Unary').slice(1);
const SCOPED = everythingPath('Scoped').slice(1);

const backend = new EverythingBackend();
let gateway: TestGateway;

beforeAll(async () => {
  await backend.start();
  gateway = await startTestGateway({
    backend: backend.address,
    scopes: () => [],
    edit: (config) => {
      const limits = [{ name: 'calls', rate: RATE, burst: CALLS }];
      const day = { metric: 'units', limit: 10, period: Period.PERIOD_DAY };
      const month = { metric: 'units', limit: 100, period: Period.PERIOD_MONTH };
      config.plans.push(Plan.fromPartial({ name: 'small', limits, quotas: [day], concurrency: 7 }));
      config.plans.push(Plan.fromPartial({ name: 'two', quotas: [day, month] }), Plan.fromPartial({ name: 'free' }));
      config.tenants.push(
        Tenant.fromPartial({ id: 'acme', plan: 'small' }),
        Tenant.fromPartial({ id: 'adjusted', plan: 'small' }),
      );
      config.tenants.push(
        Tenant.fromPartial({ id: 'both', plan: 'two' }),
        Tenant.fromPartial({ id: 'idle', plan: 'free' }),
      );
    },
  });
  const client = new GrpcClient(`127.0.0.1:${gateway.public}`, gateway.key('acme'));
  for (let i = 0; i < CALLS; i++) await client.call('Unary');
  client.close();
});
afterAll(async () => {
  await gateway.stop();
  await backend.stop();
});

const where = (key = gateway.adminKey) => ['--address', `127.0.0.1:${gateway.admin}`, '--key', key];
const admin = (...args: string[]) => runCli([...args, ...where()]);

test('usage shows how limits, quotas and concurrency stand', async () => {
  const { code, out } = await admin('usage', 'acme');
  expect(code).toBe(ExitCode.OK);
  expect(out).toMatch(/^tenant: +acme\nplan: +small\nrunning: +\d+ on this gateway, of 7\n/);
  expect(out).toMatch(/\nLIMIT +RATE +BURST +AVAILABLE +NEXT IN\ncalls +0\.001\/s +4 +0 +[\d.]+ s\n/);
  expect(out).toMatch(
    /\nQUOTA +LIMIT +ADJUSTED +USED +LEASED +REMAINING +BEGINS ANEW\nunits\/day +10 +0 +4 +\d+ +6 +\S+Z\n$/,
  );
  expect((await admin('usage', 'acme', '--fleet')).out).toMatch(/\nin the fleet: +\d+\n/);
  const { out: bare } = await admin('usage', 'idle');
  expect(bare).toMatch(/^tenant: +idle\nplan: +free\nrunning: +0 on this gateway, without a limit\n$/);
});

test('usage for programs; a tenant sees its own, others are not there', async () => {
  const { out } = await admin('usage', 'get', 'acme', '--output', 'json');
  expect(JSON.parse(out)).toMatchObject({
    tenantId: 'acme',
    quotas: [{ metric: 'units', period: 'PERIOD_DAY', used: '4' }],
  });
  const own = await runCli(['usage', ...where(gateway.key('both'))]);
  expect(own).toMatchObject({ code: ExitCode.OK, err: '' });
  expect(own.out).toMatch(/^tenant: +both\n/);
  expect(await admin('usage', 'absent')).toMatchObject({ code: ExitCode.NOT_FOUND, out: '' });
});

test('usage adjust adds units and takes them away, under a request id once', async () => {
  const adjust = (...args: string[]) => admin('usage', 'adjust', 'adjusted', '--reason', 'goodwill', ...args);
  const checked = await adjust('--units', '5', '--validate-only');
  expect(checked.out).toMatch(/\nadjusted: +\+5\n/);
  expect(checked.err).toContain('nothing was changed');
  for (let i = 0; i < 2; i++) {
    const { code, out } = await adjust('--units', '+5', '--request-id', 'topup-1');
    expect(code).toBe(ExitCode.OK);
    expect(out).toMatch(/^quota: +units\/day\nlimit: +10\nadjusted: +\+5\n.*\n.*\nremaining: +15\n/);
  }
  const { out } = await adjust('--units', '-8', '--output', 'json');
  expect(JSON.parse(out)).toMatchObject({ metric: 'units', adjusted: '-3', remaining: '7' });
  expect((await admin('audit', '--tenant', 'adjusted', '--method', 'AdjustQuota')).out).toContain('goodwill');
});

test('usage adjust says what is missing or wrong before it asks, and which of two quotas is not clear', async () => {
  const adjust = (...args: string[]) => admin('usage', 'adjust', 'both', ...args);
  const noReason = await adjust('--units', '5');
  expect(noReason.code).toBe(ExitCode.USAGE);
  expect(noReason.err).toContain('say why with --reason');
  for (const units of ['0', 'many', '1.5', '9007199254740993']) {
    const { code, err } = await adjust('--units', units, '--reason', 'x');
    expect([units, code]).toEqual([units, ExitCode.USAGE]);
    expect(err).toContain('write a whole number');
  }
  expect((await adjust('--reason', 'x')).code).toBe(ExitCode.USAGE);
  const unclear = await adjust('--units', '5', '--reason', 'x');
  expect(unclear.code).toBe(ExitCode.FAILED);
  expect(unclear.err).toContain('several quotas');
  const { code, out } = await adjust('--units', '5', '--reason', 'x', '--period', 'month');
  expect(code).toBe(ExitCode.OK);
  expect(out).toMatch(/^quota: +units\/month\n/);
});

test('explain shows every rule in order, what it answers and why', async () => {
  const refused = await admin('explain', UNARY, '--tenant', 'acme');
  expect(refused.code).toBe(ExitCode.OK);
  expect(refused.out).toMatch(/^answer: +RESOURCE_EXHAUSTED \(RATE_LIMITED\): .+\ntenant: +acme\n/);
  expect(refused.out).toMatch(
    /\nSTAGE +RULE +ANSWER +GOES BY +WHY\nauthenticate +tenant +admits +any valid credential/,
  );
  expect(refused.out).toMatch(/\nrate_limit +limit calls +RESOURCE_EXHAUSTED \(RATE_LIMITED\) +/);
  expect(refused.out).toMatch(/\nquota +quota units\/day +admits +/);
  const { out } = await admin('explain', `/${SCOPED}`, '--tenant', 'idle', '--output', 'json');
  expect(JSON.parse(out)).toMatchObject({ status: 'PERMISSION_DENIED', tenantId: 'idle', plan: 'free' });
  const scope = await admin('explain', SCOPED, '--tenant', 'idle', '--scope', 'everything.scoped');
  expect(scope.out).toMatch(/^answer: +admitted\n/);
});

test('explain takes the credential from a variable, a key by its id, or headers, and never shows it', async () => {
  const key = gateway.key('idle');
  for (const [who, ...args] of [
    ['variable', '--credential-from-env', 'CUSTOMER_KEY'],
    ['header', '-H', `Authorization: Bearer ${key}`, '-H', 'x-region: eu'],
    ['id', '--api-key', 'idle.test'],
  ] as const) {
    const { code, out, err } = await runCli(['explain', UNARY, ...args, ...where()], { CUSTOMER_KEY: key });
    expect([who, code, err]).toEqual([who, ExitCode.OK, '']);
    expect(out).toMatch(/^answer: +admitted\ntenant: +idle\nprincipal: +idle\.test\n/);
    expect(out).not.toContain(key);
  }
  const wrong = await runCli(['explain', UNARY, '--credential-from-env', 'WRONG', ...where()], { WRONG: 'hunter2' });
  expect(wrong.out).toMatch(
    /^answer: +UNAUTHENTICATED \(CREDENTIAL_INVALID\): .+\ntenant: +nobody was authenticated\n/,
  );
  expect(wrong.out).not.toContain('hunter2');
});

test('explain says what of the command line is wrong, and repeats no credential', async () => {
  const key = gateway.key('idle');
  for (const [args, message, expected] of [
    [[], 'who calls?', ExitCode.USAGE],
    [['--tenant', 'idle', '--credential-from-env', 'A'], 'cannot be used with', ExitCode.USAGE],
    [['--api-key', 'x', '--scope', 'a'], '--scope goes with --tenant', ExitCode.USAGE],
    [['--credential-from-env', 'A', '-H', 'authorization: x'], 'sent as authorization', ExitCode.USAGE],
    [['--credential-from-env', key], 'takes the name of a variable', ExitCode.USAGE],
    [['--credential-from-env', 'ABSENT'], 'no variable ABSENT', ExitCode.DENIED],
    [['-H', `Bearer ${key}`], "-H takes 'NAME: VALUE'", ExitCode.USAGE],
    [['-H', `x-api-key: ${key}`, '-H', `X-Api-Key: ${key}`], 'x-api-key twice', ExitCode.USAGE],
    [['--tenant', 'idle', '--listener', 'absent'], 'there is no listener', ExitCode.FAILED],
  ] as const) {
    const { code, out, err } = await admin('explain', UNARY, ...args);
    expect([message, code, out]).toEqual([message, expected, '']);
    expect(err).toContain(message);
    expect(err).not.toContain(key);
  }
});

test('plans and tenants update --validate-only show whose calls would have been refused', async () => {
  const plan = await admin('plans', 'update', 'small', '--limit', 'calls=0.001:1', '--validate-only');
  expect(plan.code).toBe(ExitCode.OK);
  const since = String.raw`\nOf 4 calls since \S+Z, as this gateway has seen them, `;
  expect(plan.out).toMatch(new RegExp(`${since}3 would have been refused that were not, and 0 admitted:\\n`));
  expect(plan.out).toMatch(
    /\nTENANT +METHOD +CALLS +REFUSED +ADMITTED +BY\nacme +everything\.\S+\/Unary +4 +3 +0 +limit calls\n$/,
  );
  const same = await admin('tenants', 'update', 'acme', '--plan', 'free', '--validate-only');
  expect(same.out).toMatch(new RegExp(`${since}none would have been decided otherwise.\n$`));
  const none = await admin('plans', 'update', 'free', '--limit', 'calls=1:1', '--validate-only');
  expect(none.out).toContain('has seen no calls of late');
  const json = await admin(
    'plans',
    'update',
    'small',
    '--limit',
    'calls=0.001:1',
    '--validate-only',
    '--output',
    'json',
  );
  expect(JSON.parse(json.out)).toMatchObject({ evidence: { calls: '4', newlyRefused: '3' } });
  expect((await admin('plans', 'update', 'small', '--limit', 'calls=1:5')).out).not.toContain('calls since');
});
