import { readFileSync } from 'node:fs';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import tls from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { startEcho } from '../../bench/micro/echo-backend.ts';
import { startProxy } from '../../bench/micro/pass-through.ts';
import { Client, NameTable, ResetCause } from '../../src/http2/index.ts';
import { nodeCall, Recorder, request } from './support.ts';

const names = new NameTable();
// Self-signed for localhost and 127.0.0.1, good for a hundred years; for tests alone.
const cert = readFileSync(new URL('./fixtures/localhost.cert.pem', import.meta.url));
const key = readFileSync(new URL('./fixtures/localhost.key.pem', import.meta.url));
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function echo() {
  const listener = await startEcho(names, 0, { tls: { cert, key } });
  closers.push(() => listener.close(0));
  return listener;
}

describe('over TLS', () => {
  it('a listener answers node:http2, and passes 5 MB both ways', async () => {
    const listener = await echo();
    const connected = http2.connect(`https://localhost:${listener.address.port}`, { ca: cert });
    closers.push(() => connected.destroy());
    const parts = Array.from({ length: 50 }, (_, index) => Buffer.alloc(100_000, index));
    const reply = await nodeCall(connected, { ':path': '/a' }, parts);
    expect(reply.body.equals(Buffer.concat(parts))).toBe(true);
    expect(reply.trailers['grpc-status']).toBe('0');
  });

  it('a listener refuses a client that does not negotiate h2', async () => {
    const listener = await echo();
    const socket = tls.connect({ port: listener.address.port, host: '127.0.0.1', ca: cert, servername: 'localhost' });
    socket.on('error', () => {});
    await new Promise((resolve) => socket.once('close', resolve));
    expect(listener.connections).toBe(0);
  });

  it('a client and a listener in a proxy pass calls', async () => {
    const listener = await echo();
    const passing = await startProxy({
      names,
      target: { host: '127.0.0.1', port: listener.address.port },
      client: { tls: { ca: cert, servername: 'localhost' } },
      listener: { tls: { cert, key } },
    });
    closers.push(() => passing.close());
    const connected = http2.connect(`https://localhost:${passing.port}`, { ca: cert });
    closers.push(() => connected.destroy());
    const replies = await Promise.all(
      Array.from({ length: 20 }, (_, index) => nodeCall(connected, { ':path': '/a' }, [Buffer.alloc(50_000, index)])),
    );
    replies.forEach((reply, index) => {
      expect(reply.body.equals(Buffer.alloc(50_000, index))).toBe(true);
    });
  });

  it('a client calls node:http2 and says that it is TLS', async () => {
    const server = http2.createSecureServer({ cert, key });
    server.on('stream', (stream) => {
      stream.respond({ ':status': 200 });
      stream.pipe(stream);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closers.push(() => server.close());
    const { port } = server.address() as AddressInfo;
    const made = new Client({
      names,
      target: { host: '127.0.0.1', port },
      tls: { ca: cert, servername: 'localhost' },
    });
    closers.push(() => made.close());
    const recorder = new Recorder();
    const stream = made.request(recorder, request('/a'), undefined, false);
    stream.sendData(Buffer.from('hello'), 0, 5, true);
    await recorder.until(() => recorder.headers !== undefined);
    expect(stream.connection?.tls).toBe(true);
    await recorder.done;
    expect(recorder.body.toString()).toBe('hello');
  });

  it('a client that does not trust the certificate fails its requests', async () => {
    const listener = await echo();
    const errors: unknown[] = [];
    const made = new Client({
      names,
      target: { host: '127.0.0.1', port: listener.address.port },
      tls: { servername: 'localhost' },
      onConnectionError: (error) => errors.push(error),
    });
    closers.push(() => made.close());
    const recorder = new Recorder();
    made.request(recorder, request('/a'), undefined, true);
    await recorder.done;
    expect(recorder.cause).toBe(ResetCause.UNPROCESSED);
    expect(String(errors[0])).toMatch(/self-signed/);
  });
});
