import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { type Writer, writeAtOnce } from '../../src/http2/socket-writing.ts';

const open: { close?(): unknown; destroy?(): unknown }[] = [];
afterEach(() => {
  for (const one of open.splice(0)) (one.destroy ?? one.close)?.call(one);
});

/** Two ends of a connection. */
async function pair(): Promise<[ours: Socket, theirs: Socket]> {
  const server = createServer().listen(0, '127.0.0.1');
  open.push(server);
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no address');
  const ours = connect(address.port, '127.0.0.1');
  const [theirs] = (await once(server, 'connection')) as [Socket];
  open.push(ours, theirs);
  if (ours.connecting) await once(ours, 'connect');
  return [ours, theirs];
}

async function octetsOf(socket: Socket, count: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let octets = 0;
  for await (const part of socket.iterator({ destroyOnReturn: false })) {
    parts.push(part);
    octets += part.length;
    if (octets >= count) break;
  }
  return Buffer.concat(parts);
}

const nobody: Writer = { onLanded: () => expect.unreachable('all was taken at once') };

describe('a write to a socket', () => {
  test('goes past the stream, but for the first of the process', async () => {
    const [ours, theirs] = await pair();
    writeAtOnce(ours, Buffer.from('first '), nobody);
    const stream = vi.spyOn(ours, 'write');
    for (let i = 0; i < 100; i++) expect(writeAtOnce(ours, Buffer.from(`${i} `), nobody)).toBe(true);
    expect(stream).not.toHaveBeenCalled();
    const expected = `first ${Array.from({ length: 100 }, (_, i) => `${i} `).join('')}`;
    expect((await octetsOf(theirs, expected.length)).toString()).toBe(expected);
    expect(ours.bytesWritten).toBe(expected.length);
  });

  test('that the kernel does not take at once is told of when it has, and arrives whole', async () => {
    const [ours, theirs] = await pair();
    writeAtOnce(ours, Buffer.from('x'), nobody);
    const much = Buffer.alloc(32 * 1024 * 1024, 'y');
    const landed = new Promise<Error | null | undefined>((resolve) => {
      expect(writeAtOnce(ours, much, { onLanded: resolve })).toBe(false);
    });
    expect((await octetsOf(theirs, 1 + much.length)).length).toBe(1 + much.length);
    expect(await landed).toBeUndefined();
    expect(writeAtOnce(ours, Buffer.from('z'), nobody)).toBe(true);
    expect((await octetsOf(theirs, 1)).toString()).toBe('z');
  });

  test('under way when the socket is destroyed ends with an error', async () => {
    const [ours] = await pair();
    writeAtOnce(ours, Buffer.from('x'), nobody);
    const landed = new Promise<Error | null | undefined>((resolve) => {
      writeAtOnce(ours, Buffer.alloc(32 * 1024 * 1024), { onLanded: resolve });
    });
    ours.destroy();
    expect(await landed).toBeInstanceOf(Error);
  });

  test('to a peer that has reset the connection closes the socket', async () => {
    const [ours, theirs] = await pair();
    ours.on('error', () => {});
    const closed = new Promise((resolve) => ours.on('close', resolve));
    theirs.resetAndDestroy();
    await once(theirs, 'close');
    for (let i = 0; i < 3; i++) writeAtOnce(ours, Buffer.from('x'), { onLanded: () => {} });
    await closed;
    expect(() => writeAtOnce(ours, Buffer.from('x'), { onLanded: () => {} })).not.toThrow();
  });
});
