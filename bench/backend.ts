/**
 * The echo backend, a program of its own: answers every request with its message. It is not the bottleneck because it does
 * nothing: request headers are not even decoded, since the answer does not depend on them (HPACK state of the other
 * direction is the proxy's affair). Over IPC it tells its port, and at each message how many requests it has answered.
 */
import { createServer, type Socket } from 'node:net';
import {
  Flag,
  FrameSplitter,
  FrameType,
  MAX_FRAME,
  OutputBuffer,
  PREFACE,
  Setting,
  settingsFrame,
  unpadded,
  windowUpdate,
} from './frames.ts';

const STREAM_WINDOW = 16 * 1024 * 1024;
const CONNECTION_WINDOW = 0x7fffffff;
const DEFAULT_WINDOW = 65_535;
/** Given back to the peer's connection window in portions of this size. */
const CREDIT = 16 * 1024 * 1024;

const literal = (text: string) => Buffer.concat([Buffer.from([text.length]), Buffer.from(text, 'latin1')]);
const STATUS_200 = Buffer.from([0x88]);
/** Header blocks: those that enter both fields into the dynamic table, those that refer to it, and those that do without. */
const FIRST = {
  headers: Buffer.concat([STATUS_200, Buffer.from([0x40 | 31]), literal('application/grpc')]),
  trailers: Buffer.concat([Buffer.from([0x40]), literal('grpc-status'), literal('0')]),
};
const INDEXED = { headers: Buffer.from([0x88, 0xbf]), trailers: Buffer.from([0xbe]) };
const LITERAL = {
  headers: Buffer.concat([STATUS_200, Buffer.from([0x0f, 31 - 15]), literal('application/grpc')]),
  trailers: Buffer.concat([Buffer.from([0x00]), literal('grpc-status'), literal('0')]),
};
/** "Dynamic Table Size Update" to 0 (RFC 7541 section 6.3), due once when the peer allows less than the default. */
const NO_TABLE = { ...LITERAL, headers: Buffer.concat([Buffer.from([0x20]), LITERAL.headers]) };

interface Exchange {
  readonly id: number;
  chunks: Buffer[];
  sendWindow: number;
  /** The answer while the peer's windows hold it up. */
  pending: Buffer | undefined;
  trailers: Buffer;
}

let answered = 0;

class Connection {
  readonly #socket: Socket;
  readonly #splitter = new FrameSplitter();
  readonly #out = new OutputBuffer();
  readonly #exchanges = new Map<number, Exchange>();
  #prefaceLeft = PREFACE.length;
  #initialWindow = DEFAULT_WINDOW;
  #sendWindow = DEFAULT_WINDOW;
  #received = 0;
  #blocks: { headers: Buffer; trailers: Buffer } = FIRST;
  #nextBlocks: { headers: Buffer; trailers: Buffer } = INDEXED;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#out.append(
      settingsFrame([
        [Setting.MAX_CONCURRENT_STREAMS, 2000],
        [Setting.INITIAL_WINDOW_SIZE, STREAM_WINDOW],
      ]),
    );
    this.#out.append(windowUpdate(0, CONNECTION_WINDOW - DEFAULT_WINDOW));
    this.#flush();
    socket.on('data', (chunk) => this.#onRead(chunk));
  }

  #onRead(chunk: Buffer): void {
    const skip = Math.min(this.#prefaceLeft, chunk.length);
    this.#prefaceLeft -= skip;
    this.#splitter.push(skip === 0 ? chunk : chunk.subarray(skip), this.#onFrame);
    this.#flush();
  }

  #flush(): void {
    const octets = this.#out.take();
    if (octets !== undefined) this.#socket.write(octets);
  }

  readonly #onFrame = (type: number, flags: number, id: number, buffer: Buffer, start: number, end: number): void => {
    if (type === FrameType.DATA) this.#onData(flags, id, buffer, start, end);
    else if (type === FrameType.HEADERS) this.#onHeaders(flags, id);
    else if (type === FrameType.WINDOW_UPDATE) this.#onWindowUpdate(id, buffer.readUInt32BE(start));
    else if (type === FrameType.SETTINGS && (flags & Flag.ACK) === 0) this.#onSettings(buffer, start, end);
    else if (type === FrameType.PING && (flags & Flag.ACK) === 0) {
      this.#out.frame(FrameType.PING, Flag.ACK, 0, buffer.subarray(start, end));
    } else if (type === FrameType.RST_STREAM) this.#exchanges.delete(id);
  };

  #onHeaders(flags: number, id: number): void {
    const known = this.#exchanges.get(id);
    const exchange = known ?? {
      id,
      chunks: [],
      sendWindow: this.#initialWindow,
      pending: undefined,
      trailers: LITERAL.trailers,
    };
    if (known === undefined) this.#exchanges.set(id, exchange);
    if ((flags & Flag.END_STREAM) !== 0) this.#answer(exchange);
  }

  #onData(flags: number, id: number, buffer: Buffer, frameStart: number, frameEnd: number): void {
    this.#received += frameEnd - frameStart;
    if (this.#received >= CREDIT) {
      this.#out.append(windowUpdate(0, this.#received));
      this.#received = 0;
    }
    const exchange = this.#exchanges.get(id);
    if (exchange === undefined) return;
    const [start, end] = unpadded(flags, buffer, frameStart, frameEnd);
    // A copy would cost more than it frees: the read buffer lives as long as the exchange.
    exchange.chunks.push(buffer.subarray(start, end));
    if ((flags & Flag.END_STREAM) !== 0) this.#answer(exchange);
  }

  #answer(exchange: Exchange): void {
    const { chunks } = exchange;
    exchange.pending = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
    exchange.chunks = [];
    exchange.trailers = this.#blocks.trailers;
    this.#out.frame(FrameType.HEADERS, Flag.END_HEADERS, exchange.id, this.#blocks.headers);
    this.#send(exchange);
    // The next header block may refer to the trailers' entry only when the trailers are out before it: else stay literal.
    if (this.#blocks === FIRST && exchange.pending !== undefined) {
      exchange.trailers = LITERAL.trailers;
      this.#nextBlocks = { headers: Buffer.from([0x88, 0xbe]), trailers: LITERAL.trailers };
    }
    this.#blocks = this.#nextBlocks;
  }

  #send(exchange: Exchange): void {
    const pending = exchange.pending!;
    let at = 0;
    while (at < pending.length) {
      const size = Math.min(pending.length - at, MAX_FRAME, this.#sendWindow, exchange.sendWindow);
      if (size <= 0) break;
      this.#out.frame(FrameType.DATA, 0, exchange.id, pending.subarray(at, at + size));
      this.#sendWindow -= size;
      exchange.sendWindow -= size;
      at += size;
    }
    if (at < pending.length) {
      exchange.pending = pending.subarray(at);
      return;
    }
    this.#out.frame(FrameType.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, exchange.id, exchange.trailers);
    exchange.pending = undefined;
    this.#exchanges.delete(exchange.id);
    answered += 1;
  }

  #onWindowUpdate(id: number, octets: number): void {
    if (id === 0) {
      this.#sendWindow += octets;
      this.#resume();
      return;
    }
    const exchange = this.#exchanges.get(id);
    if (exchange === undefined) return;
    exchange.sendWindow += octets;
    if (exchange.pending !== undefined) this.#send(exchange);
  }

  #onSettings(buffer: Buffer, start: number, end: number): void {
    for (let at = start; at + 6 <= end; at += 6) {
      const value = buffer.readUInt32BE(at + 2);
      const setting = buffer.readUInt16BE(at);
      if (setting === Setting.HEADER_TABLE_SIZE && value < 4096) {
        this.#blocks = NO_TABLE;
        this.#nextBlocks = LITERAL;
      } else if (setting === Setting.INITIAL_WINDOW_SIZE) {
        for (const exchange of this.#exchanges.values()) exchange.sendWindow += value - this.#initialWindow;
        this.#initialWindow = value;
      }
    }
    this.#out.frame(FrameType.SETTINGS, Flag.ACK, 0, Buffer.alloc(0));
    this.#resume();
  }

  #resume(): void {
    for (const exchange of this.#exchanges.values()) if (exchange.pending !== undefined) this.#send(exchange);
  }
}

const server = createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => socket.destroy());
  new Connection(socket);
});
server.listen(0, '127.0.0.1', 4096, () => {
  const address = server.address();
  if (address !== null && typeof address === 'object') process.send?.({ port: address.port });
});
process.on('message', () => process.send?.({ answered }));
process.on('disconnect', () => process.exit(0));
