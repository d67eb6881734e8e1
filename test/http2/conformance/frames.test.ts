import { describe, expect, it } from 'vitest';
import { ErrorCode, ResetCause } from '../../../src/http2/index.ts';
import { frame, WorkBench, word } from '../fake-socket.ts';
import { block } from '../support.ts';
import {
  ACK,
  areAccepted,
  client,
  END_HEADERS,
  END_STREAM,
  endTheConnection,
  FLOW_CONTROL_ERROR,
  FRAME_SIZE_ERROR,
  goawayOf,
  open,
  PADDED,
  PROTOCOL_ERROR,
  resetsOf,
  resetTheStream,
  respond,
  Type,
  whole,
} from './cases.ts';

// RFC 9113 section 6, a describe for each type of frame, and section 7.

const OK = block({ ':status': '200' });
const setting = (id: number, value: number) => frame(Type.SETTINGS, 0, 0, [0, id, ...word(value)]);

describe('DATA, by section 6.1,', () => {
  endTheConnection('server', [
    ['stream 0', PROTOCOL_ERROR, () => [frame(Type.DATA, 0, 0, 'x')]],
    ['padding as long as the payload', PROTOCOL_ERROR, (b) => [open(b), frame(Type.DATA, PADDED, 1, [3, 1, 2])]],
    ['padding longer than the payload', PROTOCOL_ERROR, (b) => [open(b), frame(Type.DATA, PADDED, 1, [255, 1, 2])]],
    ['a pad length that is not there', FRAME_SIZE_ERROR, (b) => [open(b), frame(Type.DATA, PADDED, 1)]],
  ]);
  areAccepted('server', [
    ['padding alone', (b) => [open(b), frame(Type.DATA, PADDED, 1, [2, 0, 0])]],
    ['padding of nothing', (b) => [open(b), frame(Type.DATA, PADDED, 1, [0])]],
    ['padding that is not zero', (b) => [open(b), frame(Type.DATA, PADDED | END_STREAM, 1, [2, 65, 1, 2])]],
  ]);
});

describe('HEADERS, by section 6.2,', () => {
  endTheConnection('server', [
    ['stream 0', PROTOCOL_ERROR, (b) => [open(b, {}, 0)]],
    ['padding longer than the payload', PROTOCOL_ERROR, () => [frame(Type.HEADERS, END_HEADERS | PADDED, 1, [200, 1])]],
    ['padding as long as the payload', PROTOCOL_ERROR, () => [frame(Type.HEADERS, END_HEADERS | PADDED, 1, [2, 1])]],
    ['a pad length that is not there', FRAME_SIZE_ERROR, () => [frame(Type.HEADERS, END_HEADERS | PADDED, 1)]],
    ['a priority that is not all there', FRAME_SIZE_ERROR, () => [frame(Type.HEADERS, END_HEADERS | 0x20, 1, [1, 2])]],
  ]);
});

describe('PRIORITY, by section 6.3,', () => {
  endTheConnection('server', [
    ['stream 0', PROTOCOL_ERROR, () => [frame(Type.PRIORITY, 0, 0, [0, 0, 0, 0, 0])]],
    [
      '4 octets on an idle stream, which cannot be reset',
      FRAME_SIZE_ERROR,
      () => [frame(Type.PRIORITY, 0, 1, word(0))],
    ],
  ]);
  resetTheStream('server', [
    ['4 octets', FRAME_SIZE_ERROR, (b) => [open(b), frame(Type.PRIORITY, 0, 1, word(0))]],
    ['6 octets', FRAME_SIZE_ERROR, (b) => [open(b), frame(Type.PRIORITY, 0, 1, [0, 0, 0, 0, 0, 0])]],
  ]);
});

describe('RST_STREAM, by section 6.4,', () => {
  endTheConnection('server', [
    ['stream 0', PROTOCOL_ERROR, () => [frame(Type.RST_STREAM, 0, 0, word(8))]],
    ['an idle stream', PROTOCOL_ERROR, () => [frame(Type.RST_STREAM, 0, 1, word(8))]],
    ['3 octets', FRAME_SIZE_ERROR, (b) => [open(b), frame(Type.RST_STREAM, 0, 1, [0, 0, 8])]],
    ['5 octets', FRAME_SIZE_ERROR, (b) => [open(b), frame(Type.RST_STREAM, 0, 1, [0, 0, 0, 8, 0])]],
  ]);
});

describe('SETTINGS, by section 6.5,', () => {
  endTheConnection('server', [
    ['a stream', PROTOCOL_ERROR, () => [frame(Type.SETTINGS, 0, 1)]],
    ['5 octets', FRAME_SIZE_ERROR, () => [frame(Type.SETTINGS, 0, 0, [0, 0, 0, 0, 0])]],
    ['an ACK with payload', FRAME_SIZE_ERROR, () => [frame(Type.SETTINGS, ACK, 0, [0, 1, 0, 0, 0, 0])]],
    ['ENABLE_PUSH of 2', PROTOCOL_ERROR, () => [setting(2, 2)]],
    ['INITIAL_WINDOW_SIZE of 2^31', FLOW_CONTROL_ERROR, () => [setting(4, 0x80000000)]],
    ['MAX_FRAME_SIZE of 16,383', PROTOCOL_ERROR, () => [setting(5, 16_383)]],
    ['MAX_FRAME_SIZE of 2^24', PROTOCOL_ERROR, () => [setting(5, 0x1000000)]],
  ]);
  endTheConnection('client', [['ENABLE_PUSH of 1 from a server', PROTOCOL_ERROR, () => [setting(2, 1)]]]);
  areAccepted('server', [
    ['settings that nobody knows', () => [setting(99, 7), setting(0x10, 0xffffffff)]],
    ['one setting several times', () => [frame(Type.SETTINGS, 0, 0, [0, 3, ...word(1), 0, 3, ...word(9)])]],
    [
      'the limits of each',
      () => [setting(5, 0xffffff), setting(4, 0x7fffffff), setting(4, 0), setting(1, 0), setting(6, 0)],
    ],
    ['ENABLE_PUSH of 1 from a client', () => [setting(2, 1)]],
  ]);
  areAccepted('client', [['ENABLE_PUSH of 0 from a server', () => [setting(2, 0)]]]);

  it('each is acknowledged, in front of the DATA that it lets go (section 6.5.3)', async () => {
    const bench = new WorkBench().greet(setting(4, 0));
    bench.feed(whole(bench));
    const stream = bench.recorders.get(1)?.stream;
    stream?.sendHeaders(OK, undefined, false);
    stream?.sendData(Buffer.from('hello'), 0, 5, true);
    await bench.frames();
    bench.feed(setting(4, 1));
    bench.feed(setting(4, 9));
    const frames = await bench.frames();
    expect(frames.map(({ type, flags, payload }) => [type, flags, payload.toString()])).toEqual([
      [Type.SETTINGS, ACK, ''],
      [Type.DATA, 0, 'h'],
      [Type.SETTINGS, ACK, ''],
      [Type.DATA, END_STREAM, 'ello'],
    ]);
  });
});

describe('PUSH_PROMISE, by sections 6.6 and 8.4,', () => {
  endTheConnection('server', [
    ['any', PROTOCOL_ERROR, (b) => [open(b), frame(Type.PUSH_PROMISE, END_HEADERS, 1, word(2))]],
  ]);
  endTheConnection('client', [
    [
      'any, since ENABLE_PUSH is 0',
      PROTOCOL_ERROR,
      () => [frame(Type.PUSH_PROMISE, END_HEADERS, 1, [...word(2), 0x88])],
    ],
  ]);
});

describe('PING, by section 6.7,', () => {
  endTheConnection('server', [
    ['a stream', PROTOCOL_ERROR, () => [frame(Type.PING, 0, 1, 'pingpong')]],
    ['6 octets', FRAME_SIZE_ERROR, () => [frame(Type.PING, 0, 0, [1, 2, 3, 4, 5, 6])]],
    ['9 octets', FRAME_SIZE_ERROR, () => [frame(Type.PING, 0, 0, 'pingpong!')]],
  ]);
  areAccepted('server', [['an ACK of a PING that nobody sent', () => [frame(Type.PING, ACK, 0, 'pingpong')]]]);

  it('is answered with its octets, an ACK is not', async () => {
    const bench = new WorkBench().greet();
    await bench.frames();
    bench.feed(frame(Type.PING, ACK, 0, 'pingpong'));
    bench.feed(frame(Type.PING, 0, 0, 'abcdefgh'));
    const frames = await bench.frames();
    expect(frames.map(({ type, flags, payload }) => [type, flags, payload.toString()])).toEqual([
      [Type.PING, ACK, 'abcdefgh'],
    ]);
  });
});

describe('GOAWAY, by section 6.8,', () => {
  endTheConnection('server', [
    ['a stream', PROTOCOL_ERROR, () => [frame(Type.GOAWAY, 0, 1, [...word(0), ...word(0)])]],
    ['7 octets', FRAME_SIZE_ERROR, () => [frame(Type.GOAWAY, 0, 0, Buffer.alloc(7))]],
  ]);
  areAccepted('server', [
    ['with debug data', (b) => [whole(b), frame(Type.GOAWAY, 0, 0, [...word(0), ...word(0xfff), 1, 2, 3])]],
  ]);

  it('that comes again with a lower stream tells the streams between: not processed', async () => {
    const { bench, recorder } = client();
    bench.feed(frame(Type.GOAWAY, 0, 0, [...word(0x7fffffff), ...word(0)]));
    expect(recorder.cause).toBeUndefined();
    bench.feed(frame(Type.GOAWAY, 0, 0, [...word(0), ...word(0)]));
    expect(recorder.cause).toBe(ResetCause.UNPROCESSED);
    await bench.frames();
    expect(bench.socket.ended).toBe(true);
  });

  it('with an error leaves streams below it to end as they can', async () => {
    const { bench, recorder } = client();
    bench.feed(frame(Type.GOAWAY, 0, 0, [...word(1), ...word(ErrorCode.ENHANCE_YOUR_CALM)]));
    bench.feed(respond(bench, '200', END_HEADERS | END_STREAM));
    expect(recorder.events).toEqual(['headers.']);
  });
});

describe('WINDOW_UPDATE, by section 6.9,', () => {
  endTheConnection('server', [
    ['an increment of 0', PROTOCOL_ERROR, () => [frame(Type.WINDOW_UPDATE, 0, 0, word(0))]],
    ['3 octets', FRAME_SIZE_ERROR, () => [frame(Type.WINDOW_UPDATE, 0, 0, [0, 0, 1])]],
    ['3 octets on a stream', FRAME_SIZE_ERROR, (b) => [open(b), frame(Type.WINDOW_UPDATE, 0, 1, [0, 0, 1])]],
    ['a window above 2^31-1', FLOW_CONTROL_ERROR, () => [frame(Type.WINDOW_UPDATE, 0, 0, word(0x7fffffff))]],
    [
      'SETTINGS that raise the window of a stream above 2^31-1',
      FLOW_CONTROL_ERROR,
      (b) => [open(b), frame(Type.WINDOW_UPDATE, 0, 1, word(0x7fff0000)), setting(4, 0x7fffffff)],
    ],
    [
      'DATA above the window of the connection',
      FLOW_CONTROL_ERROR,
      (b) => {
        const pieces = [open(b), open(b, {}, 3), open(b, {}, 5), open(b, {}, 7), open(b, {}, 9), open(b, {}, 11)];
        pieces.push(open(b, {}, 13), open(b, {}, 15), open(b, {}, 17));
        b.feed(Buffer.concat(pieces));
        for (const recorder of b.recorders.values()) recorder.consuming = false;
        // 9 x 8 x 16,384 is above 1 MiB, and each stream within its own window.
        const data = [...b.recorders.keys()].map((id) => frame(Type.DATA, 0, id, Buffer.alloc(16_384)));
        return Array.from({ length: 8 }, () => Buffer.concat(data));
      },
    ],
  ]);
  resetTheStream('server', [
    ['an increment of 0', PROTOCOL_ERROR, (b) => [open(b), frame(Type.WINDOW_UPDATE, 0, 1, word(0))]],
    [
      'a window above 2^31-1',
      FLOW_CONTROL_ERROR,
      (b) => [
        open(b),
        frame(Type.WINDOW_UPDATE, 0, 1, word(0x7fff0000)),
        frame(Type.WINDOW_UPDATE, 0, 1, word(0x10000)),
      ],
    ],
    [
      'DATA above the window of the stream',
      FLOW_CONTROL_ERROR,
      (b) => {
        b.feed(open(b));
        const recorder = b.recorders.get(1);
        if (recorder !== undefined) recorder.consuming = false;
        return Array.from({ length: 9 }, () => frame(Type.DATA, 0, 1, Buffer.alloc(16_384)));
      },
    ],
  ]);
  areAccepted('server', [
    ['a window of exactly 2^31-1', () => [frame(Type.WINDOW_UPDATE, 0, 0, word(0x7fffffff - 65_535))]],
  ]);

  it('lets a window be negative after SETTINGS, until updates have made it positive (section 6.9.2)', async () => {
    const bench = new WorkBench().greet(setting(4, 3));
    bench.feed(whole(bench));
    const stream = bench.recorders.get(1)?.stream;
    stream?.sendHeaders(OK, undefined, false);
    stream?.sendData(Buffer.from('abcdef'), 0, 6, true);
    const data = async () => (await bench.frames()).filter(({ type }) => type === Type.DATA).map((f) => `${f.payload}`);
    expect(await data()).toEqual(['abc']);
    bench.feed(setting(4, 2)); // -1
    bench.feed(frame(Type.WINDOW_UPDATE, 0, 1, word(1))); // 0
    expect(await data()).toEqual([]);
    bench.feed(frame(Type.WINDOW_UPDATE, 0, 1, word(1)));
    expect(await data()).toEqual(['d']);
    bench.feed(frame(Type.WINDOW_UPDATE, 0, 1, word(100)));
    expect(await data()).toEqual(['ef']);
  });

  it('does not hold back HEADERS and trailers of streams without DATA', async () => {
    const bench = new WorkBench().greet(setting(4, 0));
    bench.feed(whole(bench));
    const stream = bench.recorders.get(1)?.stream;
    stream?.sendHeaders(OK, undefined, false);
    stream?.sendTrailers(block({ 'grpc-status': '0' }), undefined);
    expect((await bench.frames()).filter(({ type }) => type === Type.HEADERS)).toHaveLength(2);
  });
});

describe('error codes, by section 7,', () => {
  it('that nobody knows end a stream like others', async () => {
    const bench = new WorkBench().greet();
    bench.feed(open(bench));
    bench.feed(frame(Type.RST_STREAM, 0, 1, word(0xdeadbeef)));
    expect([bench.recorders.get(1)?.code, bench.connection.streams.count]).toEqual([0xdeadbeef, 0]);
    const frames = await bench.frames();
    expect([goawayOf(frames), resetsOf(frames)]).toEqual([undefined, []]);
  });
});
