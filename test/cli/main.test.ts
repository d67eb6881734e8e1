import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Child, spawnCli } from './child-process.ts';
import { runCli } from './fake-io.ts';

let folder: string;
const children: Child[] = [];

/** A process of its own: for what runs until it is stopped, and for what must not share a process. */
function cli(args: readonly string[], env: Record<string, string> = {}): Child {
  const child = spawnCli(args, { cwd: folder, env });
  children.push(child);
  return child;
}

async function killAll(): Promise<void> {
  for (const child of children.splice(0)) {
    child.process.kill('SIGKILL');
    await child.ended;
  }
}

const makeFolder = (): void => {
  folder = mkdtempSync(join(tmpdir(), 'tg-'));
};
const removeFolder = async (): Promise<void> => {
  await killAll();
  rmSync(folder, { recursive: true });
};

describe('start', () => {
  let gateway: Child;
  let addresses: { public: string; admin: string };
  let adminKey: string;
  let demoKey: string;

  beforeAll(async () => {
    makeFolder();
    gateway = cli(['start', '--port', '0', '--data', 'data']);
    const [, key = '', open = '', admin = ''] = await gateway.saw(
      /^admin key:\n(\S+)\nready public=(127\.0\.0\.1:\d+) admin=(127\.0\.0\.1:\d+)\n/,
    );
    addresses = { public: open, admin };
    adminKey = key;
    demoKey = (await gateway.saw(/export KEY=(\S+)\n.*Ctrl-C/s))[1] ?? '';
  });
  afterAll(removeFolder);

  test('prints commands with the key and the addresses of this run', async () => {
    const [text] = await gateway.saw(/The gateway is on.*Ctrl-C/s);
    expect(text).toContain(`http://${addresses.public}/bookstore.v1.BookstoreService/GetBook`);
    expect(text).toContain(`tenants list --address ${addresses.admin}`);
  });

  test('the admin key administers: the demo tenant is there', async () => {
    const { code, out } = await runCli(['tenants', 'get', 'demo', '--address', addresses.admin, '--output', 'json'], {
      TOLLGATE_ADMIN_KEY: adminKey,
    });
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ id: 'demo', state: 'STATE_ACTIVE' });
  });

  test('calls of the command line are counted like any others', async () => {
    const env = { TOLLGATE_ADMIN_KEY: adminKey };
    await runCli(['plans', 'list', '--address', addresses.admin], env);
    const { out } = await runCli(['metrics', '--address', addresses.admin], env);
    expect(out).toMatch(/tollgate\.admin\.v1\.PlanService\/ListPlans +OK +1 /);
  });

  test.each([
    [
      'a key that is none',
      () => 'tg_x_0123456789abcdef_0123456789012345678901234567',
      () => addresses.admin,
      'UNAUTHENTICATED',
      5,
    ],
    ['a key without the scope', () => demoKey, () => addresses.admin, 'PERMISSION_DENIED', 5],
    ['the wrong listener', () => adminKey, () => addresses.public, 'Is this the admin listener?', 1],
  ])('%s is refused, with what to do next', async (_, key, address, text, exitCode) => {
    const { code, out, err } = await runCli(['tenants', 'list', '--address', address()], { TOLLGATE_ADMIN_KEY: key() });
    expect([code, out]).toEqual([exitCode, '']);
    expect(err).toContain(text);
    expect(err).not.toContain(key());
    expect(err).not.toMatch(/^ {4}at /m);
  });

  test('a second gateway on the same store is told so', async () => {
    const { code, err } = await cli(['start', '--port', '0', '--data', 'data']).ended;
    expect(code).toBe(1);
    expect(err).toMatch(/^error: .*tollgate\.db is in use by another gateway: stop that one/m);
    expect(err).not.toMatch(/^ {4}at /m);
  });

  test('Ctrl-C ends it well; the next start has the same demo key, and shows no admin key', async () => {
    gateway.process.kill('SIGINT');
    const { code, err } = await gateway.ended;
    expect(code).toBe(0);
    expect(err).toContain('draining');
    const again = cli(['start', '--port', '0', '--data', 'data']);
    const [text, key] = await again.saw(/^.*export KEY=(\S+)\n.*Ctrl-C/s);
    expect(key).toBe(demoKey);
    expect(text).not.toContain('admin key:');
    expect(text).not.toContain(adminKey);
    again.process.kill('SIGTERM');
    expect((await again.ended).code).toBe(0);
  });
});

describe('serve', () => {
  beforeEach(makeFolder);
  afterEach(removeFolder);

  const write = (text: string): void => writeFileSync(join(folder, 'tollgate.yaml'), text);
  const config = (address: string): string => `
listeners:
  - { name: admin, address: ${address}, contracts: [tollgate] }
store:
  embedded: { path: ./data/tollgate.db }
`;

  test('takes ./tollgate.yaml, and the admin key from the environment, which it does not print', async () => {
    write(config('127.0.0.1:0'));
    const key = 'tg_admin_0123456789abcdef_01234567890123456789012345678901';
    const gateway = cli(['serve'], { TOLLGATE_ADMIN_KEY: key });
    const [, address = ''] = await gateway.saw(/^ready admin=(\S+)\n$/);
    const { code } = await runCli(['tenants', 'list', '--address', address], { TOLLGATE_ADMIN_KEY: key });
    expect(code).toBe(0);
    gateway.process.kill('SIGTERM');
    const { code: ended, out, err } = await gateway.ended;
    expect(ended).toBe(0);
    expect(out + err).not.toContain(key);
  });

  test.each([
    ['no file', undefined, 'there is no such file'],
    ['bad YAML', 'listeners: [', 'tollgate.yaml:1:'],
    ['an unknown word', 'listenrs: []', 'did you mean "listeners"'],
  ])('%s: one message and exit code 1', async (_, text, message) => {
    if (text !== undefined) write(text);
    const { code, out, err } = await runCli(['serve', '--config', 'tollgate.yaml'], {}, folder);
    expect([code, out]).toEqual([1, '']);
    expect(err).toMatch(/^error: the configuration cannot be used:\n/);
    expect(err).toContain(message);
    expect(err).not.toMatch(/^ {4}at /m);
  });

  test('a port in use: which, and what to do next', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const address = other.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    write(config(`127.0.0.1:${port}`));
    const { code, err } = await runCli(['serve'], {}, folder);
    expect(code).toBe(1);
    expect(err).toContain(`error: 127.0.0.1:${port} is in use by another program`);
    expect(err).toContain('change the address in ./tollgate.yaml');
    expect(err).not.toMatch(/^ {4}at /m);
    await new Promise((resolve) => other.close(resolve));
  });

  test('check agrees with serve', async () => {
    write(config('127.0.0.1:0'));
    const good = await runCli(['check'], {}, folder);
    expect(good.code).toBe(0);
    expect(good.out).toContain('listener admin: 127.0.0.1:0, shows tollgate');
    write('listenrs: []');
    const bad = await runCli(['check', 'tollgate.yaml'], {}, folder);
    expect(bad.code).toBe(1);
    expect(bad.err).toContain('did you mean "listeners"');
    expect(bad.err).not.toContain('error: \n');
  });
});

describe('help', () => {
  test.each([
    [['--help'], 'Examples:'],
    [['--version'], '.'],
    [['serve', '--help'], './tollgate.yaml'],
    [['tenants', '--help'], 'update'],
    [['keys', 'create', '--help'], '--expires'],
  ])('%j', async (args, text) => {
    const { code, out, err } = await runCli(args);
    expect([code, err]).toEqual([0, '']);
    expect(out).toContain(text);
  });
});

test('a reader that goes away does not end the gateway', async () => {
  makeFolder();
  const gateway = cli(['start', '--port', '0', '--data', 'data']);
  const [, key = '', address = ''] = await gateway.saw(/^admin key:\n(\S+)\nready public=\S+ admin=(\S+)\n.*Ctrl-C/s);
  gateway.process.stdout?.destroy();
  gateway.process.stderr?.destroy();
  // Refused calls are logged, into a pipe that nobody reads.
  const env = { TOLLGATE_ADMIN_KEY: 'tg_x_0123456789abcdef_0123456789012345678901234567' };
  for (let i = 0; i < 3; i++) expect((await runCli(['tenants', 'list', '--address', address], env)).code).toBe(5);
  const { code } = await runCli(['tenants', 'list', '--address', address], { TOLLGATE_ADMIN_KEY: key });
  expect(code).toBe(0);
  await removeFolder();
});
