import type { FloodKind } from '../../src/http2/index.ts';
import { data, Flag, FrameType, frame, rstStream, windowUpdate } from '../support/frames.ts';
import { call } from './attacker.ts';

/** A flood that ends with GOAWAY: what it sends, and what that must lead to. */
export interface Flood {
  readonly name: string;
  /** Under which it is counted. */
  readonly kind: FloodKind;
  /** Units (frames, streams) that may pass before the connection is closed. */
  readonly limit: number;
  readonly unit: 'frames' | 'streams';
  /** Sent once, before. */
  readonly opening?: ((target: Target) => Buffer) | undefined;
  /** The unit numbered `index`, from 0. */
  readonly one: (index: number, target: Target) => Buffer;
  /** The attacker does not read. */
  readonly deaf?: boolean;
}

/** Who is attacked: a method that waits for its request, and a key for it. */
export interface Target {
  readonly path: string;
  readonly key: string;
}

export const ENHANCE_YOUR_CALM = 11;
const PRIORITY = 2;
const PADDED = 8;
const CANCEL = 8;
const EIGHT = Buffer.alloc(8);
const begin = ({ path, key }: Target, id = 1) => call(id, path, key);
const idOf = (index: number) => 2 * index + 1;

/** A literal with incremental indexing of 4,000 octets, then as many references to it as fit. */
function bomb(index: number, target: Target): Buffer {
  const name = Buffer.from('x-bomb');
  const literal = Buffer.concat([
    Buffer.from([0x40, name.length]),
    name,
    Buffer.from([0x7f, 0xa1, 0x1e]),
    Buffer.alloc(4_000, 97),
  ]);
  const first = index === 0 ? literal : Buffer.alloc(0);
  const base = begin(target).subarray(9);
  const block = Buffer.concat([base, first, Buffer.alloc(16_000 - base.length - first.length, 0xbe)]);
  return frame(FrameType.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, idOf(index), block);
}

export const FLOODS: readonly Flood[] = [
  {
    name: 'rapid reset',
    kind: 'rapid_reset',
    limit: 500,
    unit: 'streams',
    one: (index, target) => Buffer.concat([begin(target, idOf(index)), rstStream(idOf(index), CANCEL)]),
  },
  {
    name: 'made you reset: window updates of 0',
    kind: 'made_you_reset',
    limit: 500,
    unit: 'streams',
    one: (index, target) => Buffer.concat([begin(target, idOf(index)), windowUpdate(idOf(index), 0)]),
  },
  {
    name: 'made you reset: windows that overflow',
    kind: 'made_you_reset',
    limit: 500,
    unit: 'streams',
    one: (index, target) => Buffer.concat([begin(target, idOf(index)), windowUpdate(idOf(index), 0x7fffffff)]),
  },
  {
    name: 'made you reset: DATA behind the end',
    kind: 'made_you_reset',
    limit: 500,
    unit: 'streams',
    one: (index, target) =>
      Buffer.concat([begin(target, idOf(index)), data(idOf(index), EIGHT, Flag.END_STREAM), data(idOf(index), EIGHT)]),
  },
  {
    name: 'made you reset: PRIORITY of a wrong length',
    kind: 'made_you_reset',
    limit: 500,
    unit: 'streams',
    one: (index, target) => Buffer.concat([begin(target, idOf(index)), frame(PRIORITY, 0, idOf(index), EIGHT)]),
  },
  {
    name: 'CONTINUATION without end',
    kind: 'continuation',
    limit: 8,
    unit: 'frames',
    opening: ({ path, key }) => call(1, path, key, { flags: 0 }),
    one: () => frame(FrameType.CONTINUATION, 0, 1),
  },
  {
    name: 'CONTINUATION of full size',
    kind: 'continuation',
    limit: 4,
    unit: 'frames',
    opening: ({ path, key }) => call(1, path, key, { flags: 0 }),
    one: () => frame(FrameType.CONTINUATION, 0, 1, Buffer.alloc(16_384)),
  },
  {
    name: 'PING',
    kind: 'ping',
    limit: 1_000,
    unit: 'frames',
    one: () => frame(FrameType.PING, 0, 0, EIGHT),
  },
  {
    name: 'PING acknowledgements',
    kind: 'ping',
    limit: 1_000,
    unit: 'frames',
    one: () => frame(FrameType.PING, Flag.ACK, 0, EIGHT),
  },
  {
    name: 'SETTINGS',
    kind: 'settings',
    limit: 1_000,
    unit: 'frames',
    one: (index) => frame(FrameType.SETTINGS, 0, 0, Buffer.from([0, 4, 0, index & 1, 0, 0])),
  },
  {
    name: 'SETTINGS acknowledgements',
    kind: 'settings',
    limit: 1_000,
    unit: 'frames',
    one: () => frame(FrameType.SETTINGS, Flag.ACK, 0),
  },
  {
    name: 'PRIORITY',
    kind: 'priority',
    limit: 1_000,
    unit: 'frames',
    one: (index) => frame(PRIORITY, 0, idOf(index), Buffer.alloc(5)),
  },
  {
    name: 'WINDOW_UPDATE of the connection',
    kind: 'window_update',
    limit: 1_000,
    unit: 'frames',
    one: () => windowUpdate(0, 1),
  },
  {
    name: 'WINDOW_UPDATE of a stream',
    kind: 'window_update',
    limit: 1_000,
    unit: 'frames',
    opening: (target) => begin(target),
    one: () => windowUpdate(1, 1),
  },
  {
    name: 'empty DATA',
    kind: 'empty_data',
    limit: 1_000,
    unit: 'frames',
    opening: (target) => begin(target),
    one: () => data(1, Buffer.alloc(0)),
  },
  {
    name: 'DATA of padding only',
    kind: 'empty_data',
    limit: 1_000,
    unit: 'frames',
    opening: (target) => begin(target),
    one: () => data(1, Buffer.from([7, 0, 0, 0, 0, 0, 0, 0]), PADDED),
  },
  {
    name: 'HEADERS on a stream that was reset',
    kind: 'closed_stream',
    limit: 1_000,
    unit: 'frames',
    opening: (target) => Buffer.concat([begin(target), windowUpdate(1, 0)]),
    one: (_index, target) => begin(target),
  },
  {
    name: 'GOAWAY',
    kind: 'other_frames',
    limit: 1_000,
    unit: 'frames',
    one: () => frame(FrameType.GOAWAY, 0, 0, EIGHT),
  },
  {
    name: 'frames of no known type',
    kind: 'other_frames',
    limit: 1_000,
    unit: 'frames',
    one: () => frame(0xbe, 0, 0, EIGHT),
  },
  {
    name: 'HPACK bomb: references',
    kind: 'header_list',
    limit: 1,
    unit: 'streams',
    one: bomb,
  },
  {
    name: 'more fields than allowed',
    kind: 'header_list',
    limit: 500,
    unit: 'streams',
    one: (index, { path, key }) =>
      call(idOf(index), path, key, {
        flags: Flag.END_HEADERS | Flag.END_STREAM,
        more: Array.from({ length: 300 }, () => ['cookie', 'a=b'] as const),
      }),
  },
];
