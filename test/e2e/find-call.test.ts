import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Telemetry } from '../../generated/tollgate/config/v1/config.ts';
import { run } from '../../src/cli/program.ts';
import { createFakeIo } from '../cli/fake-io.ts';
import { AttemptsBackend } from '../support/attempts-backend.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import { GrpcClient } from '../support/grpc-client.ts';
import { refusalOf } from './refusal-of.ts';

// From what a client got, an operator finds the call and the reason: by `tollgate trace`, and by a grep of the log.

let backend: AttemptsBackend;
let gateway: GatewayProcess;
let client: GrpcClient;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tollgate-debug-'));
  backend = await new AttemptsBackend().start();
  gateway = await GatewayProcess.start({
    backend: backend.address,
    edit: (config) => {
      config.telemetry = Telemetry.fromPartial({ logLevel: 'info', accessLog: { metadata: ['x-order'] } });
    },
  });
  client = new GrpcClient(`127.0.0.1:${gateway.public}`, gateway.config.key('alpha'));
});
afterAll(async () => {
  client?.close();
  await gateway?.dispose();
  await backend?.stop();
  await rm(folder, { recursive: true, force: true });
});

async function tollgate(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const io = createFakeIo({ TOLLGATE_ADMIN_KEY: gateway.config.adminKey });
  const code = await run([...args, '--address', `127.0.0.1:${gateway.admin}`], io);
  return { code, out: io.out(), err: io.err() };
}

const linesOf = (requestId: string): Record<string, unknown>[] =>
  gateway.output
    .split('\n')
    .filter((line) => line.startsWith('{') && line.includes(requestId))
    .map((line) => JSON.parse(line));

test('a refusal is found by the request id in its details', async () => {
  const refusal = refusalOf(await client.call('Unary', { path: '/everything.v1.EverythingService/Nothing' }));
  const requestId = refusal.metadata.request_id ?? '';
  const { out } = await tollgate('trace', requestId);
  expect(out).toMatch(/^reason: +METHOD_UNKNOWN$/m);
  expect(out).toMatch(/^status: +UNIMPLEMENTED$/m);
  expect(out).toMatch(/^tenant: +alpha$/m);
  expect(linesOf(requestId)).toEqual([
    expect.objectContaining({ request_id: requestId, reason: 'METHOD_UNKNOWN', tenant: 'alpha', msg: 'call refused' }),
  ]);
});

test('a stranger is found, too', async () => {
  const stranger = new GrpcClient(`127.0.0.1:${gateway.public}`, 'tg_not_a_key');
  const requestId = refusalOf(await stranger.call('Unary')).metadata.request_id ?? '';
  stranger.close();
  expect((await tollgate('trace', requestId)).out).toMatch(/^reason: +CREDENTIAL_INVALID$/m);
  expect(linesOf(requestId)).toHaveLength(1);
});

test("a backend's failure is found with each attempt, where it went and what became of it", async () => {
  const drop = { kind: 'drop' } as const;
  backend.script = [{ kind: 'refuse' }, drop, drop, drop];
  const refusal = refusalOf(await client.call('Unary', { metadata: { 'x-order': '4711' } }));
  expect(refusal).toMatchObject({ code: status.UNAVAILABLE, reason: 'BACKEND_UNAVAILABLE' });
  const requestId = refusal.metadata.request_id ?? '';
  const { out } = await tollgate('trace', requestId);
  expect(out).toMatch(/^why: +connection_lost$/m);
  expect(out.match(new RegExp(`^\\d +${backend.address} +UNAVAILABLE`, 'gm'))).toHaveLength(backend.attempts.length);
  expect(out).toMatch(/^1 +\S+ +UNAVAILABLE, not processed/m);
  expect(linesOf(requestId)).toEqual([
    expect.objectContaining({ why: 'connection_lost', backend: 'everything', metadata: { 'x-order': '4711' } }),
  ]);
});

test('a call that went well is found as well, as JSON if wanted', async () => {
  backend.script = [];
  expect((await client.call('Unary')).code).toBe(status.OK);
  const requestId = String(backend.attempts.at(-1)?.headers['x-request-id']);
  const { out } = await tollgate('trace', requestId, '--output', 'json');
  expect(JSON.parse(out)).toMatchObject({ requestId, status: 'OK', tenantId: 'alpha', backend: 'everything' });
});

test('an id that nobody knows is said to be unknown, with what may be the matter', async () => {
  const { code, err } = await tollgate('trace', '0190b6b5-1c5e-7e3a-9f0a-0123456789ab');
  expect(code).not.toBe(0);
  expect(err).toContain('remembers no call');
});

test('tollgate debug writes what a bug report needs, and no secret', async () => {
  const { code, err } = await tollgate('debug', '--out', join(folder, 'report'), '--profile', '1s');
  expect([code, err]).toEqual([0, '']);
  expect((await readdir(join(folder, 'report'))).sort()).toEqual(['cpu.cpuprofile', 'metrics.json', 'state.json']);
  const texts = await Promise.all(
    ['cpu.cpuprofile', 'metrics.json', 'state.json'].map((name) => readFile(join(folder, 'report', name), 'utf8')),
  );
  expect(JSON.parse(texts[0] ?? '')).toMatchObject({ nodes: expect.any(Array), samples: expect.any(Array) });
  const state = JSON.parse(texts[2] ?? '');
  expect(state.listeners.map(({ name }: { name: string }) => name)).toEqual(['public', 'admin']);
  expect(state.backends[0]).toMatchObject({
    name: 'everything',
    breaker: 'closed',
    retriesUnseen: '1',
    endpoints: [{ address: backend.address, connections: expect.any(Number) }],
  });
  const { adminKey, env } = gateway.config;
  for (const secret of [adminKey, ...Object.values(env)]) {
    for (const text of [...texts, gateway.output]) expect(text).not.toContain(secret);
  }
});
