import { describe, expect, it } from 'vitest';
import { ErrorCode, ResetCause } from '../../../src/http2/index.ts';
import { frame, WorkBench, word } from '../fake-socket.ts';
import { block } from '../support.ts';
import {
  areAccepted,
  client,
  END_HEADERS,
  END_STREAM,
  endTheConnection,
  fields,
  goawayOf,
  open,
  PRIORITY_FLAG,
  PROTOCOL_ERROR,
  REFUSED_STREAM,
  resetsOf,
  resetTheStream,
  respond,
  STREAM_CLOSED,
  Type,
  trailers,
  whole,
} from './cases.ts';

// RFC 9113 sections 5.1 to 5.5: states of streams, their ids, how many, priority, errors, extensions.

const CANCEL = frame(Type.RST_STREAM, 0, 1, word(8));
/** Answers stream 1 whole: it is closed then. */
function answered(bench: WorkBench): Buffer[] {
  bench.feed(whole(bench));
  bench.recorders.get(1)?.stream?.sendHeaders(block({ ':status': '200' }), undefined, true);
  return [];
}

describe('a server, on an idle stream (section 5.1)', () => {
  endTheConnection('server', [
    ['DATA', PROTOCOL_ERROR, () => [frame(Type.DATA, 0, 1, 'x')]],
    ['RST_STREAM', PROTOCOL_ERROR, () => [CANCEL]],
    ['WINDOW_UPDATE', PROTOCOL_ERROR, () => [frame(Type.WINDOW_UPDATE, 0, 1, word(8))]],
    ['CONTINUATION', PROTOCOL_ERROR, () => [frame(Type.CONTINUATION, END_HEADERS, 1)]],
    ['DATA on an even stream', PROTOCOL_ERROR, () => [frame(Type.DATA, 0, 2, 'x')]],
  ]);
  areAccepted('server', [['PRIORITY', () => [frame(Type.PRIORITY, 0, 1, [0, 0, 0, 0, 1])]]]);
});

describe('a server, on a half-closed stream (section 5.1)', () => {
  resetTheStream('server', [
    ['DATA', STREAM_CLOSED, (b) => [whole(b), frame(Type.DATA, 0, 1, 'x')]],
    ['empty DATA', STREAM_CLOSED, (b) => [whole(b), frame(Type.DATA, END_STREAM, 1)]],
    ['HEADERS', STREAM_CLOSED, (b) => [whole(b), trailers(b)]],
    ['DATA behind trailers', STREAM_CLOSED, (b) => [open(b), trailers(b), frame(Type.DATA, 0, 1, 'x')]],
    ['DATA behind the last', STREAM_CLOSED, (b) => [open(b), frame(0, END_STREAM, 1, 'x'), frame(0, 0, 1, 'x')]],
  ]);
  areAccepted('server', [
    ['WINDOW_UPDATE', (b) => [whole(b), frame(Type.WINDOW_UPDATE, 0, 1, word(8))]],
    ['PRIORITY', (b) => [whole(b), frame(Type.PRIORITY, 0, 1, [0, 0, 0, 0, 1])]],
    ['RST_STREAM', (b) => [whole(b), CANCEL]],
  ]);
});

describe('a server, on a closed stream (section 5.1)', () => {
  resetTheStream('server', [
    ['DATA behind the RST_STREAM of the client', STREAM_CLOSED, (b) => [open(b), CANCEL, frame(Type.DATA, 0, 1, 'x')]],
    ['DATA behind both ends', STREAM_CLOSED, (b) => [...answered(b), frame(Type.DATA, 0, 1, 'x')]],
  ]);
  endTheConnection('server', [
    ['HEADERS behind the RST_STREAM of the client', STREAM_CLOSED, (b) => [open(b), CANCEL, whole(b)]],
    ['HEADERS behind both ends', STREAM_CLOSED, (b) => [...answered(b), whole(b)]],
    ['CONTINUATION', PROTOCOL_ERROR, (b) => [...answered(b), frame(Type.CONTINUATION, END_HEADERS, 1)]],
  ]);
  areAccepted('server', [
    ['WINDOW_UPDATE', (b) => [...answered(b), frame(Type.WINDOW_UPDATE, 0, 1, word(8))]],
    ['PRIORITY', (b) => [...answered(b), frame(Type.PRIORITY, 0, 1, [0, 0, 0, 0, 1])]],
    ['RST_STREAM', (b) => [...answered(b), CANCEL]],
    ['RST_STREAM twice', (b) => [open(b), CANCEL, CANCEL]],
  ]);

  it('ignores what a client sent before it knew of our RST_STREAM, and keeps the state of HPACK', async () => {
    const bench = new WorkBench().greet();
    bench.feed(open(bench));
    bench.recorders.get(1)?.stream?.reset(ErrorCode.CANCEL);
    bench.feed(frame(Type.DATA, 0, 1, 'late'));
    bench.feed(frame(Type.WINDOW_UPDATE, 0, 1, word(8)));
    const late = block({ 'x-late': 'indexed by the encoder of the client' }).fields;
    bench.feed(frame(Type.HEADERS, END_HEADERS | END_STREAM, 1, bench.encode(late)));
    bench.feed(CANCEL);
    bench.feed(frame(Type.HEADERS, END_HEADERS | END_STREAM, 3, bench.encode([...fields(), ...late])));
    expect(bench.recorders.get(3)?.headers?.get('x-late')).toBe('indexed by the encoder of the client');
    const frames = await bench.frames();
    expect(resetsOf(frames)).toEqual([[1, ErrorCode.CANCEL]]);
    expect(goawayOf(frames)).toBeUndefined();
  });
});

describe('a server, by sections 5.1.1 and 5.1.2', () => {
  endTheConnection('server', [
    ['an even stream', PROTOCOL_ERROR, (b) => [open(b, {}, 2)]],
    // Either code fits: the stream is closed since 5 came, and its id is not the next (section 5.1.1).
    ['a stream below one that came before', STREAM_CLOSED, (b) => [whole(b, 5), open(b, {}, 3)]],
    ['a stream twice', STREAM_CLOSED, (b) => [...answered(b), open(b)]],
  ]);
  areAccepted('server', [['ids that leave others out', (b) => [whole(b, 7), whole(b, 21)]]]);

  it('refuses streams above its limit, the state of HPACK goes on, and takes others when there is room', async () => {
    const bench = new WorkBench({ settings: { maxConcurrentStreams: 1 } }).greet();
    bench.feed(open(bench));
    bench.feed(open(bench, { 'x-new': 'indexed' }, 3));
    expect(resetsOf(await bench.frames())).toEqual([[3, REFUSED_STREAM]]);
    bench.feed(CANCEL);
    bench.feed(open(bench, { 'x-new': 'indexed' }, 5));
    expect(bench.recorders.get(5)?.headers?.get('x-new')).toBe('indexed');
  });
});

describe('a server, by section 5.3', () => {
  areAccepted('server', [
    // Self-dependency was an error of RFC 7540 section 5.3.1; RFC 9113 has no such rule any more.
    ['PRIORITY on itself', (b) => [open(b), frame(Type.PRIORITY, 0, 1, [...word(1), 9])]],
    ['HEADERS that depend on themselves', (b) => [frame(1, END_HEADERS | PRIORITY_FLAG, 1, prioritized(b, 1))]],
    ['HEADERS that depend on an idle stream', (b) => [frame(1, END_HEADERS | PRIORITY_FLAG, 1, prioritized(b, 77))]],
    ['PRIORITY for a stream that was never opened', () => [frame(Type.PRIORITY, 0, 3, [...word(5), 9])]],
  ]);
});

function prioritized(bench: WorkBench, on: number): Buffer {
  return Buffer.concat([Buffer.from([...word(on), 255]), bench.encode(fields())]);
}

describe('a server, by section 5.4', () => {
  it('says in GOAWAY which stream was the last, and sends nothing behind it', async () => {
    const bench = new WorkBench().greet();
    bench.feed(whole(bench, 7));
    await bench.frames();
    bench.feed(frame(Type.PING, 0, 1, 'pingpong'));
    bench.feed(frame(Type.PING, 0, 0, 'pingpong'));
    bench.feed(whole(bench, 9));
    bench.recorders.get(7)?.stream?.sendHeaders(block({ ':status': '200' }), undefined, true);
    const frames = await bench.frames();
    expect(frames.map(({ type }) => type)).toEqual([Type.GOAWAY]);
    expect(frames[0]?.payload.readUInt32BE(0)).toBe(7);
    expect([...bench.recorders.keys()]).toEqual([7]);
  });

  it('never answers RST_STREAM with RST_STREAM (section 5.4.2)', async () => {
    const bench = new WorkBench().greet();
    bench.feed(open(bench));
    for (let index = 0; index < 3; index++) bench.feed(CANCEL);
    expect(resetsOf(await bench.frames())).toEqual([]);
  });
});

describe('a client, on an idle stream (section 5.1)', () => {
  endTheConnection('client', [
    ['HEADERS', PROTOCOL_ERROR, () => [frame(Type.HEADERS, END_HEADERS, 3, [0x88])]],
    ['HEADERS on an even stream', PROTOCOL_ERROR, () => [frame(Type.HEADERS, END_HEADERS, 2, [0x88])]],
    ['DATA', PROTOCOL_ERROR, () => [frame(Type.DATA, 0, 3, 'x')]],
    ['RST_STREAM', PROTOCOL_ERROR, () => [frame(Type.RST_STREAM, 0, 3, word(8))]],
    ['WINDOW_UPDATE', PROTOCOL_ERROR, () => [frame(Type.WINDOW_UPDATE, 0, 3, word(8))]],
  ]);
});

describe('a client, on a stream of its own (section 5.1)', () => {
  resetTheStream('client', [
    ['DATA in front of headers', PROTOCOL_ERROR, () => [frame(Type.DATA, 0, 1, 'x')]],
    ['DATA behind the end of the response', STREAM_CLOSED, (b) => [respond(b, '200', 5), frame(Type.DATA, 0, 1, 'x')]],
  ]);
  endTheConnection('client', [
    ['HEADERS behind the end of the response', STREAM_CLOSED, (b) => [respond(b, '200', 5), respond(b)]],
  ]);
  areAccepted('client', [
    ['WINDOW_UPDATE behind the end', (b) => [respond(b, '200', 5), frame(Type.WINDOW_UPDATE, 0, 1, word(8))]],
    ['RST_STREAM behind the end', (b) => [respond(b, '200', 5), frame(Type.RST_STREAM, 0, 1, word(0))]],
    ['PRIORITY', () => [frame(Type.PRIORITY, 0, 1, [0, 0, 0, 0, 1])]],
  ]);

  it('ignores the response to a request that it has cancelled, and its octets count against nothing', async () => {
    const { bench, recorder } = client(false);
    recorder.stream?.reset(ErrorCode.CANCEL);
    bench.feed(respond(bench));
    bench.feed(frame(Type.DATA, 0, 1, Buffer.alloc(10_000)));
    bench.feed(trailers(bench));
    const frames = await bench.frames();
    expect(resetsOf(frames)).toEqual([[1, ErrorCode.CANCEL]]);
    expect(goawayOf(frames)).toBeUndefined();
    expect(recorder.events).toEqual([]);
  });

  it('takes nobody at his word who says after the response that the request was not processed', () => {
    const refused = client();
    refused.bench.feed(respond(refused.bench));
    refused.bench.feed(frame(Type.RST_STREAM, 0, 1, word(REFUSED_STREAM)));
    expect([refused.recorder.code, refused.recorder.cause]).toEqual([REFUSED_STREAM, ResetCause.PEER]);
    const above = client();
    above.bench.feed(respond(above.bench));
    above.bench.feed(frame(Type.GOAWAY, 0, 0, [...word(0), ...word(0)]));
    expect(above.recorder.cause).toBe(ResetCause.CONNECTION);
  });

  it('is told what came with the end of the connection, which ends before the turn does', async () => {
    const { bench, recorder } = client();
    const octets = Buffer.concat([respond(bench), trailers(bench)]);
    bench.connection.read(octets, 0, octets.length);
    expect(recorder.events).toEqual([]);
    bench.socket.emit('end');
    await recorder.done;
    expect(recorder.events).toEqual(['headers', 'trailers.']);
    expect(recorder.code).toBeUndefined();
  });

  it('is told of a reset once, with its code, whatever the code', () => {
    for (const code of [0, 1, 2, 5, 8, 11, 13, 0xabcdef, 0xffffffff]) {
      const { bench, recorder } = client();
      bench.feed(frame(Type.RST_STREAM, 0, 1, word(code)));
      bench.feed(frame(Type.RST_STREAM, 0, 1, word(code)));
      expect(recorder.events).toEqual(['reset']);
      expect([recorder.code, recorder.cause]).toEqual([code, ResetCause.PEER]);
    }
  });
});
