import { spawn, spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ApiKey, ApiKeyServiceService } from '../../generated/tollgate/admin/v1/api_key.ts';
import { AdminClient } from '../support/admin-client.ts';
import { EverythingBackend } from '../support/everything-backend.ts';
import { GrpcClient } from '../support/grpc-client.ts';
import { H2Client } from '../support/h2-client.ts';
import { PrometheusText } from '../support/prometheus-text.ts';
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts';
import { connectTcp, exchangeText } from '../support/tls-peer.ts';

const OPENMETRICS = 'application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5';
const PROMETHEUS = spawnSync('prometheus', ['--version']).status === 0;

let backend: EverythingBackend;
let gateway: TestGateway;
let client: GrpcClient;

beforeAll(async () => {
  backend = await new EverythingBackend().start();
  gateway = await startTestGateway({
    backend: backend.address,
    edit: (config) => {
      // Not on a loopback address: others may reach it.
      config.listeners.push({ ...config.listeners[1]!, name: 'open', address: '0.0.0.0:0' });
    },
  });
  client = new GrpcClient(`127.0.0.1:${gateway.public}`, gateway.key('alpha'));
  for (let i = 0; i < 5; i++) await client.call('Unary');
});
afterAll(async () => {
  client.close();
  await gateway.stop();
  await backend.stop();
});

const url = (listener: string) => `http://127.0.0.1:${gateway.port(listener)}/metrics`;
const bearer = (key: string) => ({ authorization: `Bearer ${key}` });

async function newKey(scopes: string[]): Promise<string> {
  const admin = new AdminClient(gateway.admin, gateway.adminKey);
  const request = { tenantId: 'beta', apiKey: ApiKey.fromPartial({ name: 'scrape', scopes }) };
  const { key } = await admin.call(ApiKeyServiceService.createApiKey, request);
  admin.close();
  return key;
}

describe('GET /metrics', () => {
  test('on the admin listener, over HTTP/1.1 and HTTP/2, says what was counted', async () => {
    const first = await fetch(url('admin'));
    expect([first.status, first.headers.get('content-type')]).toEqual([
      200,
      'text/plain; version=0.0.4; charset=utf-8',
    ]);
    expect(new PrometheusText(await first.text()).samples('tollgate_calls_total')).toContainEqual({
      value: '5',
      labels: { tenant: 'alpha', method: 'everything.v1.EverythingService/Unary', status: 'OK' },
    });
    const h2 = await H2Client.connect(`http://127.0.0.1:${gateway.admin}`);
    const { status, headers, body } = await h2.request({ ':method': 'GET', ':path': '/metrics', accept: OPENMETRICS });
    expect([status, headers['content-type']]).toEqual([
      200,
      'application/openmetrics-text; version=1.0.0; charset=utf-8',
    ]);
    expect(body.toString()).toMatch(/tollgate_calls_total\{tenant="alpha"[^\n]* 5\n/);
    expect(body.toString().endsWith('# EOF\n')).toBe(true);
    h2.close();
  });

  test('in HTTP/1.0 ends with the connection, and HEAD has no body', async () => {
    const ask = async (text: string) => exchangeText(await connectTcp(gateway.admin), Buffer.from(text));
    const old = await ask('GET /metrics HTTP/1.0\r\n\r\n');
    expect(old).not.toContain('chunked');
    expect(new PrometheusText(old.slice(old.indexOf('\r\n\r\n') + 4)).names.length).toBeGreaterThan(10);
    const head = await ask('HEAD /metrics HTTP/1.1\r\n\r\n');
    expect(head).toMatch(/^HTTP\/1\.1 200 /);
    expect(head.endsWith('\r\n\r\n')).toBe(true);
  });

  test('is not there for the public', async () => {
    expect((await fetch(url('public'))).status).toBe(505);
  });

  test('where others may reach it takes the key of an administrator, or of one who may read metrics', async () => {
    const without = await fetch(url('open'));
    expect([without.status, without.headers.get('www-authenticate')]).toEqual([401, 'Bearer']);
    const status = async (key: string) => (await fetch(url('open'), { headers: bearer(key) })).status;
    expect(await status('tg_no_such_key')).toBe(401);
    expect(await status(gateway.key('alpha'))).toBe(403);
    expect(await status(gateway.adminKey)).toBe(200);
    expect(await status(await newKey(['tollgate.metrics']))).toBe(200);
    expect(await status(await newKey(['tollgate.viewer']))).toBe(200);
    const h2 = await H2Client.connect(`http://127.0.0.1:${gateway.port('open')}`);
    const page = { ':method': 'GET', ':path': '/metrics' };
    expect((await h2.request(page)).status).toBe(401);
    expect((await h2.request({ ...page, ...bearer(gateway.adminKey) })).status).toBe(200);
    h2.close();
  });
});

test.each([
  ['requires a key on loopback, too, when it is told so', { requireKey: true }, 401],
  ['needs none anywhere when it is told so', { requireKey: false }, 200],
  ['is not there when it is disabled', { disabled: true }, 505],
])('the page %s', async (_, prometheus, status) => {
  const other = await startTestGateway({
    backend: backend.address,
    edit: (config) => {
      config.telemetry = {
        ...config.telemetry!,
        metrics: { maxSeries: 0, memoryMib: 0, disabled: false, prometheus: { disabled: false, ...prometheus } },
      };
    },
  });
  expect((await fetch(`http://127.0.0.1:${other.admin}/metrics`)).status).toBe(status);
  await other.stop();
});

describe.skipIf(!PROMETHEUS)('a real Prometheus', () => {
  test('reads the text in its own format', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tollgate-prometheus-'));
    const config = {
      global: { scrape_interval: '1s' },
      scrape_configs: [{ job_name: 'tollgate', static_configs: [{ targets: [`127.0.0.1:${gateway.admin}`] }] }],
    };
    await writeFile(join(folder, 'prometheus.yml'), JSON.stringify(config));
    const port = await freePort();
    const server = spawn(
      'prometheus',
      [
        `--config.file=${join(folder, 'prometheus.yml')}`,
        `--storage.tsdb.path=${join(folder, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      { stdio: 'ignore' },
    );
    try {
      const calls = () => ask(port, 'tollgate_calls_total{tenant="alpha"}');
      let answer = await calls();
      while (answer === undefined) answer = await calls();
      expect(answer).toBe('5');
      expect(await ask(port, 'up{job="tollgate"}')).toBe('1');
      expect(await ask(port, 'tollgate_call_duration_seconds_bucket{le="+Inf"}')).toBe('5');
    } finally {
      const gone = new Promise((resolve) => server.once('exit', resolve));
      server.kill('SIGKILL');
      await gone;
      await rm(folder, { recursive: true, force: true });
    }
  });
});

/** The value of a query; undefined while there is none, or nobody answers. */
async function ask(port: number, query: string): Promise<string | undefined> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(query)}`);
    const { data } = (await response.json()) as { data?: { result?: { value: [number, string] }[] } };
    return data?.result?.[0]?.value[1];
  } catch {
    return undefined;
  }
}

async function freePort(): Promise<number> {
  const { createServer } = await import('node:net');
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}
