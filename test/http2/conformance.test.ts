import { describe, expect, it } from 'vitest';
import { EngineStream, State } from '../../src/http2/engine-stream.ts';
import { ErrorCode, type Field, ResetCause } from '../../src/http2/index.ts';
import { type Frame, frame, WorkBench, word } from './fake-socket.ts';
import { block, Recorder, request } from './support.ts';

const { PROTOCOL_ERROR, FLOW_CONTROL_ERROR, REFUSED_STREAM } = ErrorCode;
const [DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION] = [
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9,
];
const END_STREAM = 1;
const END_HEADERS = 4;
const PADDED = 8;

function fields(more: Record<string, string> = {}): readonly Field[] {
  return request('/a', more).fields;
}

/** The code of the GOAWAY among the frames; the socket must then be ended. */
function goaway(frames: Frame[], bench: WorkBench): number | undefined {
  const found = frames.find((one) => one.type === GOAWAY);
  if (found !== undefined) expect(bench.socket.ended).toBe(true);
  return found?.payload.readUInt32BE(4);
}

function reset(frames: Frame[]): [id: number, code: number] | undefined {
  const found = frames.find((one) => one.type === RST_STREAM);
  return found === undefined ? undefined : [found.id, found.payload.readUInt32BE(0)];
}

/** Opens stream 1; the request goes on. */
function open(bench: WorkBench, more: Record<string, string> = {}, id = 1): Buffer {
  return frame(HEADERS, END_HEADERS, id, bench.encode(fields(more)));
}
/** Opens stream 1 with a request that is complete. */
function whole(bench: WorkBench, id = 1): Buffer {
  return frame(HEADERS, END_HEADERS | END_STREAM, id, bench.encode(fields()));
}

// What ends a connection or resets a stream stands in conformance/, rule by rule.

describe('a server', () => {
  it('ignores unknown frames, unknown settings, priorities and reserved bits', async () => {
    const bench = new WorkBench().greet(frame(SETTINGS, 0, 0, [0, 99, 1, 2, 3, 4]));
    bench.feed(frame(0x42, 0xff, 0, 'what'));
    bench.feed(frame(PRIORITY, 0, 7, [0, 0, 0, 1, 9]));
    bench.feed(frame(PING, 0, 0x80000000, 'pingpong'));
    bench.feed(
      frame(
        HEADERS,
        END_HEADERS | END_STREAM | PADDED | 0x20,
        1,
        Buffer.concat([Buffer.from([2, 0, 0, 0, 3, 9]), bench.encode(fields()), Buffer.alloc(2)]),
      ),
    );
    const frames = await bench.frames();
    expect(goaway(frames, bench)).toBeUndefined();
    expect(frames.find((one) => one.type === PING)?.payload.toString()).toBe('pingpong');
    expect(bench.recorders.get(1)?.events).toEqual(['request.']);
  });

  it('refuses streams above its limit, and takes them again when one is done', async () => {
    const bench = new WorkBench({ settings: { maxConcurrentStreams: 1 } }).greet();
    bench.feed(open(bench));
    bench.feed(open(bench, {}, 3));
    expect(reset(await bench.frames())).toEqual([3, REFUSED_STREAM]);
    bench.feed(frame(RST_STREAM, 0, 1, word(8)));
    bench.feed(open(bench, {}, 5));
    expect(bench.recorders.get(5)?.events).toEqual(['request']);
  });

  it('hands on DATA without padding, and gives padding back by itself', async () => {
    const bench = new WorkBench({ settings: { initialWindowSize: 65_535, connectionWindowSize: 65_535 } }).greet();
    bench.feed(open(bench));
    for (let index = 0; index < 400; index++) bench.feed(frame(DATA, PADDED, 1, [199, ...Buffer.alloc(200)]));
    const recorder = bench.recorders.get(1);
    expect(recorder?.body.length).toBe(400);
    expect(recorder?.code).toBeUndefined();
  });

  it('ignores what comes for a stream that it has just reset, but gives its octets back', async () => {
    const bench = new WorkBench({ settings: { connectionWindowSize: 65_535 } }).greet();
    bench.feed(open(bench));
    bench.recorders.get(1)?.stream?.reset(ErrorCode.CANCEL);
    await bench.frames();
    for (let index = 0; index < 10; index++) bench.feed(frame(DATA, 0, 1, Buffer.alloc(10_000)));
    bench.feed(frame(HEADERS, END_HEADERS | END_STREAM, 1, bench.encode(block({ x: 'y' }).fields)));
    const frames = await bench.frames();
    expect(frames.map((one) => [one.type, one.id])).toEqual([
      [WINDOW_UPDATE, 0],
      [WINDOW_UPDATE, 0],
    ]);
  });

  it('refuses DATA above the window of a stream, and above that of the connection', async () => {
    const bench = new WorkBench({ settings: { initialWindowSize: 65_535, connectionWindowSize: 80_000 } }).greet();
    bench.feed(open(bench));
    const recorder = bench.recorders.get(1);
    if (recorder !== undefined) recorder.consuming = false;
    for (let index = 0; index < 4; index++) bench.feed(frame(DATA, 0, 1, Buffer.alloc(16_384)));
    expect(reset(await bench.frames())).toEqual([1, FLOW_CONTROL_ERROR]);
    const other = new WorkBench({ settings: { initialWindowSize: 100_000, connectionWindowSize: 65_535 } }).greet();
    other.feed(open(other));
    const second = other.recorders.get(1);
    if (second !== undefined) second.consuming = false;
    for (let index = 0; index < 4; index++) other.feed(frame(DATA, 0, 1, Buffer.alloc(16_384)));
    expect(goaway(await other.frames(), other)).toBe(FLOW_CONTROL_ERROR);
  });

  it('ends a stream whose window is 0 with an empty frame', async () => {
    const bench = new WorkBench().greet(frame(SETTINGS, 0, 0, [0, 4, ...word(0)]));
    bench.feed(whole(bench));
    const stream = bench.recorders.get(1)?.stream;
    stream?.sendHeaders(block({ ':status': '200' }), undefined, false);
    stream?.sendData(Buffer.alloc(0), 0, 0, true);
    const last = (await bench.frames()).at(-1);
    expect([last?.type, last?.flags, last?.payload.length]).toEqual([DATA, END_STREAM, 0]);
    expect(bench.connection.streams.count).toBe(0);
  });

  it('makes one DATA frame of pieces that nothing comes between, within window and frame size', async () => {
    const bench = new WorkBench().greet();
    bench.feed(whole(bench));
    bench.feed(whole(bench, 3));
    const [first, second] = [1, 3].map((id) => bench.recorders.get(id)?.stream);
    for (const stream of [first, second]) stream?.sendHeaders(block({ ':status': '200' }), undefined, false);
    await bench.frames();
    const some = Buffer.from('abcdefgh');
    first?.sendData(some, 0, 2, false);
    first?.sendData(some, 2, 3, false);
    second?.sendData(some, 0, 1, false);
    first?.sendData(some, 3, 5, false);
    expect((await bench.frames()).map((one) => [one.id, one.payload.toString()])).toEqual([
      [1, 'abc'],
      [3, 'a'],
      [1, 'de'],
    ]);
    first?.sendData(Buffer.alloc(16_383), 0, 16_383, false);
    first?.sendData(some, 0, 8, false);
    first?.sendData(some, 0, 0, true);
    expect((await bench.frames()).map((one) => [one.flags, one.payload.length])).toEqual([
      [0, 16_383],
      [END_STREAM, 8],
    ]);
    second?.sendData(Buffer.alloc(65_534), 0, 65_534, false);
    second?.sendData(some, 0, 2, true);
    const sent = await bench.frames();
    expect(sent.reduce((sum, one) => sum + one.payload.length, 0)).toBe(65_535 - 16_397);
    expect(second?.queued).toBe(65_534 + 2 - (65_535 - 16_397));
  });

  it('sends a long header block over CONTINUATION', async () => {
    const bench = new WorkBench().greet();
    bench.feed(whole(bench));
    const value = '\u00ff'.repeat(40_000);
    bench.recorders.get(1)?.stream?.sendHeaders(block({ ':status': '200', x: value }), undefined, true);
    const frames = (await bench.frames()).filter((one) => one.id === 1);
    expect(frames.map((one) => [one.type, one.flags])).toEqual([
      [HEADERS, END_STREAM],
      [CONTINUATION, 0],
      [CONTINUATION, END_HEADERS],
    ]);
    expect(bench.decode(Buffer.concat(frames.map((one) => one.payload))).get('x')).toBe(value);
  });

  it('bounds header blocks in octets and in frames', async () => {
    const bench = new WorkBench().greet();
    bench.feed(frame(HEADERS, 0, 1, bench.encode(fields())));
    for (let index = 0; index < 9; index++) bench.feed(frame(CONTINUATION, 0, 1));
    expect(goaway(await bench.frames(), bench)).toBe(ErrorCode.ENHANCE_YOUR_CALM);
    const other = new WorkBench().greet();
    other.feed(frame(HEADERS, 0, 1, Buffer.alloc(16_384)));
    for (let index = 0; index < 4; index++) other.feed(frame(CONTINUATION, 0, 1, Buffer.alloc(16_384)));
    expect(goaway(await other.frames(), other)).toBe(ErrorCode.ENHANCE_YOUR_CALM);
  });

  it('calms a peer that resets too many streams, or pings too much, but not one within the rate', async () => {
    const bench = new WorkBench({ limits: { resetBurst: 10, resetRate: 5 } }).greet();
    let id = 1;
    const attack = (count: number) => {
      for (let left = count; left > 0; left--, id += 2) {
        bench.feed(open(bench, {}, id));
        bench.feed(frame(RST_STREAM, 0, id, word(8)));
      }
    };
    attack(10);
    bench.connection.watch.sweep(1_000);
    attack(5);
    expect(goaway(await bench.frames(), bench)).toBeUndefined();
    attack(1);
    expect(goaway(await bench.frames(), bench)).toBe(ErrorCode.ENHANCE_YOUR_CALM);
    const other = new WorkBench({ limits: { controlBurst: 10 } }).greet();
    for (let index = 0; index < 10; index++) other.feed(frame(PING, 0, 0, 'pingpong'));
    expect(goaway(await other.frames(), other)).toBe(ErrorCode.ENHANCE_YOUR_CALM);
  });

  it('stops to read from a peer that does not read, and goes on when it does', async () => {
    const bench = new WorkBench({ limits: { outputPause: 1_000 } }).greet();
    await bench.frames();
    bench.socket.stalled = true;
    for (let index = 0; index < 100; index++) bench.feed(frame(PING, 0, 0, 'pingpong'));
    expect(bench.socket.paused).toBe(true);
    await bench.frames();
    bench.socket.release();
    expect((await bench.frames()).length).toBe(100);
    expect(bench.socket.paused).toBe(false);
  });

  it('closes a connection whose handshake, header block or frame does not go on', async () => {
    const silent = new WorkBench();
    silent.connection.watch.sweep(9_000);
    expect(silent.socket.ended).toBe(false);
    silent.connection.watch.sweep(11_000);
    expect(goaway(await silent.frames(), silent)).toBe(ErrorCode.SETTINGS_TIMEOUT);
    silent.connection.watch.sweep(11_500);
    silent.connection.watch.sweep(13_000);
    expect(silent.socket.destroyed).toBe(true);
    for (const octets of [frame(HEADERS, 0, 1), Buffer.from([0, 0])]) {
      const bench = new WorkBench().greet();
      bench.connection.watch.sweep(60_000);
      bench.feed(octets);
      bench.connection.watch.sweep(61_000);
      bench.connection.watch.sweep(69_000);
      expect(bench.socket.ended).toBe(false);
      bench.connection.watch.sweep(72_000);
      await bench.frames();
      expect(bench.socket.ended).toBe(true);
    }
  });

  it('asks a silent peer whether it lives, and closes when it does not', async () => {
    const bench = new WorkBench({ limits: { keepaliveMs: 5_000, keepaliveTimeoutMs: 2_000 } }).greet();
    bench.connection.watch.sweep(1_000);
    bench.connection.watch.sweep(6_000);
    expect((await bench.frames()).at(-1)?.type).toBe(PING);
    bench.feed(frame(PING, 1, 0, Buffer.alloc(8)));
    bench.connection.watch.sweep(9_000);
    bench.connection.watch.sweep(14_000);
    expect(bench.socket.destroyed).toBe(false);
    bench.connection.watch.sweep(17_000);
    expect(bench.socket.destroyed).toBe(true);
  });

  it('still knows what the peer has indexed after a while without streams', async () => {
    const bench = new WorkBench().greet();
    const call = async (id: number): Promise<Recorder | undefined> => {
      bench.feed(frame(HEADERS, END_HEADERS | END_STREAM, id, bench.encode(request('/a', { 'x-kept': 'é' }).fields)));
      const recorder = bench.recorders.get(id);
      recorder?.stream?.sendHeaders(block({ ':status': '200' }), undefined, true);
      await bench.frames();
      return recorder;
    };
    await call(1);
    const known = bench.encode(request('/a', { 'x-kept': 'é' }).fields).length;
    expect(known).toBeLessThan(10); // Indices alone.
    for (const now of [1_000, 7_000, 14_000]) bench.connection.watch.sweep(now);
    expect((await call(3))?.headers?.get('x-kept')).toBe('é');
    for (const now of [20_000, 27_000]) bench.connection.watch.sweep(now);
    expect((await call(5))?.headers?.get('x-kept')).toBe('é');
  });

  it('answers HTTP/1 with 505, and other protocols with GOAWAY', async () => {
    const bench = new WorkBench();
    bench.feed(Buffer.from('GET / HTTP/1.1\r\n\r\n'));
    await new Promise((resolve) => setImmediate(resolve));
    expect(Buffer.concat(bench.socket.taken).toString()).toMatch(/^HTTP\/1.1 505 [\s\S]*\(no TLS\)\n$/);
    expect(bench.socket.ended).toBe(true);
    const other = new WorkBench();
    other.feed(Buffer.from([0x16, 3, 1, 0, 200]));
    expect(goaway(await other.frames(), other)).toBe(PROTOCOL_ERROR);
  });

  it('drains: GOAWAY, a round trip, GOAWAY with the last stream, the end', async () => {
    const bench = new WorkBench().greet();
    bench.feed(whole(bench));
    await bench.frames();
    bench.connection.drain();
    const [first, ping] = await bench.frames();
    expect([first?.type, first?.payload.readUInt32BE(0)]).toEqual([GOAWAY, 0x7fffffff]);
    bench.feed(whole(bench, 3));
    bench.feed(frame(PING, 1, 0, ping?.payload));
    bench.feed(whole(bench, 5));
    const [second] = await bench.frames();
    expect(second?.payload.readUInt32BE(0)).toBe(3);
    expect([...bench.recorders.keys()]).toEqual([1, 3]);
    for (const recorder of bench.recorders.values()) {
      expect(bench.socket.ended).toBe(false);
      recorder.stream?.sendHeaders(block({ ':status': '200' }), undefined, true);
      await bench.frames();
    }
    expect(bench.socket.ended).toBe(true);
  });
});

describe('a client', () => {
  function opened(endStream = true): { bench: WorkBench; recorder: Recorder; stream: EngineStream } {
    const bench = new WorkBench({ server: false }).greet();
    const recorder = new Recorder();
    const stream = new EngineStream(recorder);
    stream.state = State.HEADERS_SENT;
    bench.connection.open(stream, request('/a'), undefined, endStream);
    return { bench, recorder, stream };
  }
  const respond = (bench: WorkBench, status: string, flags = END_HEADERS, more = {}) =>
    bench.feed(frame(HEADERS, flags, 1, bench.encode(block({ ':status': status, ...more }).fields)));

  it.each(['99', '800', '1000', 'abc', '', '101'])('takes :status %j for malformed', async (status) => {
    const { bench, recorder } = opened();
    respond(bench, status, END_HEADERS | END_STREAM);
    expect([recorder.code, recorder.cause]).toEqual([PROTOCOL_ERROR, ResetCause.PROTOCOL]);
    expect(reset(await bench.frames())).toEqual([1, PROTOCOL_ERROR]);
  });

  it('takes DATA before headers, and a response without status, for malformed', () => {
    const first = opened();
    first.bench.feed(frame(DATA, 0, 1, 'x'));
    expect(first.recorder.cause).toBe(ResetCause.PROTOCOL);
    const second = opened();
    second.bench.feed(frame(HEADERS, END_HEADERS, 1, second.bench.encode(block({ x: 'y' }).fields)));
    expect(second.recorder.cause).toBe(ResetCause.PROTOCOL);
  });

  it('holds DATA against content-length, but for answers without content', () => {
    const short = opened();
    respond(short.bench, '200', END_HEADERS, { 'content-length': '3' });
    short.bench.feed(frame(DATA, END_STREAM, 1, 'xy'));
    expect(short.recorder.cause).toBe(ResetCause.PROTOCOL);
    const none = opened();
    respond(none.bench, '304', END_HEADERS | END_STREAM, { 'content-length': '3' });
    expect(none.recorder.events).toEqual(['headers.']);
  });

  it('tells REFUSED_STREAM, and GOAWAY below the stream, from other ends: not processed', () => {
    const refused = opened();
    refused.bench.feed(frame(RST_STREAM, 0, 1, word(REFUSED_STREAM)));
    expect(refused.recorder.cause).toBe(ResetCause.UNPROCESSED);
    const above = opened();
    above.bench.feed(frame(GOAWAY, 0, 0, [...word(0), ...word(0)]));
    expect(above.recorder.cause).toBe(ResetCause.UNPROCESSED);
    const below = opened();
    below.bench.feed(frame(GOAWAY, 0, 0, [...word(1), ...word(0)]));
    expect(below.recorder.cause).toBeUndefined();
    expect(below.bench.connection.hasRoom).toBe(false);
    respond(below.bench, '200', END_HEADERS | END_STREAM);
    expect(below.recorder.events).toEqual(['headers.']);
    expect(below.bench.connection.state).toBe('closing');
  });

  it('tells every stream when the connection is lost', async () => {
    const { bench, recorder } = opened();
    bench.socket.destroy();
    await recorder.done;
    expect(recorder.cause).toBe(ResetCause.CONNECTION);
  });

  it.each([
    ['PUSH_PROMISE', frame(PUSH_PROMISE, END_HEADERS, 1, word(2))],
    ['HEADERS on a stream that it did not open', frame(HEADERS, END_HEADERS, 3, [0x88])],
    ['HEADERS on an even stream', frame(HEADERS, END_HEADERS, 2, [0x88])],
    ['ENABLE_PUSH of 1', frame(SETTINGS, 0, 0, [0, 2, ...word(1)])],
  ])('ends the connection for %s', async (_name, octets) => {
    const { bench, recorder } = opened();
    bench.feed(octets);
    expect(goaway(await bench.frames(), bench)).toBe(PROTOCOL_ERROR);
    expect(recorder.cause).toBe(ResetCause.CONNECTION);
  });

  it('keeps what was received when NO_ERROR follows the trailers', () => {
    const { bench, recorder } = opened(false);
    respond(bench, '200');
    bench.feed(frame(DATA, 0, 1, 'hello'));
    bench.feed(frame(HEADERS, END_HEADERS | END_STREAM, 1, bench.encode(block({ x: 'y' }).fields)));
    bench.feed(frame(RST_STREAM, 0, 1, word(0)));
    expect(recorder.events).toEqual(['headers', 'data', 'trailers.', 'reset']);
    expect([recorder.code, recorder.cause]).toEqual([ErrorCode.NO_ERROR, ResetCause.PEER]);
  });
});
