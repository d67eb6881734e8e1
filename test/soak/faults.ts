import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { everythingPath } from '../support/everything-methods.ts';
import { Flag, FrameType, frame, grpcMessage, headers } from '../support/frames.ts';

// Clients that do what clients should not, each for a while, and then go.

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const SETTINGS = frame(FrameType.SETTINGS, 0, 0);
const ACK = frame(FrameType.SETTINGS, Flag.ACK, 0);
/** SETTINGS_INITIAL_WINDOW_SIZE (4) of 10 octets. */
const TINY_WINDOW = frame(FrameType.SETTINGS, 0, 0, Buffer.from([0, 4, 0, 0, 0, 10]));

export interface FaultContext {
  readonly port: number;
  readonly key: string;
  /** In [0, 1). */
  random(): number;
  /** Resolves after so many milliseconds, or when the round is over. */
  pause(ms: number): Promise<void>;
}

export type Fault = (context: FaultContext) => Promise<void>;

function request(key: string, stream: number, script: object, method: 'Unary' | 'ServerStream'): Buffer {
  const head = headers(stream, [
    [':method', 'POST'],
    [':scheme', 'http'],
    [':authority', 'gateway'],
    [':path', everythingPath(method)],
    ['content-type', 'application/grpc'],
    ['te', 'trailers'],
    ['authorization', `Bearer ${key}`],
    ['x-script', JSON.stringify(script)],
  ]);
  return Buffer.concat([head, frame(FrameType.DATA, Flag.END_STREAM, stream, grpcMessage(Buffer.from('hello')))]);
}

async function withSocket(context: FaultContext, use: (socket: Socket) => Promise<void>): Promise<void> {
  const socket = connect({ port: context.port, host: '127.0.0.1' });
  socket.on('error', () => {});
  try {
    await once(socket, 'connect');
    await use(socket);
  } catch {
    // The gateway may be quicker to close.
  } finally {
    if (context.random() < 0.5) socket.destroy();
    else socket.resetAndDestroy();
  }
}

export const FAULTS: Readonly<Record<string, Fault>> = {
  /** Connects, and says nothing, or the begin of something. */
  halfOpen: (context) =>
    withSocket(context, async (socket) => {
      socket.write(PREFACE.subarray(0, Math.floor(context.random() * (PREFACE.length + 1))));
      await context.pause(1_000);
    }),
  /** Asks for much, and reads none of it. */
  slowReader: (context) =>
    withSocket(context, async (socket) => {
      socket.pause();
      socket.write(Buffer.concat([PREFACE, context.random() < 0.5 ? TINY_WINDOW : SETTINGS, ACK]));
      for (let stream = 1; stream < 20; stream += 2) {
        socket.write(request(context.key, stream, { messages: 100, size: 10_000 }, 'ServerStream'));
      }
      await context.pause(1_000);
    }),
  /** Goes in the middle of calls that the backend holds. */
  vanishing: (context) =>
    withSocket(context, async (socket) => {
      socket.resume();
      socket.write(Buffer.concat([PREFACE, SETTINGS, ACK]));
      for (let stream = 1; stream < 20; stream += 2) {
        socket.write(request(context.key, stream, { hang: 'before-headers' }, 'Unary'));
      }
      await context.pause(300 * context.random());
    }),
  /** Speaks something else. */
  stranger: (context) =>
    withSocket(context, async (socket) => {
      socket.resume();
      const texts = ['GET /healthz HTTP/1.1\r\n\r\n', 'POST / HTTP/1.1\r\n\r\n', 'nonsense\r\n\r\n', '\x16\x03\x01'];
      const closed = once(socket, 'close');
      socket.write(texts[Math.floor(context.random() * texts.length)]!);
      await Promise.race([closed, context.pause(1_000)]);
      await context.pause(20);
    }),
  /** A frame that ends the connection, with a call under way. */
  violator: (context) =>
    withSocket(context, async (socket) => {
      socket.resume();
      const closed = once(socket, 'close');
      const wrong = frame(FrameType.DATA, 0, 0, Buffer.from('x'));
      socket.write(Buffer.concat([PREFACE, SETTINGS, ACK, request(context.key, 1, {}, 'Unary'), wrong]));
      await Promise.race([closed, context.pause(1_000)]);
      await context.pause(20);
    }),
};
