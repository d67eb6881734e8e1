import { connect, type Socket } from 'node:net';
import { Flag, FrameCutter, FrameType, frame, headerBlock, type RawFrame } from '../support/frames.ts';
import { Watch } from '../support/watch.ts';

const NOTHING: Buffer = Buffer.alloc(0);
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

/** A client that sends what it likes. Bounded by who uses it: it sends nothing of its own but a greeting and its ACK. */
export class Attacker {
  readonly socket: Socket;
  readonly watch = new Watch();
  /** Frames received by type. */
  readonly received = new Map<number, number>();
  /** Payload octets of DATA received. */
  dataOctets = 0;
  /** Octets by which the server grew the windows, by stream; 0 is the connection. */
  readonly grown = new Map<number, number>();
  /** Streams that the server reset. */
  readonly resets: { readonly stream: number; readonly code: number }[] = [];
  /** Code and last stream of the GOAWAY, when one came. */
  goaway: { readonly code: number; readonly lastStream: number } | undefined;
  closed = false;
  readonly openedAt = performance.now();
  closedAt = Number.NaN;
  readonly #acknowledge: boolean;

  private constructor(socket: Socket, acknowledge: boolean) {
    this.socket = socket;
    this.#acknowledge = acknowledge;
    const cutter = new FrameCutter(false);
    socket.on('data', (chunk) => {
      for (const each of cutter.push(chunk)) this.#onFrame(each);
      this.watch.changed();
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      this.closed = true;
      this.closedAt = performance.now();
      this.watch.changed();
    });
  }

  /** @param greets sends the preface, and `settings`, and acknowledges those of the server */
  static async open(port: number, { greets = true, settings = NOTHING } = {}): Promise<Attacker> {
    const socket = connect(port, '127.0.0.1');
    socket.setNoDelay(true);
    const attacker = new Attacker(socket, greets);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    if (!greets) return attacker;
    socket.write(Buffer.concat([PREFACE, frame(FrameType.SETTINGS, 0, 0, settings)]));
    await attacker.watch.until(() => attacker.closed || attacker.count(FrameType.SETTINGS) >= 2);
    return attacker;
  }

  count(type: number): number {
    return this.received.get(type) ?? 0;
  }

  /** The server has said that it ends the connection, or has ended it. */
  get refused(): boolean {
    return this.closed || this.goaway !== undefined;
  }

  /** Sends chunk after chunk, as fast as they are taken, until the server ends it. @returns chunks sent */
  async flood(chunks: Iterable<Buffer>): Promise<number> {
    let sent = 0;
    for (const chunk of chunks) {
      if (this.refused) break;
      sent++;
      if (this.socket.write(chunk)) {
        // Let the answer be seen: the fewer chunks are under way, the truer the count.
        if (sent % 8 === 0) await new Promise((resolve) => setImmediate(resolve));
      } else {
        await Promise.race([new Promise((resolve) => this.socket.once('drain', resolve)), this.#end()]);
      }
    }
    return sent;
  }

  close(): void {
    this.socket.destroy();
  }

  async #end(): Promise<void> {
    await this.watch.until(() => this.refused);
  }

  #onFrame({ type, flags, stream, payload }: RawFrame): void {
    this.received.set(type, this.count(type) + 1);
    if (type === FrameType.DATA) this.dataOctets += payload.length;
    else if (type === FrameType.WINDOW_UPDATE) {
      this.grown.set(stream, (this.grown.get(stream) ?? 0) + payload.readUInt32BE(0));
    } else if (type === FrameType.RST_STREAM) this.resets.push({ stream, code: payload.readUInt32BE(0) });
    else if (type === FrameType.GOAWAY) {
      this.goaway = { lastStream: payload.readUInt32BE(0), code: payload.readUInt32BE(4) };
    } else if (type === FrameType.SETTINGS && (flags & Flag.ACK) === 0 && this.#acknowledge) {
      this.socket.write(frame(FrameType.SETTINGS, Flag.ACK, 0));
    }
  }
}

const FRAME = 16_384;

/** HEADERS of a gRPC call; at most two frames. */
export function call(
  stream: number,
  path: string,
  key: string,
  { flags = Flag.END_HEADERS as number, more = [] as readonly (readonly [string, string])[] } = {},
): Buffer {
  const fields = [
    [':method', 'POST'],
    [':scheme', 'http'],
    [':path', path],
    [':authority', 'test'],
    ['content-type', 'application/grpc'],
    ['te', 'trailers'],
    ['authorization', `Bearer ${key}`],
    ...more,
  ] as const;
  const block = headerBlock(fields);
  if (block.length <= FRAME) return frame(FrameType.HEADERS, flags, stream, block);
  return Buffer.concat([
    frame(FrameType.HEADERS, flags & ~Flag.END_HEADERS, stream, block.subarray(0, FRAME)),
    frame(FrameType.CONTINUATION, flags & Flag.END_HEADERS, stream, block.subarray(FRAME)),
  ]);
}
