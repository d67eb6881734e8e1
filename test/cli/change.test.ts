import { createServer } from 'node:http2';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { AuditServiceService, ListAuditEntriesRequest } from '../../generated/tollgate/admin/v1/audit.ts';
import { ExitCode } from '../../src/cli/exit-codes.ts';
import { type ControlFixture, startFixture } from '../control/fixture.ts';
import { openTenants } from '../control/open-tenants.ts';
import { runCli } from './fake-io.ts';

// What all commands have in common that change something: reasons, checks, requests that are done once.

let opened: Awaited<ReturnType<typeof openTenants>>;
let fixture: ControlFixture;
let count = 0;
let id = '';

beforeAll(async () => {
  opened = await openTenants();
  fixture = await startFixture(opened);
  await admin('plans', 'create', 'free');
});
afterAll(async () => {
  await fixture.stop();
  await opened.close();
});
beforeEach(async () => {
  count++;
  id = `t${count}`;
  await admin('tenants', 'create', id, '--plan', 'free');
});

const admin = (...args: string[]) =>
  runCli([...args, '--address', fixture.ownerAddress], { TOLLGATE_ADMIN_KEY: 'tg_admin_x_y' });

const entriesOf = async (tenantId: string) =>
  (await fixture.call(AuditServiceService.listAuditEntries, ListAuditEntriesRequest.fromPartial({ tenantId }))).entries;

test('the reason stands in the audit log', async () => {
  await admin('tenants', 'update', id, '--state', 'suspended', '--reason', 'unpaid since May');
  expect((await entriesOf(id))[0]).toMatchObject({ reason: 'unpaid since May', resource: `tenants/${id}` });
});

test('--validate-only shows what would be, and changes nothing', async () => {
  const { code, out, err } = await admin('tenants', 'update', id, '--name', 'New', '--validate-only');
  expect([code, err]).toEqual([0, 'Checked only: nothing was changed.\n']);
  expect(out).toMatch(/name: +New/);
  expect(await admin('tenants', 'delete', id, '--validate-only')).toEqual({ code: 0, out: '', err });
  expect(await admin('keys', 'create', '--tenant', id, '--name', 'k', '--validate-only')).toEqual({
    code: 0,
    out: '',
    err,
  });
  expect((await admin('tenants', 'get', id)).out).toMatch(/name: +-/);
  expect((await admin('keys', 'list', '--tenant', id)).err).toContain('No keys yet');
  expect(await admin('tenants', 'update', id, '--plan', 'none', '--validate-only')).toMatchObject({ code: 1, out: '' });
});

test('a command that is repeated under its request id is done once; a key is not shown twice', async () => {
  const create = ['keys', 'create', '--tenant', id, '--name', 'ci', '--request-id', `r-${id}`];
  const first = await admin(...create);
  expect(first.out).toMatch(/^tg_ci_/);
  const again = await admin(...create);
  expect([again.code, again.out]).toEqual([ExitCode.FAILED, '']);
  expect(again.err).toMatch(/was created by an earlier request.*\n.*tollgate keys delete \w+\) and create another/);
  expect(JSON.parse((await admin('keys', 'list', '--tenant', id, '--output', 'json')).out)).toHaveLength(1);
  const other = await admin('keys', 'create', '--tenant', id, '--name', 'cd', '--request-id', `r-${id}`);
  expect(other.err).toContain('request_id: is that of another request');
});

test('without an answer the user is told how to repeat it safely; who only looks need not be', async () => {
  // Takes the call, and is gone.
  const server = createServer();
  server.on('stream', (stream) => stream.session?.destroy());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const bound = server.address();
  const address = `127.0.0.1:${typeof bound === 'object' ? bound?.port : ''}`;
  const gone = (...args: string[]) => runCli([...args, '--address', address], { TOLLGATE_ADMIN_KEY: 'k' });
  const { code, err } = await gone('tenants', 'delete', id);
  expect(code).toBe(ExitCode.UNAVAILABLE);
  expect(err).toMatch(/Whether it was done is not known\. Repeated with --request-id [0-9a-f-]{36} it is done once/);
  for (const args of [
    ['tenants', 'get', id],
    ['tenants', 'delete', id, '--validate-only'],
  ]) {
    const looked = await gone(...args);
    expect(looked.code).toBe(ExitCode.UNAVAILABLE);
    expect(looked.err).not.toContain('--request-id');
  }
  await new Promise((resolve) => server.close(resolve));
  // Nobody can have taken this one.
  const unsent = await gone('tenants', 'delete', id);
  expect(unsent.code).toBe(ExitCode.UNAVAILABLE);
  expect(unsent.err).not.toContain('--request-id');
});

test('what has no answer to print is {} for programs', async () => {
  expect(await admin('tenants', 'delete', id, '--output', 'json')).toMatchObject({ code: 0, out: '{}\n' });
});
