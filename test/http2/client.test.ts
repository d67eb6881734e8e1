import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { startEcho } from '../../bench/micro/echo-backend.ts';
import { Client, type ClientOptions, ErrorCode, Listener, NameTable, ResetCause } from '../../src/http2/index.ts';
import { frame, word } from './fake-socket.ts';
import { block, Recorder, request } from './support.ts';

const names = new NameTable();
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

function client(port: number, options: Partial<ClientOptions> = {}): Client {
  const made = new Client({ names, target: { host: '127.0.0.1', port }, ...options });
  closers.push(() => made.close());
  return made;
}

function call(to: Client, path = '/a'): Recorder {
  const recorder = new Recorder();
  recorder.stream = to.request(recorder, request(path), undefined, true);
  return recorder;
}

/** A backend that keeps its requests open until told. */
async function holding(port = 0): Promise<{ listener: Listener; held: Recorder[] }> {
  const held: Recorder[] = [];
  const listener = await Listener.listen({
    host: '127.0.0.1',
    port,
    names,
    onRequest: (stream) => {
      const recorder = new Recorder();
      recorder.stream = stream;
      held.push(recorder);
      stream.sendHeaders(block({ ':status': '200' }), undefined, false);
      return recorder;
    },
  });
  closers.push(() => listener.close(0));
  return { listener, held };
}

/** A TCP server, for peers that do not speak HTTP/2 as they should. */
async function raw(onSocket: (socket: Socket) => void): Promise<{ port: number; server: Server }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    onSocket(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  return { port: typeof address === 'object' && address !== null ? address.port : 0, server };
}

describe('a client whose backend is away', () => {
  it('fails requests at once, never within the call, and makes no more attempts than backoff allows', async () => {
    const gone = await startEcho(names);
    const { port } = gone.address;
    await gone.close(0);
    let now = 0;
    let failures = 0;
    const made = client(port, {
      clock: () => now,
      random: () => 1,
      backoffMs: { initial: 100, max: 150 },
      onConnectionError: () => {
        failures++;
      },
    });
    const first = call(made);
    expect(first.cause).toBeUndefined();
    await first.done;
    expect([first.code, first.cause]).toEqual([ErrorCode.REFUSED_STREAM, ResetCause.UNPROCESSED]);
    for (const [time, attempts] of [
      [99, 1],
      [100, 2],
      [249, 2],
      [250, 3],
      [399, 3],
      [400, 4],
    ] as const) {
      now = time;
      const recorder = call(made);
      await recorder.done;
      expect(recorder.cause).toBe(ResetCause.UNPROCESSED);
      expect([time, failures]).toEqual([time, attempts]);
    }
    expect(made.outstanding).toBe(0);
  });

  it('connects again when it is back', async () => {
    const first = await startEcho(names);
    const { port } = first.address;
    const made = client(port, { backoffMs: { initial: 0, max: 0 } });
    const before = call(made);
    await before.done;
    expect(before.trailers?.get('grpc-status')).toBe('0');
    await first.close(0);
    const between = call(made);
    await between.done;
    expect(between.cause).toBe(ResetCause.UNPROCESSED);
    const second = await startEcho(names, port);
    closers.push(() => second.close(0));
    const after = call(made);
    await after.done;
    expect(after.trailers?.get('grpc-status')).toBe('0');
  });

  it('gives up on a peer that is silent, or not HTTP/2', async () => {
    const silent = await raw(() => {});
    const errors: unknown[] = [];
    const slow = client(silent.port, { connectTimeoutMs: 20, onConnectionError: (error) => errors.push(error) });
    const waiting = call(slow);
    await waiting.done;
    expect(waiting.cause).toBe(ResetCause.UNPROCESSED);
    expect(String(errors[0])).toBe('Error: no HTTP/2 connection within 20 ms');
    const http1 = await raw((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    const wrong = call(client(http1.port));
    await wrong.done;
    expect(wrong.cause).toBe(ResetCause.UNPROCESSED);
  });

  it('tells streams that were under way that the connection is lost', async () => {
    const { listener, held } = await holding();
    const made = client(listener.address.port);
    const recorder = call(made);
    await recorder.until(() => recorder.headers !== undefined);
    expect(held.length).toBe(1);
    await listener.close(0);
    await recorder.done;
    expect(recorder.cause).toBe(ResetCause.CONNECTION);
    expect(made.outstanding).toBe(0);
  });
});

describe('a client that got GOAWAY', () => {
  it('lets streams go on, and opens new ones on a new connection', async () => {
    const { listener, held } = await holding();
    const { port } = listener.address;
    const made = client(port);
    const first = call(made);
    await first.until(() => first.headers !== undefined);
    const closed = listener.close(10_000);
    // The old listener has let go of the port; another takes it.
    const other = await holding(port);
    await new Promise<void>((resolve) => {
      const look = () => (made.connections === 1 && other.held.length === 0 ? tryNext() : resolve());
      const tryNext = () => {
        const probe = call(made);
        void probe.until(() => probe.headers !== undefined || probe.code !== undefined).then(() => setImmediate(look));
      };
      tryNext();
    });
    expect(other.held.length).toBe(1);
    expect(first.code).toBeUndefined();
    for (const one of held) one.stream?.sendTrailers(block({ 'grpc-status': '0' }), undefined);
    await first.done;
    expect(first.trailers?.get('grpc-status')).toBe('0');
    await closed;
    while (made.connections > 1) await new Promise((resolve) => setImmediate(resolve));
  });

  it('fails streams above the last id as not processed', async () => {
    const peer = await raw((socket) => {
      socket.write(frame(4, 0, 0));
      let seen = 0;
      socket.on('data', (chunk: Buffer) => {
        seen += chunk.length;
        if (seen > 200) socket.write(frame(7, 0, 0, [...word(1), ...word(0)]));
      });
    });
    const made = client(peer.port, { maxConnections: 1 });
    const recorders = [call(made), call(made, `/${'long'.repeat(50)}`)];
    await recorders[1]?.done;
    expect(recorders.map((one) => one.cause)).toEqual([undefined, ResetCause.UNPROCESSED]);
  });
});

describe('a client with its pool used up', () => {
  it('lets so many wait, and refuses more', async () => {
    const { listener, held } = await holding();
    const made = client(listener.address.port, { maxConnections: 1, maxWaiting: 2 });
    const kept = [call(made), call(made)];
    const refused = call(made);
    await refused.done;
    expect(refused.cause).toBe(ResetCause.UNPROCESSED);
    await Promise.all(kept.map((one) => one.until(() => one.headers !== undefined)));
    expect(held.length).toBe(2);
  });

  it('forgets a request that is reset while it waits', async () => {
    const { listener, held } = await holding();
    const made = client(listener.address.port);
    const gone = call(made);
    const kept = call(made);
    gone.stream?.reset(ErrorCode.CANCEL);
    expect(made.outstanding).toBe(1);
    await kept.until(() => kept.headers !== undefined);
    expect(held.length).toBe(1);
    expect(gone.events).toEqual([]);
  });
});

describe('a client that is closed', () => {
  it('refuses new requests, lets those open go on, and ends its connections', async () => {
    const { listener, held } = await holding();
    const made = client(listener.address.port);
    const recorder = call(made);
    await recorder.until(() => recorder.headers !== undefined);
    const closed = made.close(10_000);
    const late = call(made);
    await late.done;
    expect(late.cause).toBe(ResetCause.UNPROCESSED);
    held[0]?.stream?.sendTrailers(block({ 'grpc-status': '0' }), undefined);
    await closed;
    expect(recorder.trailers?.get('grpc-status')).toBe('0');
    expect(made.connections).toBe(0);
  });

  it('ends also while it connects, and when streams do not end in time', async () => {
    const silent = await raw(() => {});
    const connecting = client(silent.port);
    const waiting = call(connecting);
    await connecting.close(0);
    expect(waiting.cause).toBe(ResetCause.UNPROCESSED);
    const { listener } = await holding();
    const made = client(listener.address.port);
    const recorder = call(made);
    await recorder.until(() => recorder.headers !== undefined);
    await made.close(1);
    expect(recorder.cause).toBe(ResetCause.CONNECTION);
  });
});
