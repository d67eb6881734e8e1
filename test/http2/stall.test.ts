import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { HeaderBlock, Listener, type ListenerOptions, NameTable, type Stream } from '../../src/http2/index.ts';
import { frame, WorkBench, word } from './fake-socket.ts';
import { block, Recorder, request } from './support.ts';

const names = new NameTable();
const cert = readFileSync(new URL('./fixtures/localhost.cert.pem', import.meta.url));
const key = readFileSync(new URL('./fixtures/localhost.key.pem', import.meta.url));
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const SIZE = 20_000_000;
const MILLION = Buffer.alloc(1_000_000);
for (let at = 0; at < MILLION.length; at++) MILLION[at] = at % 251;

/** Takes a response of frames, and says when END_STREAM came, and whether its octets were right. */
class Taker {
  octets = 0;
  right = true;
  readonly ended: Promise<void>;
  #rest = Buffer.alloc(0);

  constructor(socket: Socket) {
    this.ended = new Promise((resolve) => {
      socket.on('data', (chunk: Buffer) => {
        this.#rest = Buffer.concat([this.#rest, chunk]);
        if (this.#take()) resolve();
      });
    });
  }

  #take(): boolean {
    let at = 0;
    let end = false;
    while (this.#rest.length - at >= 9) {
      const length = this.#rest.readUIntBE(at, 3);
      if (this.#rest.length - at < 9 + length) break;
      if (this.#rest[at + 3] === 0) {
        for (let index = 0; index < length; index += 499) {
          const expected = ((this.octets + index) % MILLION.length) % 251;
          if (this.#rest[at + 9 + index] !== expected) this.right = false;
        }
        this.octets += length;
        end = (this.#rest[at + 4]! & 1) !== 0;
      }
      at += 9 + length;
    }
    this.#rest = this.#rest.subarray(at);
    return end;
  }
}

const ways: [name: string, options: Partial<ListenerOptions>][] = [
  ['a moved handle', { reading: 'handle' }],
  ['events', { reading: 'data' }],
  ['TLS', { tls: { cert, key } }],
];

describe.each(ways)('a peer that does not read for a while, over %s', (_name, options) => {
  it('holds back no more than the limit, and gets everything when it reads', async () => {
    let opened: (stream: Stream) => void = () => {};
    const request1 = new Promise<Stream>((resolve) => {
      opened = resolve;
    });
    const recorder = new Recorder();
    const listener = await Listener.listen({
      host: '127.0.0.1',
      port: 0,
      names,
      ...options,
      onRequest: (stream) => {
        stream.sendHeaders(block({ ':status': '200' }), undefined, false);
        for (let sent = 0; sent < SIZE; sent += MILLION.length) {
          stream.sendData(MILLION, 0, MILLION.length, sent + MILLION.length === SIZE);
        }
        opened(stream);
        return recorder;
      },
    });
    closers.push(() => listener.close(0));
    const { port } = listener.address;
    const socket =
      options.tls === undefined
        ? connect(port, '127.0.0.1')
        : connectTls({ port, host: '127.0.0.1', ca: cert, servername: 'localhost', ALPNProtocols: ['h2'] });
    closers.push(() => socket.destroy());
    const bench = new WorkBench();
    socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    socket.write(frame(4, 0, 0, [0, 4, ...word(0x7fffffff)]));
    socket.write(frame(8, 0, 0, word(0x7fffffff - 65_535)));
    socket.write(frame(1, 5, 1, bench.encode(new HeaderBlock(request('/a').fields).fields)));
    const stream = await request1;
    // The kernel's buffers take some megabytes; what is over stays with the stream.
    let queued = -1;
    while (queued !== stream.queued) {
      queued = stream.queued;
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(queued).toBeGreaterThan(1_000_000);
    const taker = new Taker(socket);
    await taker.ended;
    expect([taker.octets, taker.right]).toEqual([SIZE, true]);
    expect(stream.queued).toBe(0);
  });
});
