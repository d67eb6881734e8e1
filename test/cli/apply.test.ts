import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ExitCode } from '../../src/cli/exit-codes.ts';
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts';
import { runCli } from './fake-io.ts';

// `export` and `apply` against a real gateway.

let gateway: TestGateway;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tg-'));
  gateway = await startTestGateway({ backend: '127.0.0.1:1' });
});
afterAll(async () => {
  await gateway.stop();
  rmSync(folder, { recursive: true });
});

type More = Parameters<typeof runCli>[3];
const cli = (args: readonly string[], more: More = {}) => {
  const env = { TOLLGATE_ADMIN_KEY: gateway.adminKey, TOLLGATE_ADMIN_ADDRESS: `127.0.0.1:${gateway.admin}` };
  return runCli(args, env, folder, more);
};
const apply = (text: string, ...args: string[]) => cli(['apply', '-f', '-', ...args], { readInput: async () => text });
const exported = async () => (await cli(['export'])).out;
const applyAll = (text: string) => apply(text, '--yes', '--prune');
const NOTHING = { code: 0, out: 'Nothing to do.\n', err: '' };

/** As at the beginning, whatever the test before did. */
let first = '';
beforeEach(async () => {
  if (first === '') first = await exported();
  expect(await applyAll(first)).toMatchObject({ code: 0 });
});

const ACME = `
plans:
  - name: gold
    limits: [{ name: calls, rate: 50, burst: 100 }]
    quotas: [{ metric: units, limit: 10000, period: day, time_zone: Europe/Berlin, anchor: 6 }]
    concurrency: 20
    priority: high
    when_store_silent: closed
tenants:
  - id: acme
    display_name: Acme Inc.
    plan: gold
    keys: [{ name: ci, scopes: [a, b], expire_time: "2040-01-01T00:00:00Z" }]
    issuers:
      - issuer: https://id.example.com
        audiences: [shop]
        jwks_url: https://id.example.com/keys
        max_token_age: 1h
    client_certificates: [{ name: web, dns: web.example.com, scopes: [a] }]
`;

test('what a file says is made, its new keys are printed, and the second time there is nothing to do', async () => {
  const made = await apply(ACME, '--yes');
  expect(made.code).toBe(0);
  expect(made.out).toMatch(/^\+ plan gold\n/);
  expect(made.out).toContain('3 to create.');
  expect(made.out).toMatch(/\nkey ci of tenant acme: tg_ci_\w+\n$/);
  expect(made.err).toBe('Keep the keys: they cannot be shown again.\nDone: 3 changes.\n');
  const again = await apply(ACME, '--yes');
  expect(again.out.split('\n')[0]).toBe('Nothing to do.');
  const { out } = await cli(['tenants', 'get', 'acme', '--output', 'json']);
  expect(JSON.parse(out)).toMatchObject({
    displayName: 'Acme Inc.',
    plan: 'gold',
    issuers: [{ issuer: 'https://id.example.com', maxTokenAge: '3600s' }],
    clientCertificates: [{ dns: 'web.example.com' }],
  });
});

test('export gives what apply takes: applied where it comes from it does nothing, elsewhere it makes the same', async () => {
  await apply(ACME, '--yes');
  await cli(['tenants', 'update', 'acme', '--state', 'suspended']);
  const before = await exported();
  expect(before).toContain('state: suspended');
  expect(await applyAll(before)).toEqual(NOTHING);
  // Everything is deleted, and comes back but for the text and the ids of keys.
  await applyAll(first);
  expect(await exported()).not.toContain('acme');
  await apply(before, '--yes');
  const after = await exported();
  const withoutIds = (text: string) => text.replaceAll(/\bid: \w+, name/g, 'name');
  expect(withoutIds(after)).toBe(withoutIds(before));
  // Though the ids in the file are not those of here.
  expect(await applyAll(before)).toEqual(NOTHING);
});

test('a change is shown field by field, items of lists one by one', async () => {
  await apply(ACME, '--yes');
  const changed = ACME.replace('rate: 50', 'rate: 60')
    .replace('concurrency: 20', 'concurrency: 0')
    .replace('[a, b]', '[b]');
  const { out, code } = await apply(changed, '--dry-run');
  expect(code).toBe(0);
  expect(out).toBe(
    '~ plan gold\n' +
      '    limits       - {name: calls, rate: 50, burst: 100}\n' +
      '                 + {name: calls, rate: 60, burst: 100}\n' +
      '    concurrency  20 -> none\n' +
      `~ key ci (${/key ci \((\w+)\)/.exec(out)?.[1]}) of tenant acme\n` +
      '    scopes  - a\n' +
      '\n2 to change.\n' +
      'Not in the file, and kept: tenant alpha, tenant beta, plan wide. --prune deletes them.\n',
  );
  expect((await apply(ACME, '--dry-run')).out).toMatch(/^Nothing to do/);
  expect(await apply(changed, '--dry-run', '--exit-code')).toMatchObject({ code: ExitCode.DIFFERS });
  expect(await apply(ACME, '--dry-run', '--exit-code')).toMatchObject({ code: 0 });
});

describe('what the file does not say', () => {
  test('states and expiry stay: who was suspended is not woken by a file', async () => {
    await apply(ACME, '--yes');
    await cli(['tenants', 'update', 'acme', '--state', 'suspended']);
    expect((await apply(ACME)).out).toMatch(/^Nothing to do/);
    expect((await apply(ACME.replace(', expire_time: "2040-01-01T00:00:00Z"', ''))).out).toMatch(/^Nothing to do/);
  });

  test('sections that are not there are left alone, with --prune too; empty ones are emptied', async () => {
    await apply(ACME, '--yes');
    expect(await applyAll('tenants: [{ id: acme, plan: gold }]')).toMatchObject({ code: 0 });
    const { out: keys } = await cli(['keys', 'list', '--tenant', 'acme']);
    expect(keys).toContain('ci');
    expect((await cli(['plans', 'list'])).out).toContain('wide');
    const emptied = await applyAll('tenants: [{ id: acme, plan: gold, keys: [] }]');
    expect(emptied.out).toMatch(/^- key ci \(\w+\) of tenant acme$/m);
    expect((await cli(['keys', 'list', '--tenant', 'acme'])).out).toBe('');
  });

  test("the gateway's own tenant and plan are never pruned, nor plans that are still used", async () => {
    await apply(ACME, '--yes');
    const { out } = await applyAll('plans: []');
    expect(out).toMatch(/^Nothing to do/);
    expect((await applyAll('plans: []\ntenants: []')).out).toMatch(/4 to delete|5 to delete/);
    const list = await cli(['tenants', 'list']);
    expect(list.out.trim().split('\n')).toHaveLength(2);
    expect(list.out).toContain('tollgate-admin');
    expect((await cli(['plans', 'list'])).out).toContain('unlimited');
  });
});

describe('asking', () => {
  test('on a terminal the user is asked; only yes is yes', async () => {
    const asked: string[] = [];
    const answer = (text: string): More => ({
      readInput: async () => ACME,
      ask: async (question) => {
        asked.push(question);
        return text;
      },
    });
    const args = ['apply', '-f', '-'];
    expect(await cli(args, answer(''))).toMatchObject({ code: 1, err: 'error: nothing was changed.\n' });
    expect(await cli(args, answer('n'))).toMatchObject({ code: 1 });
    expect((await cli(['tenants', 'get', 'acme'])).code).toBe(ExitCode.NOT_FOUND);
    expect(await cli(args, answer('y'))).toMatchObject({ code: 0 });
    expect(await cli(args, answer('n'))).toMatchObject({ code: 0 });
    expect(asked).toEqual(Array(3).fill('Make these 3 changes? [y/N] '));
  });

  test('where nobody can be asked, --yes is needed; programs are not asked', async () => {
    const refused = await apply(ACME);
    expect(refused.code).toBe(ExitCode.USAGE);
    expect(refused.err).toContain('Give --yes to do it');
    const program = await cli(['apply', '-f', '-', '--output', 'json'], {
      readInput: async () => ACME,
      ask: () => Promise.reject(new Error('asked')),
    });
    expect([program.code, program.out]).toEqual([ExitCode.USAGE, '']);
  });

  test('colours only where they are wanted', async () => {
    const run = (colours: boolean) => cli(['apply', '-f', '-', '--dry-run'], { readInput: async () => ACME, colours });
    expect((await run(true)).out).toContain('\u001b[32m+ plan gold\u001b[0m');
    expect((await run(false)).out).not.toContain('\u001b');
  });

  test('for programs: the changes and the new keys', async () => {
    const { out, code } = await apply(ACME, '--yes', '--output', 'json');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      changes: [
        { op: 'create', kind: 'plan', id: 'gold', after: { priority: 'high' } },
        { op: 'create', kind: 'tenant', id: 'acme' },
        { op: 'create', kind: 'key', tenantId: 'acme', name: 'ci' },
      ],
      keys: [{ tenantId: 'acme', name: 'ci', key: expect.stringMatching(/^tg_ci_/) }],
    });
  });
});

describe('somebody else', () => {
  test('who changes a tenant between the look and the change is not overwritten; what was done is told', async () => {
    await apply(ACME, '--yes');
    const file = ACME.replace('concurrency: 20', 'concurrency: 21')
      .replace('Acme Inc.', 'Acme')
      .replace('[a, b]', '[b]');
    const stopped = await cli(['apply', '-f', '-'], {
      readInput: async () => file,
      ask: async () => {
        await cli(['tenants', 'update', 'acme', '--name', 'Theirs']);
        return 'yes';
      },
    });
    expect(stopped.code).toBe(ExitCode.CONFLICT);
    expect(stopped.err).toMatch(/^error: ~ tenant acme: ABORTED: /);
    expect(stopped.err).toMatch(
      /Done:\n {2}~ plan gold\nNot done:\n {2}~ tenant acme\n {2}~ key ci \(\w+\) of tenant acme\n/,
    );
    expect((await cli(['tenants', 'get', 'acme'])).out).toMatch(/name: +Theirs/);
    const goesOn = await apply(file, '--yes');
    expect(goesOn.out).toContain('2 to change.');
    expect((await apply(file)).out).toMatch(/^Nothing to do/);
  });

  test('a key that was made before the stop is printed all the same', async () => {
    const file = `${ACME}  - { id: zeta, plan: gold, keys: [{ name: x, scopes: [tollgate.owner] }, { name: "y" }] }\n`;
    const operator = (
      await cli(['keys', 'create', '--tenant', 'alpha', '--name', 'op', '--scope', 'tollgate.operator'])
    ).out;
    const { code, out, err } = await apply(file, '--yes', '--key', operator.trim());
    expect(code).toBe(ExitCode.DENIED);
    expect(out).toMatch(/key ci of tenant acme: tg_ci_\w+\n$/);
    expect(err).toContain('Not done:\n  + key x of tenant zeta\n  + key y of tenant zeta\n');
  });
});

describe('a file that is wrong changes nothing, and is told with its places', () => {
  test.each([
    ['tenants: [{ id: a, plan: wide, kees: [] }]', 'standard input:1:', 'did you mean "keys"'],
    ['tenants: [{ id: a, plan: wide }, { id: a, plan: wide }]', 'standard input:1:', 'the tenant "a" is there twice'],
    ['plans: [{ name: A B }]', 'standard input:1:', 'lower-case'],
    ['tenants: [{ id: a }]', 'standard input:1:', '"plan" is missing'],
    ['tenants: [{ id: a, plan: p, state: asleep }]', 'standard input:1:', 'active, suspended'],
    [
      'tenants: [{ id: a, plan: p, keys: [{ name: k, expire_time: soon }] }]',
      'standard input:1:',
      '2030-01-31T12:00:00Z',
    ],
    ['tenants: [{ id: a, plan: p, keys: [{ name: k, sha256: abc }] }]', 'standard input:1:', 'unknown key "sha256"'],
    ['tenants: [', 'standard input:1:', 'not closed'],
    ['listeners: []', 'standard input:1:', 'unknown key "listeners"'],
  ])('%s', async (text, place, message) => {
    const { code, out, err } = await apply(text, '--yes');
    expect([code, out]).toEqual([1, '']);
    expect(err).toMatch(/^error: the file cannot be applied, and nothing was changed:\n/);
    expect(err).toContain(place);
    expect(err).toContain(message);
  });

  test('no such file', async () => {
    const { code, err } = await cli(['apply', '-f', 'none.yaml']);
    expect(code).toBe(1);
    expect(err).toContain('cannot read none.yaml');
  });

  test('a key set that lies in a file beside it is sent; it need not be on the gateway', async () => {
    writeFileSync(
      join(folder, 'keys.json'),
      '{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}',
    );
    const issuer = '{ issuer: "https://a.example", audiences: [x], jwks_file: keys.json }';
    writeFileSync(join(folder, 't.yaml'), `tenants: [{ id: js, plan: wide, issuers: [${issuer}] }]`);
    expect(await cli(['apply', '-f', 't.yaml', '--yes'])).toMatchObject({ code: 0 });
    expect((await cli(['tenants', 'get', 'js', '--output', 'json'])).out).toContain('Ed25519');
  });
});
