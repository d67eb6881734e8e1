import { readFileSync } from 'node:fs';
import http2 from 'node:http2';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { startEcho } from '../../bench/micro/echo-backend.ts';
import { type Listener, type ListenerOptions, NameTable } from '../../src/http2/index.ts';
import { frame, WorkBench } from './fake-socket.ts';
import { nodeCall, request } from './support.ts';

const names = new NameTable();
const cert = readFileSync(new URL('./fixtures/localhost.cert.pem', import.meta.url));
const key = readFileSync(new URL('./fixtures/localhost.key.pem', import.meta.url));
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function answers(listener: Pick<Listener, 'address'>, tls: boolean): Promise<string> {
  const scheme = tls ? 'https' : 'http';
  const session = http2.connect(`${scheme}://localhost:${listener.address.port}`, { ca: cert });
  closers.push(() => session.destroy());
  return (await nodeCall(session, { ':path': '/a' }, [Buffer.from('still here')])).body.toString();
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

const ways: [name: string, options: Partial<ListenerOptions>][] = [
  ['a moved handle', { reading: 'handle' }],
  ['events', { reading: 'data' }],
  ['TLS', { tls: { cert, key } }],
];

describe.each(ways)('a listener over %s', (_name, options) => {
  it('survives garbage, and connections reset at any time', async () => {
    const errors: unknown[] = [];
    const listener = await startEcho(names, 0, { ...options, onError: (error) => errors.push(error) });
    closers.push(() => listener.close(0));
    const bench = new WorkBench();
    const calls = Buffer.concat([
      Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
      frame(4, 0, 0),
      ...Array.from({ length: 20 }, (_, index) => frame(1, 4, index * 2 + 1, bench.encode(request('/a').fields))),
      ...Array.from({ length: 20 }, (_, index) => frame(0, 1, index * 2 + 1, Buffer.alloc(5_000))),
    ]);
    const garbage = Buffer.from(Array.from({ length: 300 }, (_, index) => (index * 97 + 13) & 255));
    for (let index = 0; index < 60; index++) {
      const socket = connect(listener.address.port, '127.0.0.1');
      socket.on('error', () => {});
      if (index % 5 !== 0) await new Promise((resolve) => socket.once('connect', resolve));
      if (index % 3 === 0) socket.write(garbage.subarray(index));
      else socket.write(calls.subarray(0, Math.floor((calls.length * index) / 60)));
      for (let turns = index % 4; turns > 0; turns--) await turn();
      if (index % 2 === 0) socket.resetAndDestroy();
      else socket.destroy();
    }
    expect(await answers(listener, options.tls !== undefined)).toBe('still here');
    expect(errors).toEqual([]);
  });
});
