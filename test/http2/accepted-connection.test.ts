import { once } from 'node:events';
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { AcceptedConnection, type Reception } from '../../src/http2/accepted-connection.ts';
import {
  DEFAULT_LIMITS,
  Flusher,
  type HeaderBlock,
  Listener,
  type ListenerOptions,
  NameTable,
  ResetCause,
  SERVER_SETTINGS,
  type Stream,
} from '../../src/http2/index.ts';
import type { Wire, WireUser } from '../../src/http2/wire.ts';
import { ACK, END_HEADERS, END_STREAM, PREFACE, Type } from './conformance/cases.ts';
import { frame, WorkBench } from './fake-socket.ts';
import { block, Recorder, request } from './support.ts';

setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');

const { DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY } = Type;
const OK = block({ ':status': '200', 'x-server': 'of this test' });
/** More than a connection has to be idle for to be dormant. */
const IDLE_MS = 6_000;
const SWEEP_MS = 900;

let now = 0;
let listener: Listener;
let ends: (() => void)[];

/** The first write of a process goes through a socket, which that connection keeps. */
beforeAll(async () => {
  await listen();
  const client = connectHttp2(`http://127.0.0.1:${listener.address.port}`);
  await once(client, 'remoteSettings');
  client.destroy();
  await listener.close(0);
});

beforeEach(() => {
  now = 1_000;
  ends = [];
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
});

afterEach(async () => {
  for (const end of ends) end();
  vi.useRealTimers();
  await listener.close(0);
});

/** Answers a request with its own fields, as JSON, in DATA. */
function answer(stream: Stream, headers: HeaderBlock): void {
  const body = Buffer.from(JSON.stringify(headers.fields.map(({ name, value }) => [name, value])));
  stream.sendHeaders(OK, undefined, false);
  stream.sendData(body, 0, body.length, true);
}

async function listen(options: Partial<ListenerOptions> = {}): Promise<void> {
  listener = await Listener.listen({
    names: new NameTable(),
    clock: () => now,
    onRequest: (stream, headers) => {
      answer(stream, headers);
      return new Recorder();
    },
    ...options,
  });
}

function accepted(): AcceptedConnection[] {
  return [...listener.openConnections] as AcceptedConnection[];
}

/** Time goes by, and the sweep looks at all connections. */
function pass(ms: number): void {
  now += ms;
  vi.advanceTimersByTime(SWEEP_MS);
}

/** Nothing comes until all connections are dormant; twice, since what counts as idle begins at a sweep. */
async function fallAsleep(): Promise<void> {
  // What has been read is worked on.
  await new Promise((resolve) => setImmediate(resolve));
  pass(SWEEP_MS);
  pass(IDLE_MS);
  pass(IDLE_MS);
  expect(accepted().map(({ isDormant }) => isDormant)).toEqual(accepted().map(() => true));
}

async function session(): Promise<ClientHttp2Session> {
  const client = connectHttp2(`http://127.0.0.1:${listener.address.port}`);
  client.on('error', () => {});
  ends.push(() => client.destroy());
  await once(client, 'remoteSettings');
  await new Promise((resolve) => client.ping(resolve));
  return client;
}

/** @returns the fields that the server saw, without those of node:http2 */
async function ask(client: ClientHttp2Session, fields: Record<string, string>): Promise<Record<string, string>> {
  const stream = client.request({ ':path': '/a', ...fields });
  stream.setEncoding('utf8');
  let body = '';
  for await (const piece of stream) body += piece;
  const seen: Record<string, string> = Object.fromEntries(JSON.parse(body));
  return Object.fromEntries(Object.entries(seen).filter(([name]) => name.startsWith('x-')));
}

/** A connection whose octets are the test's, greeted. */
async function greeted(): Promise<{ socket: Socket; until(type: number): Promise<Buffer> }> {
  const socket = connect(listener.address.port, '127.0.0.1');
  socket.on('error', () => {});
  ends.push(() => socket.destroy());
  const closed = new Promise<[undefined]>((resolve) => socket.once('close', () => resolve([undefined])));
  let seen = Buffer.alloc(0);
  /** Resolves with the payload of the next frame of a type. */
  const until = async (type: number): Promise<Buffer> => {
    for (;;) {
      while (seen.length >= 9 && seen.length >= 9 + seen.readUIntBE(0, 3)) {
        const [kind, payload] = [seen[3], seen.subarray(9, 9 + seen.readUIntBE(0, 3))];
        seen = seen.subarray(9 + payload.length);
        if (kind === type) return payload;
      }
      const [more] = await Promise.race([once(socket, 'data'), closed]);
      if (more === undefined) throw new Error(`closed without a frame of type ${type}`);
      seen = Buffer.concat([seen, more]);
    }
  };
  socket.write(Buffer.concat([PREFACE, frame(SETTINGS, 0, 0), frame(SETTINGS, ACK, 0), frame(PING, 0, 0, 'greeting')]));
  await until(PING);
  return { socket, until };
}

describe('a connection on which nothing goes on', () => {
  test('is dormant, and goes on as if nothing had been, by the tables and windows that it had', async () => {
    await listen();
    const client = await session();
    for (let round = 0; round < 5; round++) {
      // Fields that the client puts into its table, and takes from it in all later rounds.
      const fields = { 'x-once': `round ${round}`, 'x-always': 'the same in each', 'x-long': 'v'.repeat(300) };
      for (let call = 0; call < 3; call++) expect(await ask(client, fields)).toEqual(fields);
      await fallAsleep();
    }
    expect(listener.streamTotals).toEqual({ started: 15, succeeded: 15, open: 0 });
    await new Promise((resolve) => client.close(() => resolve(undefined)));
  });

  test('is the same one to those who look, with its counts, addresses and windows', async () => {
    await listen();
    const client = await session();
    await ask(client, { 'x-one': '1' });
    const [one] = accepted();
    const look = () => ({
      counts: one!.counts,
      info: { ...one!.info },
      local: [one!.localAddress, one!.localPort],
      windows: [one!.windowToSend, one!.windowToReceive],
    });
    const awake = look();
    await fallAsleep();
    expect(accepted()).toEqual([one]);
    expect(look()).toEqual(awake);
    expect(awake.info.remotePort).toBe(client.socket.localPort);
    await ask(client, { 'x-one': '1' });
    expect(one!.isDormant).toBe(false);
    expect(one!.counts.succeeded).toBe(2);
  });

  test('is not dormant while a request runs, or a frame is not whole', async () => {
    await listen({ onRequest: () => new Recorder() });
    const running = await session();
    running.request({ ':path': '/a' }).on('error', () => {});
    const half = await greeted();
    half.socket.write(Buffer.concat([frame(PING, 0, 0, 'a whole1'), frame(PING, 0, 0, 'half of1').subarray(0, 12)]));
    await half.until(PING);
    await vi.waitFor(() => expect(listener.streamTotals.open).toBe(1));
    pass(IDLE_MS);
    pass(IDLE_MS);
    expect(accepted().filter(({ isDormant }) => isDormant)).toEqual([]);
  });

  test('answers a PING, and is dormant again', async () => {
    await listen();
    const { socket, until } = await greeted();
    for (const opaque of ['the 1st ', 'the 2nd ']) {
      await fallAsleep();
      socket.write(frame(PING, 0, 0, opaque));
      expect(String(await until(PING))).toBe(opaque);
    }
  });

  test('knows the fields of a block that came late, for a stream that was gone, when all else was idle', async () => {
    await listen({
      onRequest: (stream, headers) => {
        if (headers.get(':path') === '/early') stream.sendHeaders(OK, undefined, true);
        else answer(stream, headers);
        return new Recorder();
      },
    });
    const peer = new WorkBench(); // For its encoder.
    const { socket, until } = await greeted();
    const ask = (id: number, path: string, flags: number) =>
      socket.write(
        frame(HEADERS, END_HEADERS | flags, id, peer.encode(request(path, { 'x-kept': 'in the table' }).fields)),
      );
    const ping = async (opaque: string) => {
      socket.write(frame(PING, 0, 0, opaque));
      await until(PING);
    };
    for (const id of [1, 3, 5]) {
      ask(id, '/whole', END_STREAM); // Until the encoder refers to its table.
      await until(DATA);
    }
    ask(7, '/early', 0);
    await until(RST_STREAM);
    // It is trimmed, and not dormant: a PING came a moment ago.
    pass(SWEEP_MS);
    pass(4_000);
    await ping('the 1st ');
    pass(2_000);
    pass(SWEEP_MS);
    socket.write(frame(HEADERS, END_HEADERS | END_STREAM, 7, peer.encode(block({ 'x-late': 'trailers' }).fields)));
    await ping('the 2nd ');
    await fallAsleep();
    ask(9, '/whole', END_STREAM);
    expect(String(await until(DATA))).toContain('["x-kept","in the table"]');
  });

  test('ends with an error of the peer as any other', async () => {
    await listen();
    const { socket, until } = await greeted();
    await fallAsleep();
    socket.write(frame(HEADERS, 4, 2, [0x82]));
    expect((await until(GOAWAY)).readUInt32BE(4)).not.toBe(0);
  });

  test('is closed when the peer goes, and leaves its counts', async () => {
    await listen({ maxConnectionsOfSource: 1 });
    const client = await session();
    await ask(client, {});
    await fallAsleep();
    client.socket.resetAndDestroy();
    await vi.waitFor(() => expect(listener.connections).toBe(0));
    expect(listener.streamTotals).toEqual({ started: 1, succeeded: 1, open: 0 });
    await ask(await session(), {}); // Its source has room again.
  });

  test('is drained at its age', async () => {
    await listen({ maxConnectionAgeMs: 60_000 });
    const { until } = await greeted();
    await fallAsleep();
    pass(66_000);
    expect((await until(GOAWAY)).readUInt32BE(4)).toBe(0);
  });

  test('is drained when it was idle for as long as one may be', async () => {
    const broken: string[] = [];
    await listen({ limits: { idleTimeoutMs: 60_000 }, onFlood: (kind) => broken.push(kind) });
    const { until } = await greeted();
    await fallAsleep();
    pass(40_000);
    expect(accepted()[0]?.isDormant).toBe(true);
    pass(20_000);
    expect((await until(GOAWAY)).readUInt32BE(4)).toBe(0);
    expect(broken).toEqual(['idle_connection']);
  });

  test('is asked whether its peer lives, and is closed when that does not answer', async () => {
    const broken: string[] = [];
    const limits = { keepaliveMs: 30_000, keepaliveTimeoutMs: 5_000 };
    await listen({ limits, onFlood: (kind) => broken.push(kind) });
    const { socket, until } = await greeted();
    await fallAsleep();
    pass(30_000);
    const asked = await until(PING);
    socket.write(frame(PING, ACK, 0, [...asked]));
    socket.write(frame(PING, 0, 0, 'answered'));
    await until(PING);
    await fallAsleep();
    pass(30_000);
    await until(PING);
    pass(6_000);
    await once(socket, 'close');
    expect(broken).toEqual(['silent_peer']);
  });

  test('is told that the listener closes', async () => {
    await listen();
    const { socket, until } = await greeted();
    await fallAsleep();
    socket.on('end', () => socket.end());
    const closed = listener.close(60_000);
    await until(GOAWAY);
    socket.write(frame(PING, ACK, 0, [...(await until(PING))]));
    await closed;
    expect(listener.connections).toBe(0);
  });

  test('leaves more than 1,000 octets to the collector', async () => {
    const count = 1_000; // So many that what else is compiled and kept meanwhile is little beside it.
    await listen();
    for (let made = 0; made < 20; made++) await greeted();
    await fallAsleep();
    const used = async () => {
      // What the first collection has let go of is found by the second.
      for (let turn = 0; turn < 2; turn++) {
        await new Promise((resolve) => setImmediate(resolve));
        collect();
      }
      return process.memoryUsage().heapUsed;
    };
    const sockets: Socket[] = [];
    // The clients' side is in the same heap: it is there before and after.
    for (let made = 0; made < count; made++) sockets.push((await greeted()).socket);
    const awake = await used();
    await fallAsleep();
    const dormant = await used();
    expect((awake - dormant) / count).toBeGreaterThan(1_000);
    expect(sockets.filter(({ destroyed }) => destroyed)).toEqual([]);
  });
});

/** A wire in the test's hands. */
class StubWire implements Wire {
  user: WireUser | undefined = undefined;
  /** As a handle is before a socket was made of it. */
  handsOver = true;

  attach(user: WireUser): void {
    this.user = user;
  }
  handOver(user: WireUser): boolean {
    if (this.handsOver) this.user = user;
    return this.handsOver;
  }
  remote = () => ({ address: '', port: 0 });
  local = () => ({ address: '', port: 0 });
  write = () => true;
  writeAll(): void {}
  pause(): void {}
  resume(): void {}
  end(): void {}
  destroy(): void {}
}

/** On a wire of the test's. */
function acceptedOn(
  wire: Wire,
  clock: () => number,
): { one: AcceptedConnection; recorder: Recorder; gone: unknown[]; floods: string[] } {
  const recorder = new Recorder();
  const gone: unknown[] = [];
  const floods: string[] = [];
  const reception: Reception = {
    settings: SERVER_SETTINGS,
    limits: { ...DEFAULT_LIMITS, keepaliveMs: 30_000 },
    names: new NameTable(),
    owner: {
      flusher: new Flusher(),
      onRequest: (stream, headers) => {
        recorder.stream = stream;
        recorder.headers = headers;
        return recorder;
      },
      onRoom: () => {},
      onUnusable: () => {},
      onClosed: (connection) => connection.keeper?.onGone(),
      onError: (error) => expect.unreachable(String(error)),
      onFlood: (kind) => void floods.push(kind),
    },
    now: clock,
    onClosed: (accepted) => void gone.push(accepted),
  };
  return { one: new AcceptedConnection(reception, wire, wire.remote(), undefined), recorder, gone, floods };
}

/** The wire reads, and the turn ends. */
async function feed(wire: StubWire, octets: Buffer): Promise<void> {
  wire.user?.read(octets, 0, octets.length);
  await new Promise((resolve) => setImmediate(resolve));
}

const GREETING = Buffer.concat([PREFACE, frame(SETTINGS, 0, 0), frame(SETTINGS, ACK, 0)]);

test('a wire that keeps its user once it was dormant tells of its end all the same', async () => {
  const wire = new StubWire();
  const { one, recorder, gone } = acceptedOn(wire, () => now);
  await feed(wire, GREETING);
  for (const at of [2_000, 8_000, 14_000]) one.sweep(at);
  expect(one.isDormant).toBe(true);
  wire.handsOver = false;
  await feed(wire, frame(HEADERS, END_HEADERS, 1, new WorkBench().encode(request('/a').fields)));
  expect(one.streams).toHaveLength(1);
  wire.user?.onClosed();
  expect(recorder.cause).toBe(ResetCause.CONNECTION);
  expect(gone).toEqual([one]);
});

test('a connection that wakes in a sweep that takes long owes nothing for that', async () => {
  const wire = new StubWire();
  let clock = 1_000;
  const { one, floods } = acceptedOn(wire, () => clock);
  await feed(wire, GREETING);
  for (clock of [2_000, 8_000, 14_000]) one.sweep(clock);
  expect(one.isDormant).toBe(true);
  const begin = 40_000;
  clock = begin + 5_000; // Thousands before it had to be asked.
  one.sweep(begin);
  await feed(wire, frame(PING, ACK, 0, Buffer.alloc(8)));
  await feed(wire, frame(PING, 0, 0, Buffer.alloc(8)));
  expect(floods).toEqual([]);
  expect(one.isDormant).toBe(false);
});
