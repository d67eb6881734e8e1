import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, createServer, type Server, Socket } from 'node:net';
import { platform } from 'node:os';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isHandle } from '../../src/http2/handle.ts';
import { acceptHandles } from '../../src/http2/handle-wire.ts';
import { writeAtOnce } from '../../src/http2/socket-writing.ts';
import type { Wire, WireUser } from '../../src/http2/wire.ts';

/** More than a kernel takes for a peer that does not read. */
const MUCH = 32 * 1024 * 1024;

/** Keeps what it is told. */
class User implements WireUser {
  text = '';
  octets = 0;
  closed = 0;
  #wanted: { octets: number; resolve: () => void } | undefined;
  readonly #ends: (() => void)[] = [];

  read(buffer: Buffer, start: number, end: number): void {
    this.octets += end - start;
    if (this.text.length < 1_000) this.text += buffer.toString('latin1', start, end);
    if (this.#wanted !== undefined && this.octets >= this.#wanted.octets) this.#wanted.resolve();
  }

  onClosed(): void {
    this.closed++;
    for (const end of this.#ends) end();
  }

  has(octets: number): Promise<void> {
    return new Promise((resolve) => {
      this.#wanted = { octets, resolve };
      if (this.octets >= octets) resolve();
    });
  }

  get end(): Promise<void> {
    return new Promise((resolve) => {
      this.#ends.push(resolve);
      if (this.closed > 0) resolve();
    });
  }
}

interface Pair {
  readonly wire: Wire;
  readonly user: User;
  readonly client: Socket;
  /** Whether Node's socket was made. */
  hasSocket(): boolean;
}

const open = new Set<{ destroy(): void }>();
let server: Server;
let onWire: (wire: Wire, handle: object) => void;

beforeEach(async () => {
  server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  server.on('connection', () => expect.unreachable('the server makes a socket'));
  let wire: Wire | undefined;
  expect(acceptHandles(server, (accepted) => (wire = accepted))).toBe(true);
  const listening = (server as Server & { _handle: { onconnection(status: number, handle: object): void } })._handle;
  const { onconnection } = listening;
  listening.onconnection = function (status, handle) {
    onconnection.call(this, status, handle);
    onWire(wire!, handle);
  };
});

afterEach(async () => {
  for (const one of open) one.destroy();
  open.clear();
  server.close();
});

async function connectOne(): Promise<Pair> {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no address');
  const accepted = new Promise<Omit<Pair, 'client'>>((resolve) => {
    onWire = (wire, handle) => {
      const user = new User();
      open.add(wire);
      wire.attach(user);
      const hasSocket = () =>
        Object.getOwnPropertySymbols(handle).some((symbol) => Reflect.get(handle, symbol) instanceof Socket);
      resolve({ wire, user, hasSocket });
    };
  });
  const client = connect(address.port, '127.0.0.1');
  client.on('error', () => {});
  open.add(client);
  return { ...(await accepted), client };
}

/** The first write of the process goes through a socket. */
async function learn(): Promise<void> {
  const { client } = await connectOne();
  if (client.connecting) await once(client, 'connect');
  writeAtOnce(client, Buffer.from('x'), { onLanded: () => {} });
}

describe('the wire of an accepted connection', () => {
  beforeEach(learn);

  test('reads and writes without a socket', async () => {
    const { wire, user, client, hasSocket } = await connectOne();
    for (const word of ['one ', 'two ', 'three']) {
      client.write(word);
      await user.has(user.octets + word.length);
      const nobody = { onLanded: () => expect.unreachable('all was taken at once') };
      expect(wire.write(Buffer.from(word), nobody)).toBe(true);
      expect(String((await once(client, 'data'))[0])).toBe(word);
    }
    expect(user.text).toBe('one two three');
    expect(hasSocket()).toBe(false);
  });

  test('knows both ends', async () => {
    const { wire, client } = await connectOne();
    if (client.connecting) await once(client, 'connect');
    expect(wire.remote()).toEqual({ address: client.localAddress, port: client.localPort });
    expect(wire.local()).toEqual({ address: client.remoteAddress, port: client.remotePort });
  });

  test('is closed once when the peer ends, without a socket', async () => {
    const { user, client, hasSocket } = await connectOne();
    client.resume();
    client.end('the end');
    await once(client, 'close');
    await user.end;
    expect(user).toMatchObject({ text: 'the end', closed: 1 });
    expect(hasSocket()).toBe(false);
  });

  test('is closed once when the peer resets', async () => {
    const { wire, user, client } = await connectOne();
    client.write('x');
    await user.has(1);
    client.resetAndDestroy();
    await user.end;
    wire.destroy();
    expect(wire.write(Buffer.from('x'), { onLanded: () => {} })).toBe(true);
    await learn();
    expect(user.closed).toBe(1);
  });

  test('reads on where there was nothing more for the moment', async () => {
    const { user, client } = await connectOne();
    // Reads that fill the buffer are followed by one that finds nothing.
    for (let sent = 1; sent <= 20; sent++) {
      client.write(Buffer.alloc(65_536));
      await user.has(sent * 65_536);
    }
    client.write('more');
    await user.has(20 * 65_536 + 4);
    expect(user.octets).toBe(20 * 65_536 + 4);
  });

  test('tells when the kernel has taken what it did not take at once, and all of it arrives', async () => {
    const { wire, user, client } = await connectOne();
    let landed: (error?: Error | null) => void = () => {};
    const one = new Promise<Error | null | undefined>((resolve) => (landed = resolve));
    expect(wire.write(Buffer.alloc(MUCH, 'a'), { onLanded: (error) => landed(error) })).toBe(false);
    const digest: string[] = [];
    let arrived = 0;
    const all = new Promise<void>((resolve) => {
      client.on('data', (chunk: Buffer) => {
        arrived += chunk.length;
        const letter = String.fromCharCode(chunk[chunk.length - 1]!);
        if (digest.at(-1) !== letter) digest.push(letter);
        if (arrived === MUCH + 2_000) resolve();
      });
    });
    expect(await one).toBeUndefined();
    const both = new Promise<Error | null | undefined>((resolve) => (landed = resolve));
    wire.writeAll([Buffer.alloc(1_000, 'b'), Buffer.alloc(1_000, 'c')], { onLanded: (error) => landed(error) });
    expect(await both).toBeFalsy();
    await all;
    expect(digest.at(0)).toBe('a');
    expect(digest.at(-1)).toBe('c');
    client.write('still there');
    await user.has(11);
    expect(user.text).toBe('still there');
  });

  test('is closed when the peer is gone while a write waits, though it does not read', async () => {
    const { wire, user, client } = await connectOne();
    wire.pause();
    const landed = new Promise<Error | null | undefined>((resolve) => {
      expect(wire.write(Buffer.alloc(MUCH), { onLanded: resolve })).toBe(false);
    });
    client.resetAndDestroy();
    expect(await landed).toBeInstanceOf(Error);
    await user.end;
  });

  test.each([
    ['while it has no socket', false],
    ['when it has one', true],
  ])('reads nothing while it is paused, %s', async (_, socket) => {
    const { wire, user, client, hasSocket } = await connectOne();
    if (socket) wire.writeAll([Buffer.from('a'), Buffer.from('b')], { onLanded: () => {} });
    wire.pause();
    await new Promise<void>((resolve) => client.write('late', () => resolve()));
    const other = await connectOne();
    other.client.write('first');
    await other.user.has(5);
    expect(user.text).toBe('');
    wire.resume();
    await user.has(4);
    expect(user.text).toBe('late');
    expect(hasSocket()).toBe(socket);
  });

  test('stays paused when a socket becomes necessary', async () => {
    const { wire, user, client } = await connectOne();
    wire.pause();
    await new Promise<void>((resolve) => client.write('late', () => resolve()));
    wire.writeAll([Buffer.from('a'), Buffer.from('b')], { onLanded: () => {} });
    let said = '';
    await new Promise<void>((resolve) => {
      client.on('data', (chunk: Buffer) => {
        said += chunk;
        if (said === 'ab') resolve();
      });
    });
    expect(user.text).toBe('');
    wire.resume();
    await user.has(4);
  });

  test('ends behind what was written, and is closed when the peer has ended', async () => {
    const { wire, user, client } = await connectOne();
    wire.write(Buffer.from('bye'), { onLanded: () => {} });
    wire.end();
    expect(String((await once(client, 'data'))[0])).toBe('bye');
    await once(client, 'end');
    await user.end;
    expect(user.closed).toBe(1);
  });

  test('that is destroyed in the middle of a read closes once, and writes no more', async () => {
    const { wire, user, client } = await connectOne();
    const read = user.read.bind(user);
    user.read = (buffer, start, end) => {
      read(buffer, start, end);
      wire.destroy();
      wire.destroy();
      wire.pause();
      wire.resume();
      wire.end();
      wire.writeAll([Buffer.from('no')], { onLanded: () => {} });
      expect(wire.write(Buffer.from('no'), { onLanded: () => {} })).toBe(true);
    };
    const said: Buffer[] = [];
    client.on('data', (chunk: Buffer) => said.push(chunk));
    const gone = new Promise((resolve) => client.once('close', resolve));
    client.write(Buffer.alloc(200_000));
    await gone;
    await user.end;
    expect(said).toEqual([]);
    expect(user.closed).toBe(1);
  });

  test.runIf(platform() === 'linux')('has the kernel look after a silent peer within a minute', async () => {
    const { wire, client } = await connectOne();
    if (client.connecting) await once(client, 'connect');
    const hex = (port: number) => port.toString(16).toUpperCase().padStart(4, '0');
    const [local, remote] = [hex(wire.local().port), hex(wire.remote().port)];
    const row = readFileSync('/proc/net/tcp', 'latin1')
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .find((columns) => columns[1]?.endsWith(`:${local}`) && columns[2]?.endsWith(`:${remote}`));
    // The timer: 02 is that of keepalive; hundredths of a second.
    const [kind, hundredths] = row?.[5]?.split(':') ?? [];
    expect(kind).toBe('02');
    expect(Number.parseInt(hundredths ?? '', 16)).toBeLessThanOrEqual(6_000);
  });
});

test('what is no such handle is known as none', () => {
  expect(isHandle({})).toBe(false);
  expect(isHandle({ onread: undefined, readStart: () => 0, bytesRead: 0 })).toBe(false);
});

test('a server that does not listen gives no handles, and stays as it is', () => {
  expect(acceptHandles(createServer(), () => expect.unreachable('nobody connects'))).toBe(false);
});
