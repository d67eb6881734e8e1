import { afterAll, beforeAll, expect, test } from 'vitest';
import { ExitCode } from '../../src/cli/exit-codes.ts';
import { run } from '../../src/cli/program.ts';
import { type ControlFixture, startFixture } from '../control/fixture.ts';
import { openTenants } from '../control/open-tenants.ts';
import { createFakeIo, runCli } from './fake-io.ts';

let opened: Awaited<ReturnType<typeof openTenants>>;
let fixture: ControlFixture;

beforeAll(async () => {
  opened = await openTenants();
  fixture = await startFixture(opened);
  await admin('plans', 'create', 'free');
  await admin('tenants', 'create', 'acme', '--plan', 'free', '--reason', 'signed the contract');
  await admin('tenants', 'create', 'other', '--plan', 'free');
  await admin('tenants', 'update', 'acme', '--plan', 'none', '--reason', 'a mistake');
});
afterAll(async () => {
  await fixture.stop();
  await opened.close();
});

const where = () => ['--address', fixture.ownerAddress, '--key', 'k'];
const admin = (...args: string[]) => runCli([...args, ...where()]);

test('the last change comes first, with who, what, and why, or why not', async () => {
  const { code, out } = await admin('audit', '--tenant', 'acme');
  expect(code).toBe(0);
  const [head, last, first, end] = out.split('\n');
  expect(head).toMatch(/^TIME +WHO +DID +TO +STATUS +WHY$/);
  expect(last).toMatch(/\(owner\) +UpdateTenant +tenants\/acme +FAILED_PRECONDITION +a mistake$/);
  expect(first).toMatch(/\(owner\) +CreateTenant +tenants\/acme +OK +signed the contract$/);
  expect(end).toBe('');
});

test('filters; for programs with what was before and after', async () => {
  const { out } = await admin(
    'audit',
    '--method',
    'CreateTenant',
    '--status',
    'OK',
    '--since',
    '1h',
    '--output',
    'json',
  );
  expect(JSON.parse(out)).toMatchObject([
    { resource: 'tenants/other' },
    { resource: 'tenants/acme', changes: [{ resource: 'tenants/acme', after: { plan: 'free' } }] },
  ]);
  expect(await admin('audit', '--until', '1h')).toMatchObject({
    out: '',
    err: 'Nothing of this is in the audit log.\n',
  });
  expect((await admin('audit', '--limit', '1')).err).toContain('There are more');
  expect(await admin('audit', '--since', 'yesterday')).toMatchObject({ code: ExitCode.USAGE });
});

test('--follow shows each change as it is made, until Ctrl-C', async () => {
  const io = createFakeIo();
  const saw = (stream: 'stdout' | 'stderr', text: string) =>
    new Promise<void>((resolve) => {
      const { write } = io[stream];
      io[stream].write = (chunk) => {
        write(chunk);
        if (chunk.includes(text)) resolve();
      };
    });
  const following = saw('stderr', 'Following from version');
  const told = saw('stdout', 'tenants/followed');
  const ended = run(['audit', '--follow', ...where()], io);
  await following;
  await admin('tenants', 'create', 'followed', '--plan', 'free', '--reason', 'to see it');
  await told;
  io.signal();
  expect(await ended).toBe(ExitCode.OK);
  expect(io.out()).toMatch(/^\S+Z {2}version \d+ {2}\S+ {2}CreateTenant {2}tenants\/followed: to see it\n$/);
});

test('--follow has no filters, and says so', async () => {
  const { code, err } = await admin('audit', '--follow', '--tenant', 'acme');
  expect(code).toBe(ExitCode.USAGE);
  expect(err).toContain('--tenant does not go with --follow');
});
