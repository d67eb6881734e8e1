import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startBackend } from '../../bench/backend-process.ts';
import { Children } from '../../bench/children.ts';
import { grpcMessage } from '../../bench/fixtures.ts';
import { outputOf } from '../../bench/h2load.ts';
import type { LoadJob, LoadReport } from '../../bench/load.ts';
import { probe } from '../../bench/probe.ts';

let folder: string;
let children: Children;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tollgate-load-'));
  children = new Children(folder);
});
afterAll(async () => {
  await children.endAll();
  rmSync(folder, { recursive: true });
});

async function drive(port: number, size: number): Promise<LoadReport> {
  const job: LoadJob = {
    port,
    connections: 3,
    streams: 5,
    requests: 600,
    keys: Array.from({ length: 90 }, (_, index) => `key-${index}-${'x'.repeat(60)}`),
    paths: ['/a.B/C', '/a.B/D', '/a.B/E'],
    message: grpcMessage(size).toString('base64'),
  };
  const program = join(import.meta.dirname, '..', '..', 'bench', 'load.ts');
  return JSON.parse(await outputOf(children, process.execPath, [program, JSON.stringify(job)])) as LoadReport;
}

test('the backend echoes every message with trailers, and counts', async () => {
  const backend = await startBackend(children);
  await probe(backend.port, '/a.B/C', 'any', false);
  const report = await drive(backend.port, 16_000);
  expect(report).toMatchObject({ ok: 600, failed: 0 });
  expect(await backend.answered()).toBe(601);
});

test('an independent server reads the headers that the load driver means, also when its table evicts', async () => {
  const seen: IncomingHttpHeaders[] = [];
  const server = createServer();
  server.on('stream', (stream, headers) => {
    seen.push(headers);
    stream.respond({ ':status': 200 }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.pipe(stream);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const address = server.address();
    const report = await drive(address !== null && typeof address === 'object' ? address.port : 0, 71);
    expect(report).toMatchObject({ ok: 600, failed: 0 });
    expect(new Set(seen.map((headers) => headers.authorization)).size).toBe(90);
    expect(new Set(seen.map((headers) => headers[':path']))).toEqual(new Set(['/a.B/C', '/a.B/D', '/a.B/E']));
    for (const headers of seen) {
      expect(headers).toMatchObject({ 'content-type': 'application/grpc', te: 'trailers' });
      expect(headers.authorization).toMatch(/^Bearer key-\d+-x{60}$/);
      expect(headers['grpc-timeout']).toMatch(/^\d{8}u$/);
    }
  } finally {
    server.close();
  }
});
