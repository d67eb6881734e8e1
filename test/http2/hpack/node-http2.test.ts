import { once } from 'node:events';
import http2 from 'node:http2';
import net, { type AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { Field, Indexing } from '../../../src/http2/field.ts';
import { HeaderBlock } from '../../../src/http2/header-block.ts';
import { Encoder } from '../../../src/http2/hpack/encoder.ts';
import { decode, encode, newDecoder } from './support.ts';

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const HEADERS = 0x1;
const SETTINGS = 0x4;
const CONTINUATION = 0x9;
const END_STREAM = 0x1;
const ACK = 0x1;
const END_HEADERS = 0x4;
const PADDED = 0x8;
const PRIORITY = 0x20;
const TABLE_SIZE = 0x1;

interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

function frame(type: number, flags: number, stream: number, payload = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.set([type, flags], 3);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

function setting(id: number, value: number): Buffer {
  const payload = Buffer.alloc(6);
  payload.writeUInt16BE(id, 0);
  payload.writeUInt32BE(value, 2);
  return payload;
}

/** The frames of a socket, behind the preface if there is one. */
async function* readFrames(socket: net.Socket, preface: number): AsyncGenerator<Frame> {
  let rest: Buffer = Buffer.alloc(0);
  let skip = preface;
  for await (const chunk of socket) {
    rest = Buffer.concat([rest, chunk]);
    if (rest.length < skip) continue;
    rest = rest.subarray(skip);
    skip = 0;
    while (rest.length >= 9 && rest.length >= 9 + rest.readUIntBE(0, 3)) {
      const end = 9 + rest.readUIntBE(0, 3);
      const [type = 0, flags = 0] = rest.subarray(3, 5);
      yield { type, flags, stream: rest.readUInt32BE(5), payload: rest.subarray(9, end) };
      rest = rest.subarray(end);
    }
  }
}

/** The header block fragment in HEADERS or CONTINUATION. */
function fragment({ type, flags, payload }: Frame): Buffer {
  if (type === CONTINUATION) return payload;
  const padded = (flags & PADDED) !== 0;
  const start = (padded ? 1 : 0) + ((flags & PRIORITY) !== 0 ? 5 : 0);
  return payload.subarray(start, payload.length - (padded ? (payload[0] ?? 0) : 0));
}

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

/** Values of every printable octet, each among enough short codes that Huffman coding pays. */
const printable = Array.from({ length: 0x7f - 0x21 }, (_, i) => String.fromCharCode(0x21 + i));

function requestFields(i: number): [string, string, Indexing][] {
  return [
    [':method', 'POST', Indexing.INDEX],
    [':scheme', 'http', Indexing.INDEX],
    [':authority', 'localhost', Indexing.INDEX],
    [':path', `/service/method-${i % 5}`, Indexing.INDEX],
    ['x-char', `aaaaaaaaaaaaaaaaaaaaaa${printable[i % printable.length]}`, Indexing.INDEX],
    ['x-tenant', `tenant-${(i * 7) % 40}-${'t'.repeat(100)}`, Indexing.INDEX],
    ['x-id', `id-${i}`, Indexing.SKIP],
    ['x-secret', `secret-${i % 3}`, Indexing.NEVER],
  ];
}

describe('node:http2', () => {
  it.each([4096, 0, 200, 65_536])('reads what the encoder writes, with a table of %d octets', async (tableSize) => {
    const server = http2.createServer({ settings: { headerTableSize: tableSize } });
    const got: http2.IncomingHttpHeaders[] = [];
    const failures: unknown[] = [];
    const requests = 300;
    const done = new Promise<void>((resolve, reject) => {
      server.on('sessionError', reject);
      server.on('stream', (stream, headers) => {
        stream.on('error', (error) => failures.push(error));
        stream.respond({ ':status': 200 }, { endStream: true });
        if (got.push(headers) === requests) resolve();
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const socket = net.connect((server.address() as AddressInfo).port, '127.0.0.1');
    cleanups.push(
      () => socket.destroy(),
      () => server.close(),
    );
    socket.write(Buffer.concat([PREFACE, frame(SETTINGS, 0, 0)]));
    const encoder = new Encoder({ maxTableSize: 4096 });
    const send = (): void => {
      for (let i = 0; i < requests; i++) {
        const block = new HeaderBlock(requestFields(i).map(([n, v, indexing]) => new Field(n, v, 0, indexing)));
        socket.write(frame(HEADERS, END_STREAM | END_HEADERS, 2 * i + 1, Buffer.from(encode(encoder, block))));
      }
    };
    const reading = (async (): Promise<void> => {
      for await (const { type, flags, payload } of readFrames(socket, 0)) {
        if (type !== SETTINGS || (flags & ACK) !== 0) continue;
        for (let at = 0; at < payload.length; at += 6) {
          if (payload.readUInt16BE(at) === TABLE_SIZE) encoder.setPeerTableSize(payload.readUInt32BE(at + 2));
        }
        socket.write(frame(SETTINGS, ACK, 0));
        send();
      }
    })();
    reading.catch((error) => failures.push(error));
    await done;
    got.forEach((headers, i) => {
      for (const [name, value] of requestFields(i)) expect(headers[name]).toBe(value);
    });
    expect(failures).toEqual([]);
  });

  it.each([4096, 0, 200, 16_384])('writes what the decoder reads, with a table of %d octets', async (tableSize) => {
    const requests = 300;
    const server = net.createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    cleanups.push(() => server.close());
    const session = http2.connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, {
      // The client holds back what is above the limit, and nobody answers here.
      peerMaxConcurrentStreams: requests,
    });
    session.on('error', () => {});
    cleanups.push(() => session.destroy());
    const [socket] = (await once(server, 'connection')) as [net.Socket];
    cleanups.push(() => socket.destroy());
    socket.on('error', () => {});
    const settings = Buffer.concat([setting(TABLE_SIZE, tableSize), setting(0x3, requests)]);
    socket.write(frame(SETTINGS, 0, 0, settings));
    session.once('remoteSettings', () => {
      for (let i = 0; i < requests; i++) {
        const headers = Object.fromEntries(
          requestFields(i)
            .filter(([, , indexing]) => indexing !== Indexing.NEVER)
            .map(([n, v]) => [n, v]),
        );
        const secret = { 'x-secret': `secret-${i % 3}`, [http2.sensitiveHeaders]: ['x-secret'] };
        session.request({ ...headers, ...secret }, { endStream: true }).on('error', () => {});
      }
    });

    const decoder = newDecoder({ maxTableSize: tableSize });
    const got: (readonly Field[])[] = [];
    let pending: Buffer[] = [];
    for await (const each of readFrames(socket, PREFACE.length)) {
      if (each.type === SETTINGS && (each.flags & ACK) !== 0) decoder.settingsAcknowledged();
      if (each.type !== HEADERS && each.type !== CONTINUATION) continue;
      pending.push(fragment(each));
      if ((each.flags & END_HEADERS) === 0) continue;
      got.push(decode(decoder, Buffer.concat(pending)).fields);
      pending = [];
      if (got.length === requests) break;
    }
    got.forEach((fields, i) => {
      const sort = (list: [string, string][]): [string, string][] => list.sort(([a], [b]) => (a < b ? -1 : 1));
      expect(sort(fields.map((f) => [f.name, f.value]))).toEqual(sort(requestFields(i).map(([n, v]) => [n, v])));
      expect(fields.find((f) => f.name === 'x-secret')?.indexing).toBe(Indexing.NEVER);
    });
  });
});
