import { data, Flag, FrameType, frame, goaway, grpcMessage, headerBlock, headers, rstStream } from './frames.ts';
import type { Behaviour } from './raw-backend.ts';

// What backends do wrong, each in one place. Error codes are those of RFC 9113 section 7.

export const GRPC_HEADERS = [
  [':status', '200'],
  ['content-type', 'application/grpc'],
] as const;
const OK_TRAILERS = [['grpc-status', '0']] as const;
const END = Flag.END_STREAM | Flag.END_HEADERS;
const MESSAGE = grpcMessage(Buffer.from('hello'));

/** Answers a request as soon as it is complete. */
const answer = (frames: (stream: number) => readonly Buffer[]): Behaviour => ({
  onRequestEnd: (connection, stream) => connection.send(...frames(stream)),
});

/** Answers, then cuts the connection: `end` says FIN, `destroy` may say RST. */
const answerAndClose = (frames: (stream: number) => readonly Buffer[], how: 'end' | 'resetAndDestroy'): Behaviour => ({
  onRequestEnd: (connection, stream) => {
    connection.socket.write(Buffer.concat(frames(stream)), () => connection.socket[how]());
  },
});

const responseHeaders = (stream: number): Buffer => headers(stream, GRPC_HEADERS);
const okTrailers = (stream: number): Buffer => headers(stream, OK_TRAILERS, END);

/** One message and OK. */
export const healthy = answer((stream) => [responseHeaders(stream), data(stream, MESSAGE), okTrailers(stream)]);

/** The request is taken and never answered. */
export const silent: Behaviour = {};

/** A status that counts as a failure of the backend. */
export const failing = (code: number): Behaviour =>
  answer((stream) => [headers(stream, [...GRPC_HEADERS, ['grpc-status', String(code)], ['grpc-message', 'no']], END)]);

/** A trailers-only answer with this HTTP status and without `grpc-status`. */
export const httpStatus = (status: string): Behaviour =>
  answer((stream) => [
    headers(
      stream,
      [
        [':status', status],
        ['content-type', 'text/html'],
      ],
      END,
    ),
  ]);

/** RST_STREAM at a point of the answer. */
export const reset = {
  beforeHeaders: (code: number): Behaviour => answer((stream) => [rstStream(stream, code)]),
  afterHeaders: (code: number): Behaviour => answer((stream) => [responseHeaders(stream), rstStream(stream, code)]),
  insideMessage: (code: number): Behaviour =>
    answer((stream) => [responseHeaders(stream), data(stream, MESSAGE.subarray(0, 7)), rstStream(stream, code)]),
};

/** Answers that are wrong, by name. */
export const NONSENSE: Readonly<Record<string, Behaviour>> = {
  'ends without trailers': answer((stream) => [responseHeaders(stream), data(stream, MESSAGE, Flag.END_STREAM)]),
  'sends trailers without grpc-status': answer((stream) => [
    responseHeaders(stream),
    data(stream, MESSAGE),
    headers(stream, [['x-other', '1']], END),
  ]),
  'answers :status 800': httpStatus('800'),
  'answers :status abc': httpStatus('abc'),
  'answers without :status': answer((stream) => [headers(stream, [['content-type', 'application/grpc']], END)]),
  'answers HTML with 200': answer((stream) => [
    headers(stream, [
      [':status', '200'],
      ['content-type', 'text/html'],
    ]),
    data(stream, Buffer.from('<html>'), Flag.END_STREAM),
  ]),
  'sends an upper-case field name': answer((stream) => [
    headers(stream, [...GRPC_HEADERS, ['X-Upper', '1']]),
    okTrailers(stream),
  ]),
  'sends a line break in a value': answer((stream) => [
    headers(stream, [...GRPC_HEADERS, ['x-a', 'b\r\nc: d']]),
    okTrailers(stream),
  ]),
  'sends DATA before headers': answer((stream) => [data(stream, MESSAGE), okTrailers(stream)]),
  'sends random bytes': answer(() => [Buffer.from('6e6f6e73656e7365'.repeat(40), 'hex')]),
  'answers in HTTP/1.1': { onConnect: ({ socket }) => void socket.write('HTTP/1.1 400 Bad Request\r\n\r\n') },
  'sends a frame larger than allowed': answer((stream) => [
    frame(FrameType.DATA, 0, stream, Buffer.alloc(64), 0xffffff),
  ]),
  'sends broken HPACK': answer((stream) => [
    frame(FrameType.HEADERS, END, stream, Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff])),
  ]),
  'sends DATA on stream 0': answer(() => [data(0, MESSAGE)]),
  'breaks a header block with another frame': answer((stream) => [
    frame(FrameType.HEADERS, 0, stream, headerBlock(GRPC_HEADERS)),
    data(stream, MESSAGE),
  ]),
  'sends WINDOW_UPDATE of 0': answer((stream) => [frame(FrameType.WINDOW_UPDATE, 0, stream, Buffer.alloc(4))]),
};

/** Connections that end too early, by name. */
export const BROKEN: Readonly<Record<string, Behaviour>> = {
  'closes before the answer': answerAndClose(() => [], 'end'),
  'closes after the headers': answerAndClose((stream) => [responseHeaders(stream)], 'end'),
  'closes in the middle of a message': answerAndClose(
    (stream) => [responseHeaders(stream), data(stream, MESSAGE.subarray(0, 7))],
    'end',
  ),
  'closes in the middle of a frame': answerAndClose(
    (stream) => [responseHeaders(stream), data(stream, MESSAGE).subarray(0, 12)],
    'end',
  ),
  'resets the connection': answerAndClose((stream) => [responseHeaders(stream)], 'resetAndDestroy'),
  'closes at once': { onConnect: ({ socket }) => socket.destroy() },
  'says GOAWAY at once and closes': {
    onConnect: ({ socket }) => socket.end(Buffer.concat([settings(), goaway(0, 0)])),
  },
  'says GOAWAY instead of an answer': answerAndClose(() => [goaway(0, 2)], 'end'),
};

/** Accepts connections and says nothing at all, not even SETTINGS. */
export const mute: Behaviour = { onConnect: () => {} };

function settings(): Buffer {
  return frame(FrameType.SETTINGS, 0, 0);
}
