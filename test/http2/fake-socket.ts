import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { Connection } from '../../src/http2/connection.ts';
import type { ConnectionOwner, Woken } from '../../src/http2/connection-options.ts';
import { shareState } from '../../src/http2/dormant-state.ts';
import { type Field, NameTable } from '../../src/http2/field.ts';
import { Flusher } from '../../src/http2/flusher.ts';
import { HeaderBlock } from '../../src/http2/header-block.ts';
import { Decoder } from '../../src/http2/hpack/decoder.ts';
import { Encoder } from '../../src/http2/hpack/encoder.ts';
import { DEFAULT_LIMITS, type Limits } from '../../src/http2/limits.ts';
import { CLIENT_SETTINGS, type LocalSettings, SERVER_SETTINGS } from '../../src/http2/settings.ts';
import { SocketWire } from '../../src/http2/socket-wire.ts';
import type { WireUser } from '../../src/http2/wire.ts';
import { Recorder } from './support.ts';

/** A socket whose kernel is the test: writes are taken at once, or when `stalled` ends. */
export class FakeSocket extends EventEmitter {
  readonly remoteAddress = '127.0.0.1';
  readonly remotePort = 1;
  writableLength = 0;
  stalled = false;
  paused = false;
  ended = false;
  destroyed = false;
  readonly taken: Buffer[] = [];
  #held: { chunk: Buffer; done: (() => void) | undefined }[] = [];

  write(chunk: Buffer, done?: () => void): boolean {
    if (this.ended) throw new Error('write after end');
    if (!this.stalled && this.#held.length === 0) {
      this.taken.push(Buffer.from(chunk));
      if (done !== undefined) queueMicrotask(done);
    } else {
      this.#held.push({ chunk, done });
      this.writableLength += chunk.length;
    }
    return true;
  }

  /** Takes what was held, and calls back. The octets are read only now: a buffer reused too early shows. */
  release(): void {
    this.stalled = false;
    const held = this.#held;
    this.#held = [];
    for (const { chunk } of held) {
      this.taken.push(Buffer.from(chunk));
      this.writableLength -= chunk.length;
    }
    for (const { done } of held) done?.();
  }

  cork(): void {}
  uncork(): void {}
  setNoDelay(): void {}
  setKeepAlive(): void {}
  pause(): void {
    this.paused = true;
  }
  resume(): void {
    this.paused = false;
  }
  end(): void {
    this.ended = true;
  }
  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    queueMicrotask(() => this.emit('close'));
  }
}

/** A frame that the engine sent. */
export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly id: number;
  readonly payload: Buffer;
}

/** A frame as octets. */
export function frame(type: number, flags: number, id: number, payload: Buffer | string | number[] = []): Buffer {
  const body = typeof payload === 'string' ? Buffer.from(payload, 'latin1') : Buffer.from(payload);
  const header = Buffer.alloc(9);
  header.writeUIntBE(body.length, 0, 3);
  header[3] = type;
  header[4] = flags;
  header.writeUInt32BE(id, 5);
  return Buffer.concat([header, body]);
}

/** 32 bits, big endian. */
export function word(value: number): number[] {
  return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
}

export interface BenchOptions {
  readonly server?: boolean;
  readonly settings?: Partial<LocalSettings>;
  readonly limits?: Partial<Limits>;
  readonly owner?: Partial<ConnectionOwner>;
  readonly retireAt?: number;
  /** A server's connection is another one that goes on from what it left, whenever it is at rest between two feeds. */
  readonly naps?: boolean;
}

/** Has its user changed, as a handle's has. */
class MovableWire extends SocketWire {
  #user: WireUser | undefined = undefined;

  override attach(user: WireUser): void {
    this.#user = user;
    super.attach({
      read: (buffer, start, end) => this.#user?.read(buffer, start, end),
      onClosed: () => this.#user?.onClosed(),
    });
  }

  override handOver(user?: WireUser): boolean {
    this.#user = user;
    return true;
  }
}

/** One connection on a fake socket, and the peer's side of it in the test's hands. */
export class WorkBench {
  readonly socket = new FakeSocket();
  connection: Connection;
  /** Times that another connection went on. */
  naps = 0;
  readonly #connect: (woken?: Woken) => Connection;
  readonly #naps: boolean;
  /** Handlers by stream id, for a server. */
  readonly recorders = new Map<number, Recorder>();
  readonly errors: unknown[] = [];
  readonly #encoder = new Encoder({ maxTableSize: 4096 });
  readonly #decoder: Decoder;
  #unread = Buffer.alloc(0);

  constructor(options: BenchOptions = {}) {
    const server = options.server ?? true;
    const names = new NameTable();
    this.#decoder = new Decoder({ maxTableSize: 4096, maxListSize: 1_000_000, maxFields: 1_000, names });
    const owner: ConnectionOwner = {
      flusher: new Flusher(),
      onRequest: (stream, block, endStream) => {
        const recorder = new Recorder();
        recorder.stream = stream;
        recorder.headers = block;
        recorder.ended = endStream;
        recorder.events.push(endStream ? 'request.' : 'request');
        this.recorders.set(stream.id, recorder);
        return recorder;
      },
      onRoom: () => {},
      onUnusable: () => {},
      onClosed: () => {},
      onError: (error) => this.errors.push(error),
      ...options.owner,
    };
    const wire = new MovableWire(this.socket as unknown as Socket);
    const limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#naps = options.naps === true;
    this.#connect = (woken) =>
      new Connection({
        wire,
        remote: wire.remote(),
        server,
        tls: false,
        settings: { ...(server ? SERVER_SETTINGS : CLIENT_SETTINGS), ...options.settings },
        limits,
        names,
        owner,
        now: 0,
        ...(options.retireAt === undefined ? {} : { retireAt: options.retireAt }),
        woken,
      });
    this.connection = this.#connect();
  }

  /** Another connection goes on from what this one leaves, if it is at rest once its output is taken and its floods have leaked. */
  nap(): void {
    const { sender, flood, owner } = this.connection;
    owner.flusher.catchUp();
    sender.output.flush();
    flood.leak(1e9);
    if (!this.connection.isAtRest) return;
    this.naps++;
    this.connection = this.#connect({ state: shareState(this.connection.leave()), readAt: 0, busyAt: 0 });
  }

  /** Preface and empty SETTINGS of the peer, and its ACK of ours. */
  greet(settings: Buffer = frame(4, 0, 0)): this {
    this.feed(this.connection.server ? Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n') : Buffer.alloc(0));
    this.feed(settings);
    this.feed(frame(4, 1, 0));
    return this;
  }

  /** The engine reads these octets, all at once, or cut before each of `cuts`, and works on them, as it does when a turn ends. */
  feed(octets: Buffer, cuts: number[] = []): void {
    if (this.#naps) this.nap();
    const edges = [0, ...cuts.filter((cut) => cut > 0 && cut < octets.length).sort((a, b) => a - b), octets.length];
    for (let index = 1; index < edges.length; index++) {
      const piece = Buffer.from(octets.subarray(edges[index - 1], edges[index]));
      if (piece.length > 0) this.connection.read(piece, 0, piece.length);
      piece.fill(0xff); // The engine must have kept nothing of it.
      this.connection.owner.flusher.catchUp();
    }
  }

  /** A header block, encoded with the peer's encoder. */
  encode(fields: readonly Field[]): Buffer {
    const block = new HeaderBlock(fields);
    const target = Buffer.alloc(this.#encoder.bound(block, undefined));
    return target.subarray(0, this.#encoder.encode(block, undefined, target, 0));
  }

  decode(payload: Buffer): HeaderBlock {
    const block = this.#decoder.decode(payload, 0, payload.length);
    if (block === 'too_large') throw new Error('too large for a test');
    return block;
  }

  /** Ends the turn, in which the engine writes. @returns frames that the socket took since the last call. */
  async frames(): Promise<Frame[]> {
    await new Promise((resolve) => setImmediate(resolve));
    this.#unread = Buffer.concat([this.#unread, ...this.socket.taken.splice(0)]);
    if (this.#unread.subarray(0, 3).toString('latin1') === 'PRI') this.#unread = this.#unread.subarray(24);
    const frames: Frame[] = [];
    while (this.#unread.length >= 9 && this.#unread.length >= 9 + this.#unread.readUIntBE(0, 3)) {
      const length = this.#unread.readUIntBE(0, 3);
      frames.push({
        type: this.#unread[3]!,
        flags: this.#unread[4]!,
        id: this.#unread.readUInt32BE(5),
        payload: this.#unread.subarray(9, 9 + length),
      });
      this.#unread = this.#unread.subarray(9 + length);
    }
    return frames;
  }
}
