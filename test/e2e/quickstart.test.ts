import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

// What a newcomer does first: `npm start`, the commands it prints, `npm run example`. On free ports, in a folder of its own.

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const run = promisify(execFile);

let data: string;
let gateway: ChildProcess;
let output = '';
let address = '';
let admin = '';

beforeAll(async () => {
  data = await mkdtemp(join(tmpdir(), 'tollgate-quickstart-'));
  const { TOLLGATE_ADMIN_KEY: _a, TOLLGATE_DEMO_KEY: _b, TOLLGATE_DEMO_SMALL_KEY: _c, ...env } = process.env;
  gateway = spawn(process.execPath, ['src/cli/main.ts', 'start', '--port', '0', '--data', data], {
    cwd: ROOT,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  gateway.stderr?.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  await new Promise<void>((resolve, reject) => {
    createInterface(gateway.stdout!).on('line', (line) => {
      output += `${line}\n`;
      // The last line of what it prints.
      if (line.includes('Ctrl-C')) resolve();
    });
    gateway.once('exit', (code) => reject(new Error(`npm start ended with ${code}: ${output}`)));
  });
  address = /public=(\S+)/.exec(output)?.[1] ?? '';
  admin = /admin=(\S+)/.exec(output)?.[1] ?? '';
});

afterAll(async () => {
  gateway?.kill('SIGKILL');
  await rm(data, { recursive: true, force: true });
});

const key = (): string => readFileSync(join(data, 'demo.key'), 'utf8').trim();

describe('npm start', () => {
  test('shows an admin key alone on its line, the addresses, and the demo key', () => {
    expect(output).toMatch(/^admin key:\ntg_[a-z0-9-]+_\w+_\w+$/m);
    expect(output).toMatch(/^ready /m);
    expect(output).toContain(key());
    expect(output).toContain('first call: GetBook as tenant demo: Pride and Prejudice, Jane Austen, 1813');
    expect(existsSync(join(data, 'tollgate.db'))).toBe(true);
    // What the start changed in the store is in the audit log, and no welcome.
    expect(output).not.toContain('"audit"');
  });

  test('prints a `buf curl` command that works as it stands, ten times in a row', async () => {
    const command = /npx (buf curl [\s\S]*?\/GetBook)/.exec(output)?.[1] ?? '';
    expect(command).not.toBe('');
    for (let i = 0; i < 10; i++) {
      const { stdout } = await run('bash', ['-c', `"${ROOT}/node_modules/.bin/"${command}`], {
        env: { ...process.env, KEY: key() },
      });
      expect(JSON.parse(stdout)).toMatchObject({ book: { title: 'Pride and Prejudice', year: 1813 } });
    }
  });

  test('prints commands for the admin services that work as they stand', async () => {
    const adminKey = /^admin key:\n(\S+)$/m.exec(output)?.[1];
    const env = { ...process.env, TOLLGATE_ADMIN_KEY: adminKey };
    const { stdout } = await run(process.execPath, ['src/cli/main.ts', 'tenants', 'list', '--address', admin], {
      cwd: ROOT,
      env,
    });
    expect(stdout).toContain('demo');
    expect(stdout).toContain('demo-small');
  });
});

test("the README's tour for admins works as it stands", async () => {
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const [, block = ''] = /Then as an admin[^\n]*\n\n```sh\n([\s\S]*?)```/.exec(readme) ?? [];
  const lines = block.split('\n').filter((line) => line.startsWith('npx node src/cli/main.ts '));
  expect(lines.length).toBeGreaterThan(6);
  const folder = await mkdtemp(join(tmpdir(), 'tollgate-tour-'));
  const key = /^admin key:\n(\S+)$/m.exec(output)?.[1];
  const env = { ...process.env, TOLLGATE_ADMIN_KEY: key, TOLLGATE_ADMIN_ADDRESS: admin, XDG_CONFIG_HOME: folder };
  // As `npx` and the folder would have it, without asking the registry, and without a file in the repository.
  const npx = `set -e; npx() { shift; "${process.execPath}" "$@"; }; main="${ROOT}/src/cli/main.ts"\n`;
  const script = npx + lines.join('\n').replaceAll('src/cli/main.ts', '"$main"');
  const { stdout } = await run('bash', ['-c', script], { cwd: folder, env });
  expect(stdout).toMatch(/^tg_laptop_/m);
  expect(stdout).toMatch(/^state: +suspended$/m);
  expect(stdout).toContain('Nothing to do.');
  await rm(folder, { recursive: true });
});

describe("a newcomer's mistakes are told with what to do next", () => {
  const curl = (...args: string[]) =>
    run(join(ROOT, 'node_modules/.bin/buf'), ['curl', '--protocol', 'grpc', '--http2-prior-knowledge', ...args], {
      cwd: ROOT,
    }).then(
      () => 'no error',
      (error: unknown) => (error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error)),
    );
  const method = (name: string): string => `http://${address}/bookstore.v1.BookstoreService/${name}`;
  // Calls without reflection, so that it is the method that refuses.
  const schema = ['--schema', 'examples/bookstore/proto', '--schema', 'proto'];

  test('no key', async () => {
    const text = await curl(...schema, '-d', '{"isbn": "1"}', method('GetBook'));
    expect(text).toMatch(/unauthenticated/i);
    expect(text).toContain('authorization: Bearer');
  });

  test('no key, where reflection is asked first: buf keeps the reason to itself unless it is asked with -v', async () => {
    expect(await curl('-v', '-d', '{"isbn": "1"}', method('GetBook'))).toContain('authorization: Bearer');
  });

  const withKey = (): string[] => ['-H', `authorization: Bearer ${key()}`];

  test('a service that is not for this listener', async () => {
    const path = `http://${address}/tollgate.admin.v1.TenantService/ListTenants`;
    const text = await curl('--schema', 'proto', ...withKey(), '-d', '{}', path);
    expect(text).toMatch(/unimplemented/);
    expect(text).toContain('Check the service and method name');
  });

  test('a service that reflection does not know, and JSON that does not fit', async () => {
    const reflected = ['--reflect-header', '*', ...withKey()];
    expect(await curl(...reflected, '-d', '{}', `http://${address}/bookstore.v1.Shop/GetBook`)).toContain(
      'failed to find service named "bookstore.v1.Shop"',
    );
    expect(await curl(...reflected, '-d', '{"isbnn": "1"}', method('GetBook'))).toContain('unknown field "isbnn"');
  });

  test('a protocol that is not gRPC', async () => {
    const text = await curl('--protocol', 'connect', ...schema, ...withKey(), '-d', '{"isbn": "1"}', method('GetBook'));
    expect(text).toContain('415');
  });

  test('a book that is not there', async () => {
    const text = await curl(
      ...schema,
      '-H',
      `authorization: Bearer ${key()}`,
      '-d',
      '{"isbn": "1"}',
      method('GetBook'),
    );
    expect(text).toMatch(/not_found/);
  });
});

describe('npm run example', () => {
  const example = () =>
    run(process.execPath, ['examples/bookstore/client.ts'], {
      cwd: ROOT,
      env: { ...process.env, TOLLGATE_ADDRESS: address, TOLLGATE_DATA: data },
    });

  test('makes calls of all four kinds, and then meets the rate limit and the quota with their details', async () => {
    const { stdout, stderr } = await example();
    expect(stderr).toBe('');
    expect(stdout).toContain('Pride and Prejudice, Jane Austen, 1813');
    expect(stdout).toContain('The War of the Worlds, H. G. Wells, 1898');
    expect(stdout).toContain('added 2');
    expect(stdout).toContain('Emma: also by Jane Austen');
    expect(stdout).toContain('NOT_FOUND');
    expect(stdout).toMatch(/RATE_LIMITED[\s\S]*QuotaFailure[\s\S]*RetryInfo/);
    expect(stdout).toMatch(/20 admitted[\s\S]*QUOTA_EXHAUSTED[\s\S]*do not retry/);
  });

  test('can be run again at once, though limit and quota are used up', async () => {
    const { stdout } = await example();
    expect(stdout).toContain('Emma: also by Jane Austen');
    expect(stdout).toMatch(/0 admitted \(an earlier run[\s\S]*QUOTA_EXHAUSTED/);
  });

  test('says what to do when there is no key', async () => {
    const env = { ...process.env, TOLLGATE_DATA: '/nowhere' };
    const failure = await run(process.execPath, ['examples/bookstore/client.ts'], { cwd: ROOT, env }).catch(
      (error: unknown) => error,
    );
    expect(String((failure as { stderr: string }).stderr)).toContain('npm start');
  });

  test('says what to do when the gateway does not run', async () => {
    const env = { ...process.env, TOLLGATE_ADDRESS: '127.0.0.1:1', TOLLGATE_DATA: data };
    const failure = await run(process.execPath, ['examples/bookstore/client.ts'], { cwd: ROOT, env }).catch(
      (error: unknown) => error,
    );
    expect(String((failure as { stderr: string }).stderr)).toContain('Is the gateway running');
  });
});

test('Ctrl-C ends it cleanly', async () => {
  const exit = once(gateway, 'exit');
  gateway.kill('SIGINT');
  expect(await exit).toEqual([0, null]);
});
