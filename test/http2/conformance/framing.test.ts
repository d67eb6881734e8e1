import { describe, expect, it } from 'vitest';
import { frame, WorkBench, word } from '../fake-socket.ts';
import {
  areAccepted,
  COMPRESSION_ERROR,
  client,
  END_HEADERS,
  END_STREAM,
  endTheConnection,
  FRAME_SIZE_ERROR,
  fields,
  goawayOf,
  open,
  PADDED,
  PREFACE,
  PRIORITY_FLAG,
  PROTOCOL_ERROR,
  respond,
  Type,
  whole,
} from './cases.ts';

// RFC 9113 sections 3.4 and 4: how a connection begins, frames, header blocks.

describe('a server, by section 3.4', () => {
  it.each([
    ['octets that are no preface', Buffer.from('INVALID CONNECTION PREFACE\r\n\r\n')],
    ['a preface that goes wrong in its last octet', Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\rx')],
    ['a first frame that is PING', Buffer.concat([PREFACE, frame(Type.PING, 0, 0, 'pingpong')])],
    ['a first frame that is the ACK of SETTINGS', Buffer.concat([PREFACE, frame(Type.SETTINGS, 1, 0)])],
    ['a first frame that is DATA', Buffer.concat([PREFACE, frame(Type.DATA, 0, 1, 'x')])],
    ['a first frame of an unknown type', Buffer.concat([PREFACE, frame(0x42, 0, 0)])],
  ])('ends the connection for %s', async (_rule, octets) => {
    const bench = new WorkBench();
    bench.feed(octets);
    expect(goawayOf(await bench.frames())).toBe(PROTOCOL_ERROR);
    expect(bench.socket.ended).toBe(true);
  });

  it('says nothing more when the preface goes on behind a wrong octet', async () => {
    for (let at = 0; at < PREFACE.length; at++) {
      const bench = new WorkBench();
      bench.feed(PREFACE.subarray(0, at));
      bench.feed(Buffer.from('\0'));
      await bench.frames();
      expect(bench.socket.ended).toBe(true);
      bench.feed(PREFACE.subarray(at));
      bench.feed(frame(Type.SETTINGS, 0, 0));
      expect(await bench.frames()).toEqual([]);
    }
  });

  it('sends SETTINGS first, and acknowledges those of the client', async () => {
    const bench = new WorkBench();
    bench.feed(Buffer.concat([PREFACE, frame(Type.SETTINGS, 0, 0, [0, 3, ...word(7)])]));
    const frames = await bench.frames();
    expect([frames[0]?.type, frames[0]?.flags]).toEqual([Type.SETTINGS, 0]);
    expect(frames.filter(({ type, flags }) => type === Type.SETTINGS && flags === 1)).toHaveLength(1);
  });
});

describe('a client, by section 3.4', () => {
  it('sends the preface and SETTINGS first, before it heard of the server', async () => {
    const bench = new WorkBench({ server: false });
    await new Promise((resolve) => setImmediate(resolve));
    const sent = Buffer.concat(bench.socket.taken);
    expect(sent.subarray(0, PREFACE.length).equals(PREFACE)).toBe(true);
    expect(sent[PREFACE.length + 3]).toBe(Type.SETTINGS);
  });

  it('ends the connection when the first frame of the server is not SETTINGS', async () => {
    for (const octets of [
      frame(Type.PING, 0, 0, 'pingpong'),
      frame(Type.SETTINGS, 1, 0),
      Buffer.from('HTTP/1.1 400'),
    ]) {
      const bench = new WorkBench({ server: false });
      bench.feed(octets);
      expect([PROTOCOL_ERROR, FRAME_SIZE_ERROR]).toContain(goawayOf(await bench.frames()));
    }
  });
});

describe('a server, by section 4.1', () => {
  areAccepted('server', [
    ['frames of unknown types', () => [frame(0x42, 0xff, 0, 'what'), frame(0xff, 0, 5)]],
    ['a frame of an unknown type on a stream', (b) => [open(b), frame(0x16, 0, 1, 'what')]],
    ['flags that are not defined', () => [frame(Type.PING, 0xfe, 0, 'pingpong')]],
    ['the reserved bit of a stream id', (b) => [frame(Type.HEADERS, END_HEADERS, 0x80000001, b.encode(fields()))]],
    ['the reserved bit of an increment', (b) => [open(b), frame(Type.WINDOW_UPDATE, 0, 1, word(0x80000001))]],
  ]);
});

describe('a server, by section 4.2', () => {
  endTheConnection('server', [
    ['DATA above SETTINGS_MAX_FRAME_SIZE', FRAME_SIZE_ERROR, (b) => [open(b), frame(0, 0, 1, Buffer.alloc(16_385))]],
    ['HEADERS above SETTINGS_MAX_FRAME_SIZE', FRAME_SIZE_ERROR, () => [frame(1, 4, 1, Buffer.alloc(16_385))]],
    ['an unknown frame above SETTINGS_MAX_FRAME_SIZE', FRAME_SIZE_ERROR, () => [frame(77, 0, 0, Buffer.alloc(16_385))]],
    [
      'CONTINUATION above SETTINGS_MAX_FRAME_SIZE',
      FRAME_SIZE_ERROR,
      (b) => [frame(1, 0, 1, b.encode(fields())), frame(9, 4, 1, Buffer.alloc(16_385))],
    ],
  ]);
  areAccepted('server', [
    ['DATA of exactly 16,384 octets', (b) => [open(b), frame(Type.DATA, 0, 1, Buffer.alloc(16_384))]],
    ['DATA without octets', (b) => [open(b), frame(Type.DATA, 0, 1), frame(Type.DATA, END_STREAM, 1)]],
  ]);
});

/** A header block in pieces: HEADERS, then CONTINUATION for each further cut. */
function inPieces(block: Buffer, cuts: readonly number[], flags = 0): Buffer[] {
  const edges = [0, ...cuts, block.length];
  return cuts.concat(0).map((_, index) => {
    const last = index === cuts.length ? END_HEADERS : 0;
    const piece = block.subarray(edges[index], edges[index + 1]);
    return frame(index === 0 ? Type.HEADERS : Type.CONTINUATION, index === 0 ? flags | last : last, 1, piece);
  });
}

describe('a server, by sections 4.3 and 6.10', () => {
  endTheConnection('server', [
    ['an index of HPACK that does not exist', COMPRESSION_ERROR, () => [frame(1, END_HEADERS, 1, [0xff, 0x7f])]],
    ['index 0', COMPRESSION_ERROR, () => [frame(1, END_HEADERS, 1, [0x80])]],
    ['a block that ends within a field', COMPRESSION_ERROR, () => [frame(1, END_HEADERS, 1, [0x82, 0x00, 0x05, 0x61])]],
    ['an integer without end', COMPRESSION_ERROR, () => [frame(1, END_HEADERS, 1, Array(8).fill(0xff))]],
    ['a table size above ours', COMPRESSION_ERROR, () => [frame(1, END_HEADERS, 1, [0x3f, 0xe2, 0x1f, 0x82])]],
    [
      'a table size behind a field',
      COMPRESSION_ERROR,
      (b) => [frame(1, END_HEADERS, 1, Buffer.concat([b.encode(fields()), Buffer.from([0x20])]))],
    ],
    [
      'Huffman padding of more than 7 bits',
      COMPRESSION_ERROR,
      () => [frame(1, 5, 1, [0, 0x82, 0x1f, 0xff, 0x01, 0x61])],
    ],
    ['Huffman padding of zeros', COMPRESSION_ERROR, () => [frame(1, 5, 1, [0, 0x81, 0x18, 0x01, 0x61])]],
    ['the EOS symbol', COMPRESSION_ERROR, () => [frame(1, 5, 1, [0, 0x84, 0xff, 0xff, 0xff, 0xff, 0x01, 0x61])]],
    [
      'a broken block of a stream that is refused all the same',
      COMPRESSION_ERROR,
      (b) => [whole(b), frame(1, END_HEADERS, 1, [0xff, 0x7f])],
    ],
    ['DATA within a block', PROTOCOL_ERROR, (b) => [...inPieces(b.encode(fields()), [3]).slice(0, 1), frame(0, 0, 1)]],
    [
      'PRIORITY within a block',
      PROTOCOL_ERROR,
      (b) => [frame(1, 0, 1, b.encode(fields())), frame(2, 0, 1, [0, 0, 0, 0, 1])],
    ],
    ['an unknown frame within a block', PROTOCOL_ERROR, (b) => [frame(1, 0, 1, b.encode(fields())), frame(0x42, 0, 1)]],
    ['HEADERS within a block', PROTOCOL_ERROR, (b) => [frame(1, 0, 1, b.encode(fields())), whole(b, 3)]],
    ['PING within a block', PROTOCOL_ERROR, (b) => [frame(1, 0, 1, b.encode(fields())), frame(6, 0, 0, 'pingpong')]],
    ['CONTINUATION of another stream', PROTOCOL_ERROR, (b) => [frame(1, 0, 1, b.encode(fields())), frame(9, 4, 3)]],
    ['CONTINUATION of stream 0', PROTOCOL_ERROR, (b) => [frame(1, 0, 1, b.encode(fields())), frame(9, 4, 0)]],
    ['CONTINUATION without HEADERS', PROTOCOL_ERROR, () => [frame(9, 4, 1)]],
    ['CONTINUATION behind HEADERS that were complete', PROTOCOL_ERROR, (b) => [open(b), frame(9, 4, 1)]],
    [
      'CONTINUATION behind CONTINUATION that was the last',
      PROTOCOL_ERROR,
      (b) => [...inPieces(b.encode(fields()), [3]), frame(9, END_HEADERS, 1)],
    ],
    ['CONTINUATION behind DATA', PROTOCOL_ERROR, (b) => [open(b), frame(0, 0, 1, 'x'), frame(9, END_HEADERS, 1)]],
  ]);
  areAccepted('server', [
    ['a block in one CONTINUATION behind empty HEADERS', (b) => inPieces(b.encode(fields()), [0])],
    ['a block in several CONTINUATIONs', (b) => inPieces(b.encode(fields()), [1, 2, 9])],
    ['END_STREAM on HEADERS in front of CONTINUATION', (b) => inPieces(b.encode(fields()), [4], END_STREAM)],
    [
      'two table sizes in front of a block',
      (b) => [frame(1, 5, 1, Buffer.concat([Buffer.from([0x20, 0x3f, 0xe1, 0x1f]), b.encode(fields())]))],
    ],
    [
      'HEADERS with padding and priority',
      (b) => [
        frame(
          Type.HEADERS,
          END_HEADERS | PADDED | PRIORITY_FLAG,
          1,
          Buffer.concat([Buffer.from([2, 0, 0, 0, 3, 9]), b.encode(fields()), Buffer.alloc(2)]),
        ),
      ],
    ],
  ]);
});

describe('a client, by section 4', () => {
  endTheConnection('client', [
    ['DATA above SETTINGS_MAX_FRAME_SIZE', FRAME_SIZE_ERROR, (b) => [respond(b), frame(0, 0, 1, Buffer.alloc(16_385))]],
    ['a block that HPACK cannot decode', COMPRESSION_ERROR, () => [frame(1, END_HEADERS, 1, [0xff, 0x7f])]],
    ['PING within a block', PROTOCOL_ERROR, () => [frame(1, 0, 1, [0x88]), frame(6, 0, 0, 'pingpong')]],
    ['CONTINUATION without HEADERS', PROTOCOL_ERROR, () => [frame(9, END_HEADERS, 1)]],
  ]);
  areAccepted('client', [
    ['frames of unknown types', () => [frame(0x42, 0xff, 0, 'what'), frame(0x42, 0, 1)]],
    ['a response over CONTINUATION', () => inPieces(Buffer.from([0x88]), [0])],
  ]);
  it('decodes the block of a response that nobody waits for: the state is shared (section 4.3)', async () => {
    const { bench, recorder } = client();
    recorder.stream?.reset(8);
    bench.feed(frame(Type.HEADERS, END_HEADERS, 1, [0xff, 0x7f]));
    expect(goawayOf(await bench.frames())).toBe(COMPRESSION_ERROR);
  });
});
