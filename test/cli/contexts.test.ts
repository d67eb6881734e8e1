import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ServerTls, ServerTls_ClientAuth } from '../../generated/tollgate/config/v1/config.ts';
import { ExitCode } from '../../src/cli/exit-codes.ts';
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts';
import { AUTHORITY, PAIRS } from '../support/tls-files.ts';
import { runCli } from './fake-io.ts';

// Two real gateways, with keys of their own: which of them is asked, and with which key.

let plain: TestGateway;
let secure: TestGateway;
let folder: string;

beforeAll(async () => {
  plain = await startTestGateway({ backend: '127.0.0.1:1' });
  secure = await startTestGateway({
    backend: '127.0.0.1:1',
    edit: (config) => {
      const clientAuth = ServerTls_ClientAuth.CLIENT_AUTH_REQUIRED;
      const { cert, key } = PAIRS.gateway;
      const admin = config.listeners.find(({ name }) => name === 'admin')!;
      admin.tls = ServerTls.fromPartial({ cert, key, clientCa: AUTHORITY, clientAuth });
      config.plans.push({ ...config.plans[0]!, name: 'only-here' });
    },
  });
});
afterAll(async () => {
  await plain.stop();
  await secure.stop();
});

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tg-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const path = () => join(folder, 'tollgate', 'contexts.yaml');
const cli = (args: readonly string[], env: Record<string, string> = {}) =>
  runCli(args, { XDG_CONFIG_HOME: folder, ...env }, folder);

async function setBoth(): Promise<Record<string, string>> {
  const { cert, key } = PAIRS.client;
  writeFileSync(join(folder, 'secure.key'), `${secure.adminKey}\n`);
  await cli(['contexts', 'set', 'plain', '--address', `127.0.0.1:${plain.admin}`, '--key-from-env', 'PLAIN_KEY']);
  await cli([
    ...['contexts', 'set', 'secure', '--address', `127.0.0.1:${secure.admin}`, '--key-file', 'secure.key'],
    ...['--ca', AUTHORITY, '--cert', cert, '--cert-key', key, '--server-name', 'localhost'],
  ]);
  return { PLAIN_KEY: plain.adminKey };
}

const isSecure = ({ out }: { out: string }) => out.includes('only-here');

describe('with two contexts', () => {
  test('the first is in use until another is; --context and TOLLGATE_CONTEXT name one for a command', async () => {
    const env = await setBoth();
    const asked = async (args: readonly string[], more: Record<string, string> = {}) => {
      const ran = await cli(['plans', 'list', ...args], { ...env, ...more });
      expect(ran).toMatchObject({ code: 0, err: '' });
      return isSecure(ran) ? 'secure' : 'plain';
    };
    expect(await asked([])).toBe('plain');
    expect(await asked(['--context', 'secure'])).toBe('secure');
    expect(await asked([], { TOLLGATE_CONTEXT: 'secure' })).toBe('secure');
    expect(await asked(['--context', 'plain'], { TOLLGATE_CONTEXT: 'secure' })).toBe('plain');
    expect(await cli(['contexts', 'use', 'secure'])).toEqual({ code: 0, out: '', err: 'Using context secure.\n' });
    expect(await asked([])).toBe('secure');
    // An address of its own: no context applies, and so no key of one.
    const address = ['--address', `127.0.0.1:${plain.admin}`];
    expect(await cli(['plans', 'list', ...address])).toMatchObject({ code: ExitCode.DENIED });
    expect(await asked(address, { TOLLGATE_ADMIN_KEY: plain.adminKey })).toBe('plain');
  });

  test('a key in the environment is not sent to a gateway whose context has another', async () => {
    await setBoth();
    const { code, err } = await cli(['plans', 'list', '--context', 'plain'], { TOLLGATE_ADMIN_KEY: plain.adminKey });
    expect([code, err]).toEqual([5, 'error: the environment has no variable PLAIN_KEY: export PLAIN_KEY=tg_...\n']);
  });

  test('they are listed with where the keys are, never with keys', async () => {
    const env = await setBoth();
    const { out } = await cli(['contexts', 'list'], env);
    expect(out).toMatch(
      /^NAME +ADDRESS +KEY +TLS\n\* plain +127\.0\.0\.1:\d+ +\$PLAIN_KEY +no\n {2}secure .*mutual\n$/,
    );
    const list: unknown = JSON.parse((await cli(['contexts', 'list', '--output', 'json'], env)).out);
    expect(list).toMatchObject([
      { name: 'plain', keyFromEnv: 'PLAIN_KEY', inUse: true },
      { name: 'secure', keyFile: join(folder, 'secure.key'), inUse: false },
    ]);
    expect(out + JSON.stringify(list) + readFileSync(path(), 'utf8')).not.toMatch(/tg_admin/);
  });

  test('the file is for its owner alone, whatever its mode was before, and nothing is left beside it', async () => {
    mkdirSync(join(folder, 'tollgate'));
    writeFileSync(`${path()}.new`, 'left by a crash', { mode: 0o666 });
    await setBoth();
    expect(statSync(path()).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(folder, 'tollgate'))).toEqual(['contexts.yaml']);
  });

  test('deleting the one in use leaves none in use', async () => {
    await setBoth();
    const { err } = await cli(['contexts', 'delete', 'plain']);
    expect(err).toBe('Deleted context plain. None is in use now.\n');
    expect(await cli(['contexts', 'delete', 'plain'])).toMatchObject({ code: ExitCode.NOT_FOUND });
    expect(readFileSync(path(), 'utf8')).not.toContain('plain');
    expect((await cli(['plans', 'list'])).err).toContain('no admin key');
  });

  test('without the client certificate, or the authority: refused with what to look at', async () => {
    await setBoth();
    const env = { TOLLGATE_ADMIN_KEY: secure.adminKey };
    const address = ['plans', 'list', '--address', `localhost:${secure.admin}`];
    const unknown = await cli([...address, '--tls'], env);
    expect(unknown.code).toBe(ExitCode.UNAVAILABLE);
    expect(unknown.err).toContain('--ca names the authorities to trust');
    expect(await cli(address, env)).toMatchObject({ code: ExitCode.UNAVAILABLE });
    expect(await cli([...address, '--ca', AUTHORITY], env)).toMatchObject({ code: ExitCode.UNAVAILABLE });
    const { cert, key } = PAIRS.client;
    const whole = await cli([...address, '--ca', AUTHORITY, '--cert', cert, '--cert-key', key], env);
    expect(isSecure(whole)).toBe(true);
    expect(await cli([...address, '--cert', cert], env)).toMatchObject({ code: ExitCode.USAGE });
    expect((await cli([...address, '--ca', join(folder, 'secure.key')], env)).err).toContain('is not a PEM file');
  });
});

describe('what goes wrong', () => {
  const key = 'tg_admin_0123456789abcdef_0123456789012345678901234567';

  test.each([
    ['as the key', ['--key', key]],
    ['as the name of a variable', ['--key-from-env', key]],
  ])('a key given %s is neither written nor repeated', async (_, args) => {
    const { code, err, out } = await cli(['contexts', 'set', 'x', '--address', 'a:1', ...args]);
    expect([code, out]).toEqual([ExitCode.USAGE, '']);
    expect(err).toContain('--key-from-env');
    expect(err).not.toContain(key);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('a variable that is not there is told when the context is set, and when it is used', async () => {
    const { code, err } = await cli(['contexts', 'set', 'x', '--address', '127.0.0.1:1', '--key-from-env', 'NONE']);
    expect(code).toBe(0);
    expect(err).toContain('Not usable yet: the environment has no variable NONE');
    expect((await cli(['plans', 'list'])).err).toContain('export NONE=tg_...');
  });

  test('a context that nobody set, and a command that an environment variable overrules', async () => {
    const { code, err } = await cli(['plans', 'list', '--context', 'prod']);
    expect(code).toBe(ExitCode.USAGE);
    expect(err).toContain('tollgate contexts set prod --address');
    await cli(['contexts', 'set', 'prod', '--address', 'a:1']);
    const { err: told } = await cli(['contexts', 'use', 'prod'], { TOLLGATE_CONTEXT: 'other' });
    expect(told).toContain('TOLLGATE_CONTEXT is set, to other: that wins');
  });

  test.each([
    ['contexts: [{ name: a, address: "x:1", key: tg_secret_one }]', 'a context never holds a key'],
    ['contexts: [{ name: a, address: "x:1", kee: tg_secret_one }]', 'a context has name, address'],
    ['contexts: [{ name: a }]', 'needs a "name" and an "address"'],
    ['contexts: {}', '"contexts" is a list'],
    ['[', 'it is not YAML'],
    ['- a', 'a mapping'],
  ])('a file that somebody spoilt: %s', async (text, message) => {
    mkdirSync(join(folder, 'tollgate'));
    writeFileSync(path(), text);
    const { code, err } = await cli(['plans', 'list']);
    expect(code).toBe(ExitCode.FAILED);
    expect(err).toContain(path());
    expect(err).toContain(message);
    expect(err).not.toContain('tg_secret');
  });
});
