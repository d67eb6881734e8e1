import type { Socket } from 'node:net';
import type { EngineStream } from './engine-stream.ts';
import { ErrorCode } from './error-code.ts';
import { ConnectionError } from './errors.ts';
import type { Field, NameTable } from './field.ts';
import type { Flusher } from './flusher.ts';
import { DEFAULT_MAX_FRAME, DEFAULT_WINDOW, FrameType, MAX_STREAM_ID, PREFACE, putUint32 } from './frame.ts';
import { FrameReader } from './frame-reader.ts';
import type { HeaderBlock } from './header-block.ts';
import { HpackError } from './hpack/hpack-error.ts';
import { FloodGuard, type Limits } from './limits.ts';
import { Output } from './output.ts';
import { PrefaceReader } from './preface-reader.ts';
import { ReceiveWindow } from './receive-window.ts';
import { Receiver } from './receiver.ts';
import { Sender } from './sender.ts';
import { encodeSettings, type LocalSettings } from './settings.ts';
import { type ConnectionInfo, ResetCause, type Stream, type StreamHandler } from './stream.ts';
import { RecentResets, StreamTable } from './stream-table.ts';
import { Watch } from './watch.ts';

/** Who has the connection: a listener or a client's pool. */
export interface ConnectionOwner {
  readonly flusher: Flusher;
  /** Server: a request came. */
  onRequest(stream: Stream, block: HeaderBlock, endStream: boolean): StreamHandler;
  /** There may be room for a stream: the peer's SETTINGS came, a stream ended, output went out. */
  onRoom(connection: Connection): void;
  /** It takes no new streams any more: GOAWAY of either side, or an error. */
  onUnusable(connection: Connection): void;
  /** The socket is closed. */
  onClosed(connection: Connection): void;
  /** A handler threw. */
  onError(error: unknown): void;
}

export interface ConnectionOptions {
  readonly socket: Socket;
  readonly server: boolean;
  readonly tls: boolean;
  readonly settings: LocalSettings;
  readonly limits: Limits;
  readonly names: NameTable;
  readonly owner: ConnectionOwner;
  /** Milliseconds of a monotonic clock. */
  readonly now: number;
}

/** Milliseconds for the peer to take our last words. */
const LINGER_MS = 1_000;

/** Milliseconds of silence after which the kernel asks whether the peer's machine is there. */
const TCP_KEEPALIVE_MS = 60_000;

/** What a GOAWAY says that is followed by another with the last stream (section 6.8). */
const NOT_YET = MAX_STREAM_ID;

/**
 * One HTTP/2 connection of either role: its life from preface to close. What it sends and receives is in `Sender` and
 * `Receiver`, timeouts are in `Watch`.
 */
export class Connection {
  readonly server: boolean;
  readonly settings: LocalSettings;
  readonly limits: Limits;
  readonly names: NameTable;
  readonly owner: ConnectionOwner;
  readonly info: ConnectionInfo;
  readonly streams = new StreamTable();
  readonly recentResets = new RecentResets();
  readonly flood: FloodGuard;
  readonly receiveWindow: ReceiveWindow;
  readonly sender: Sender;
  readonly receiver: Receiver;
  readonly watch: Watch;
  /** `closing`: our last words are said, the socket is to end. */
  state: 'open' | 'draining' | 'closing' | 'closed' = 'open';
  /** The highest stream that the peer opened. */
  lastPeerId = 0;
  readonly #socket: Socket;
  readonly #output: Output;
  readonly #reader: FrameReader;
  #preface: PrefaceReader | undefined;
  #nextId = 1;
  /** Server: the last stream that our final GOAWAY promised to process. */
  #goawayId = NOT_YET;
  #paused = false;

  constructor(options: ConnectionOptions) {
    this.server = options.server;
    this.settings = options.settings;
    this.limits = options.limits;
    this.names = options.names;
    this.owner = options.owner;
    const socket = options.socket;
    this.info = {
      remoteAddress: socket.remoteAddress ?? '',
      remotePort: socket.remotePort ?? 0,
      tls: options.tls,
    };
    this.flood = new FloodGuard(this.limits);
    this.receiveWindow = new ReceiveWindow(this.settings.connectionWindowSize, DEFAULT_WINDOW);
    this.#socket = socket;
    this.#output = new Output(socket, this.owner.flusher, () => this.#onOutputRoom());
    this.sender = new Sender(this.#output, this.limits.outputLimit);
    this.receiver = new Receiver(this);
    this.#reader = new FrameReader(this.receiver, DEFAULT_MAX_FRAME);
    this.watch = new Watch(this, this.#reader, options.now);
    this.#preface = this.server ? new PrefaceReader() : undefined;
    socket.setNoDelay(true);
    socket.setKeepAlive(true, TCP_KEEPALIVE_MS);
    socket.on('error', () => {}); // 'close' follows, and says it all.
    socket.on('end', () => this.destroy());
    socket.on('close', () => this.#onSocketClose());
    if (!this.server) this.#greet(PREFACE);
  }

  /** Client: a stream can be opened now. */
  get hasRoom(): boolean {
    return (
      this.state === 'open' &&
      this.receiver.settled &&
      this.streams.count < this.sender.peer.maxConcurrentStreams &&
      this.#output.unsent < this.limits.outputPause
    );
  }

  /** Takes what the socket read; nothing of the buffer is kept. Never throws. */
  read(buffer: Buffer, start: number, end: number): void {
    this.watch.sawRead = true;
    try {
      let from = start;
      if (this.#preface !== undefined) {
        from = this.#readPreface(this.#preface, buffer, start, end);
        if (from < 0) return;
      }
      this.#reader.feed(buffer, from, end);
    } catch (error) {
      this.fail(error);
    }
    if (this.#output.unsent > this.limits.outputPause) this.#onOutputFull();
  }

  /** We do not read for now, since the peer does not. */
  get paused(): boolean {
    return this.#paused;
  }

  /** Client: opens a stream. `hasRoom` must be true. */
  open(stream: EngineStream, block: HeaderBlock, extra: readonly Field[] | undefined, endStream: boolean): void {
    const id = this.#nextId;
    this.#nextId += 2;
    this.attach(stream, id);
    this.sender.writeHeaders(id, block, extra, endStream);
    if (endStream) stream.endLocal();
    if (this.#nextId > MAX_STREAM_ID) this.#startDraining(); // Ids are used up (section 5.1.1).
  }

  /** Puts a stream into the table, with its windows. */
  attach(stream: EngineStream, id: number): void {
    stream.id = id;
    stream.link = this;
    stream.sendWindow = this.sender.peer.initialWindowSize;
    const window = this.settings.initialWindowSize;
    // Until the peer knows our SETTINGS it counts with the default (section 6.9.3).
    stream.receiveLeft = this.receiver.acknowledged ? window : Math.max(window, DEFAULT_WINDOW);
    this.streams.add(stream);
  }

  /** No stream of this id was opened yet (section 5.1.1). */
  isIdle(id: number): boolean {
    if ((id & 1) === 0) return true; // Pushed streams do not exist.
    return this.server ? id > this.lastPeerId : id >= this.#nextId;
  }

  /** Server: the stream came after our last GOAWAY, which said that we ignore it. */
  isAboveGoaway(id: number): boolean {
    return this.server && id > this.#goawayId;
  }

  /** Octets were taken, or thrown away: the peer may send as many again. */
  consume(octets: number): void {
    const increment = this.receiveWindow.consume(octets);
    if (increment > 0 && this.state !== 'closing' && this.state !== 'closed') {
      this.sender.writeWindowUpdate(0, increment);
    }
  }

  /** A stream error of the peer (section 5.4.2). @throws ConnectionError when there are too many */
  streamError(id: number, stream: EngineStream | undefined, code: ErrorCode): void {
    this.sender.writeReset(id, code);
    this.recentResets.add(id);
    stream?.fail(code, ResetCause.PROTOCOL);
    this.flood.countReset();
  }

  /** A stream left: from `EngineStream.close` only. */
  streamClosed(stream: EngineStream, unconsumed: number): void {
    this.streams.delete(stream);
    if (unconsumed > 0) this.consume(unconsumed);
    if (this.state === 'draining') this.#finishWhenDone();
    else if (this.state === 'open') this.owner.onRoom(this);
  }

  onPeerSettings(first: boolean): void {
    if (first && this.state === 'draining') this.#finishWhenDone();
    else this.owner.onRoom(this);
  }

  /** GOAWAY of the peer (section 6.8). */
  onGoaway(lastId: number, _code: ErrorCode): void {
    if (this.server) return; // The client opens no streams any more, and closes when it likes.
    this.#startDraining();
    for (const stream of this.streams.list()) {
      if (stream.id > lastId) stream.fail(ErrorCode.REFUSED_STREAM, ResetCause.UNPROCESSED);
    }
    this.#finishWhenDone();
  }

  onPingAck(): void {
    this.watch.sawPingAck();
    if (this.state !== 'draining' || !this.server || this.#goawayId !== NOT_YET) return;
    // The client has seen the first GOAWAY a round trip ago: now it is known which stream is the last.
    this.#goawayId = this.lastPeerId;
    this.#writeGoaway(this.lastPeerId, ErrorCode.NO_ERROR, '');
    this.#finishWhenDone();
  }

  /** Sends a PING that asks whether the peer lives. */
  ping(): void {
    this.sender.writeFrame(FrameType.PING, 0, 0, Buffer.alloc(8));
  }

  /** Graceful close: no new streams; those open go on, then the connection ends (section 6.8). */
  drain(): void {
    if (this.state !== 'open') return;
    if (this.server && !this.receiver.settled) {
      this.destroy();
      return;
    }
    this.#writeGoaway(this.server ? NOT_YET : 0, ErrorCode.NO_ERROR, '');
    if (this.server) this.ping();
    this.#startDraining();
    if (!this.server) this.#finishWhenDone();
  }

  /** Ends the connection with GOAWAY for `error`; every stream is told. What is no error of the peer is reported. */
  fail(error: unknown): void {
    if (this.state === 'closing' || this.state === 'closed') return;
    const code = errorCodeOf(error);
    if (!(error instanceof ConnectionError || error instanceof HpackError)) this.owner.onError(error);
    this.#writeGoaway(this.lastPeerId, code, error instanceof ConnectionError ? error.message : '');
    this.#startDraining();
    this.state = 'closing';
    this.#failStreams(code);
    this.#end();
  }

  /** Closes the socket at once. */
  destroy(): void {
    this.#socket.destroy();
  }

  #readPreface(preface: PrefaceReader, buffer: Buffer, start: number, end: number): number {
    const next = preface.read(buffer, start, end);
    if (next === 'http1' || next === 'wrong') {
      this.state = 'closing';
      this.#preface = undefined;
      if (next === 'http1') this.sender.writeRaw(preface.http1Answer);
      else this.#writeGoaway(0, ErrorCode.PROTOCOL_ERROR, 'not an HTTP/2 client preface (section 3.4)');
      this.#end();
      return -1;
    }
    if (!preface.done) return -1;
    this.#preface = undefined;
    this.#greet(undefined);
    return next;
  }

  /** Our preface: SETTINGS, and the window of the connection, which SETTINGS cannot say (section 6.9.2). */
  #greet(preface: Buffer | undefined): void {
    if (preface !== undefined) this.sender.writeRaw(preface);
    this.sender.writeFrame(FrameType.SETTINGS, 0, 0, encodeSettings(this.settings, this.server));
    const increment = this.receiveWindow.announce();
    if (increment > 0) this.sender.writeWindowUpdate(0, increment);
  }

  #writeGoaway(lastId: number, code: ErrorCode, debug: string): void {
    const text = Buffer.from(debug, 'latin1');
    const payload = Buffer.alloc(8 + text.length);
    putUint32(payload, 0, lastId);
    putUint32(payload, 4, code);
    text.copy(payload, 8);
    this.sender.writeFrame(FrameType.GOAWAY, 0, 0, payload);
  }

  #startDraining(): void {
    if (this.state !== 'open') return;
    this.state = 'draining';
    this.owner.onUnusable(this);
  }

  #finishWhenDone(): void {
    if (this.state !== 'draining' || this.streams.count > 0) return;
    if (this.server && this.#goawayId === NOT_YET) return;
    this.state = 'closing';
    this.#end();
  }

  /** Ends the socket behind what is to be written, and gives the peer a moment to read it. */
  #end(): void {
    this.#reader.stop();
    this.watch.closeWithin(LINGER_MS);
    this.#output.flush();
    if (this.#paused) this.#socket.resume();
  }

  #onOutputRoom(): void {
    try {
      if (this.state === 'closing') {
        if (this.#output.unsent === 0) this.#socket.end();
        return;
      }
      this.sender.pump();
      if (this.#paused && this.#output.unsent <= this.limits.outputPause >>> 1) {
        this.#paused = false;
        this.#socket.resume();
      }
      this.owner.onRoom(this);
    } catch (error) {
      this.fail(error);
    }
  }

  /**
   * The peer does not take what we send. A server takes nothing from it then, or its PINGs alone would fill our memory. A
   * client goes on reading, up to a limit: if both sides stopped, nothing would ever move again.
   */
  #onOutputFull(): void {
    if (this.state === 'closing' || this.state === 'closed' || this.#paused) return;
    if (this.server) {
      this.#paused = true;
      this.#socket.pause();
    } else if (this.#output.unsent > 4 * this.limits.outputPause) {
      this.fail(new ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, 'the peer does not read'));
    }
  }

  #onSocketClose(): void {
    this.#reader.stop();
    this.#output.close();
    const usable = this.state === 'open';
    this.state = 'closed';
    if (usable) this.owner.onUnusable(this);
    this.#failStreams(ErrorCode.INTERNAL_ERROR);
    this.owner.onClosed(this);
  }

  #failStreams(code: ErrorCode): void {
    for (const stream of this.streams.list()) {
      try {
        stream.fail(code, ResetCause.CONNECTION);
      } catch (error) {
        this.owner.onError(error);
      }
    }
  }
}

function errorCodeOf(error: unknown): ErrorCode {
  if (error instanceof ConnectionError) return error.code;
  return error instanceof HpackError ? ErrorCode.COMPRESSION_ERROR : ErrorCode.INTERNAL_ERROR;
}
