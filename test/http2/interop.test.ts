import http2 from 'node:http2';
import { afterEach, describe, expect, it } from 'vitest';
import { startEcho } from '../../bench/micro/echo-backend.ts';
import { startProxy } from '../../bench/micro/pass-through.ts';
import { Client, ErrorCode, Listener, NameTable, ResetCause } from '../../src/http2/index.ts';
import { block, nodeCall, nodeServer, Recorder, request } from './support.ts';

const names = new NameTable();
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function session(port: number): Promise<http2.ClientHttp2Session> {
  const connected = http2.connect(`http://127.0.0.1:${port}`);
  connected.on('error', () => {});
  closers.push(() => connected.destroy());
  return connected;
}

async function echo(options = {}): Promise<Listener> {
  const listener = await startEcho(names, 0, options);
  closers.push(() => listener.close(0));
  return listener;
}

function client(port: number, options = {}): Client {
  const made = new Client({ names, target: { host: '127.0.0.1', port }, ...options });
  closers.push(() => made.close());
  return made;
}

async function proxy(port: number, options = {}) {
  const made = await startProxy({ names, target: { host: '127.0.0.1', port }, ...options });
  closers.push(() => made.close());
  return made;
}

describe.each(['handle', 'data'] as const)('a listener that reads by %s, called by node:http2', (reading) => {
  it('answers a unary call with headers, message and trailers', async () => {
    const listener = await echo({ reading });
    const reply = await nodeCall(await session(listener.address.port), { ':path': '/a' }, [Buffer.from('hello')]);
    expect(reply.headers[':status']).toBe(200);
    expect(reply.body.toString()).toBe('hello');
    expect(reply.trailers['grpc-status']).toBe('0');
    expect(reply.rstCode).toBe(0);
  });

  it('streams 5 MB both ways over many calls at once', async () => {
    const listener = await echo({ reading });
    const connected = await session(listener.address.port);
    const parts = Array.from({ length: 50 }, (_, index) => Buffer.alloc(10_000, index));
    const replies = await Promise.all(Array.from({ length: 10 }, () => nodeCall(connected, { ':path': '/a' }, parts)));
    for (const reply of replies) expect(reply.body.equals(Buffer.concat(parts))).toBe(true);
  });

  it('closes after the streams of a graceful close are done', async () => {
    const listener = await echo({ reading });
    const connected = await session(listener.address.port);
    const stream = connected.request({ ':method': 'POST', ':path': '/a' });
    await new Promise((resolve) => stream.once('response', resolve));
    const goaway = new Promise((resolve) => connected.once('goaway', resolve));
    const closed = listener.close(5_000);
    await goaway;
    stream.end('late');
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    expect(Buffer.concat(chunks).toString()).toBe('late');
    await closed;
    expect(listener.connections).toBe(0);
  });
});

describe('a listener', () => {
  it('takes header blocks over CONTINUATION, and sends them', async () => {
    const long = 'x'.repeat(20_000);
    const listener = await Listener.listen({
      host: '127.0.0.1',
      port: 0,
      names,
      onRequest: (stream, headers) => {
        stream.sendHeaders(block({ ':status': '200', long: headers.get('long') ?? '' }), undefined, true);
        return new Recorder();
      },
    });
    closers.push(() => listener.close(0));
    const reply = await nodeCall(await session(listener.address.port), { ':path': '/a', long }, undefined);
    expect(reply.headers.long).toBe(long);
  });

  it('answers 431 to a header list above its limit', async () => {
    const listener = await echo();
    const headers = { ':path': '/a', long: 'x'.repeat(40_000) };
    const reply = await nodeCall(await session(listener.address.port), headers, undefined);
    expect(reply.headers[':status']).toBe(431);
  });

  it('tells the handler that the client cancelled, with its code', async () => {
    const recorder = new Recorder();
    const listener = await Listener.listen({ host: '127.0.0.1', port: 0, names, onRequest: () => recorder });
    closers.push(() => listener.close(0));
    const stream = (await session(listener.address.port)).request({ ':method': 'POST', ':path': '/a' });
    stream.on('error', () => {});
    stream.write('x');
    await recorder.until(() => recorder.events.length > 0);
    // It ends its side first, and what it resets may come with that, or later.
    stream.close(http2.constants.NGHTTP2_CANCEL);
    await recorder.until(() => recorder.code !== undefined);
    expect([recorder.code, recorder.cause]).toEqual([ErrorCode.CANCEL, ResetCause.PEER]);
  });

  it('resets a stream with the code it is given', async () => {
    const listener = await Listener.listen({
      host: '127.0.0.1',
      port: 0,
      names,
      onRequest: (stream) => {
        stream.reset(ErrorCode.ENHANCE_YOUR_CALM);
        return new Recorder();
      },
    });
    closers.push(() => listener.close(0));
    const reply = await nodeCall(await session(listener.address.port), { ':path': '/a' }, [Buffer.from('x')]);
    expect(reply.rstCode).toBe(ErrorCode.ENHANCE_YOUR_CALM);
  });

  it('stops a client that still sends when the response has ended', async () => {
    const listener = await Listener.listen({
      host: '127.0.0.1',
      port: 0,
      names,
      onRequest: (stream) => {
        stream.sendHeaders(block({ ':status': '200' }), undefined, false);
        stream.sendTrailers(block({ 'grpc-status': '7' }), undefined);
        return new Recorder();
      },
    });
    closers.push(() => listener.close(0));
    const stream = (await session(listener.address.port)).request({ ':method': 'POST', ':path': '/a' });
    stream.write('never ends');
    const trailers = new Promise<http2.IncomingHttpHeaders>((resolve) => stream.once('trailers', resolve));
    stream.resume();
    expect((await trailers)['grpc-status']).toBe('7');
    await new Promise((resolve) => stream.once('close', resolve));
    expect(stream.rstCode).toBe(0);
  });

  it('resets the connection of a handler that throws, and goes on with others', async () => {
    const errors: unknown[] = [];
    const listener = await echo({ onError: (error: unknown) => errors.push(error) });
    const broken = await Listener.listen({
      host: '127.0.0.1',
      port: 0,
      names,
      onRequest: () => {
        throw new Error('a bug');
      },
      onError: (error) => errors.push(error),
    });
    closers.push(() => broken.close(0));
    const reply = await nodeCall(await session(broken.address.port), { ':path': '/a' }, undefined);
    expect(reply.headers).toEqual({});
    expect(errors.map(String)).toEqual(['Error: a bug']);
    const good = await nodeCall(await session(listener.address.port), { ':path': '/a' }, [Buffer.from('x')]);
    expect(good.body.toString()).toBe('x');
  });

  it('listens on a Unix socket', async () => {
    const path = `/tmp/http2-listener-${process.pid}.sock`;
    const listener = await startEcho(names, 0, { path });
    closers.push(() => listener.close(0));
    const made = new Client({ names, target: { path } });
    closers.push(() => made.close());
    const recorder = new Recorder();
    made.request(recorder, request('/a'), undefined, false).sendData(Buffer.from('hi'), 0, 2, true);
    await recorder.done;
    expect(recorder.body.toString()).toBe('hi');
  });
});

describe('a client, calling node:http2', () => {
  it('makes a unary call with trailers', async () => {
    const server = await nodeServer((stream) => {
      stream.respond({ ':status': 200 }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.pipe(stream);
    });
    closers.push(server.close);
    const recorder = new Recorder();
    const stream = client(server.port).request(recorder, request('/a'), undefined, false);
    expect(stream.id).toBe(0);
    stream.sendData(Buffer.from('hello'), 0, 5, true);
    expect(stream.queued).toBe(5);
    await recorder.done;
    expect(recorder.sent).toBe(5);
    expect(recorder.body.toString()).toBe('hello');
    expect(recorder.trailers?.get('grpc-status')).toBe('0');
    expect(recorder.events.at(-1)).toBe('trailers.');
  });

  it('sends trailers, also when it waited for the connection', async () => {
    const got: unknown[] = [];
    const server = await nodeServer((stream) => {
      stream.on('trailers', (trailers) => {
        got.push(trailers.x);
        stream.respond({ ':status': 200 }, { endStream: true });
      });
      stream.resume();
    });
    closers.push(server.close);
    const made = client(server.port);
    for (const value of ['1', '2']) {
      const recorder = new Recorder();
      const stream = made.request(recorder, request('/a'), undefined, false);
      stream.sendData(Buffer.from('hello'), 0, 5, false);
      stream.sendTrailers(block({ x: value }), undefined);
      await recorder.done;
      expect(recorder.events.at(-1)).toBe('headers.');
    }
    expect(got).toEqual(['1', '2']);
  });

  it('takes trailers-only responses, and skips informational ones', async () => {
    const server = await nodeServer((stream) => {
      stream.additionalHeaders({ ':status': 103 });
      stream.respond({ ':status': 200, 'grpc-status': '12' }, { endStream: true });
    });
    closers.push(server.close);
    const recorder = new Recorder();
    client(server.port).request(recorder, request('/a'), undefined, true);
    await recorder.done;
    expect(recorder.events).toEqual(['headers.']);
    expect(recorder.headers?.get('grpc-status')).toBe('12');
  });

  it('cancels with the code it is given, and is told of the peer code', async () => {
    const codes: number[] = [];
    let closed: () => void = () => {};
    const cancelled = new Promise<void>((resolve) => {
      closed = resolve;
    });
    const server = await nodeServer((stream, headers) => {
      if (headers[':path'] === '/server') stream.close(http2.constants.NGHTTP2_ENHANCE_YOUR_CALM);
      else stream.respond({ ':status': 200 });
      stream.on('close', () => {
        codes.push(stream.rstCode);
        if (headers[':path'] === '/client') closed();
      });
    });
    closers.push(server.close);
    const made = client(server.port);
    const first = new Recorder();
    made.request(first, request('/server'), undefined, false);
    await first.done;
    expect([first.code, first.cause]).toEqual([ErrorCode.ENHANCE_YOUR_CALM, ResetCause.PEER]);
    const second = new Recorder();
    const stream = made.request(second, request('/client'), undefined, false);
    await second.until(() => second.headers !== undefined);
    stream.reset(ErrorCode.CANCEL);
    await cancelled;
    expect(codes).toEqual([ErrorCode.ENHANCE_YOUR_CALM, ErrorCode.CANCEL]);
    expect(second.code).toBeUndefined();
  });

  it('opens another connection only when the concurrency of those open is used up', async () => {
    const streams: http2.ServerHttp2Stream[] = [];
    const recorders: Recorder[] = [];
    const server = await nodeServer(
      (stream) => {
        stream.respond({ ':status': 200 });
        streams.push(stream);
      },
      { settings: { maxConcurrentStreams: 2 } },
    );
    closers.push(server.close);
    const made = client(server.port, { maxConnections: 2 });
    for (let index = 0; index < 5; index++) {
      const recorder = new Recorder();
      recorders.push(recorder);
      made.request(recorder, request('/a'), undefined, true);
    }
    await Promise.all(recorders.slice(0, 4).map((one) => one.until(() => one.headers !== undefined)));
    expect([made.connections, made.outstanding]).toEqual([2, 5]);
    expect(recorders[4]!.events).toEqual([]);
    for (const stream of streams) stream.end();
    await recorders[4]!.until(() => recorders[4]!.headers !== undefined);
    expect(made.connections).toBe(2);
  });
});

describe('a proxy between node:http2 on both sides', () => {
  it('passes messages, trailers and 100 MB in bounded memory', async () => {
    let total = 0;
    const server = await nodeServer((stream) => {
      stream.respond({ ':status': 200 }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ got: String(total) }));
      stream.on('data', (chunk: Buffer) => {
        total += chunk.length;
      });
      stream.on('end', () => stream.end('done'));
    });
    closers.push(server.close);
    const passing = await proxy(server.port);
    const connected = await session(passing.port);
    const stream = connected.request({ ':method': 'POST', ':path': '/a' });
    stream.resume();
    const trailers = new Promise<http2.IncomingHttpHeaders>((resolve) => stream.once('trailers', resolve));
    const part = Buffer.alloc(1_000_000);
    const before = process.memoryUsage().rss;
    for (let index = 0; index < 100; index++) {
      if (!stream.write(part)) await new Promise((resolve) => stream.once('drain', resolve));
    }
    stream.end();
    expect((await trailers).got).toBe('100000000');
    expect(process.memoryUsage().rss - before).toBeLessThan(80_000_000);
  });

  it('answers 503 when nobody listens behind it', async () => {
    const server = await nodeServer(() => {});
    await server.close();
    const passing = await proxy(server.port);
    const reply = await nodeCall(await session(passing.port), { ':path': '/a' }, [Buffer.from('x')]);
    expect(reply.headers[':status']).toBe(503);
  });

  it('passes a reset of the backend on to the client, and a cancellation to the backend', async () => {
    let cancelled: (code: number) => void = () => {};
    const seen = new Promise<number>((resolve) => {
      cancelled = resolve;
    });
    const server = await nodeServer((stream, headers) => {
      if (headers[':path'] === '/reset') stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
      else stream.respond({ ':status': 200 });
      stream.on('close', () => {
        if (headers[':path'] === '/cancel') cancelled(stream.rstCode);
      });
    });
    closers.push(server.close);
    const passing = await proxy(server.port);
    const connected = await session(passing.port);
    const reply = await nodeCall(connected, { ':path': '/reset' }, undefined);
    expect(reply.rstCode).toBe(ErrorCode.INTERNAL_ERROR);
    const stream = connected.request({ ':method': 'POST', ':path': '/cancel' });
    stream.on('error', () => {});
    await new Promise((resolve) => stream.once('response', resolve));
    stream.close(http2.constants.NGHTTP2_CANCEL);
    expect(await seen).toBe(ErrorCode.CANCEL);
  });
});
