import type { ConnectionKeeper, ConnectionOptions, ConnectionOwner } from './connection-options.ts';
import type { DormantState } from './dormant-state.ts';
import { type EngineStream, State } from './engine-stream.ts';
import { ErrorCode } from './error-code.ts';
import { ConnectionError } from './errors.ts';
import type { ExtraField, NameTable } from './field.ts';
import { FloodGuard, type FloodKind } from './flood.ts';
import { DEFAULT_MAX_FRAME, DEFAULT_WINDOW, FrameType, MAX_STREAM_ID, PREFACE } from './frame.ts';
import { FrameReader } from './frame-reader.ts';
import { Goaway } from './goaway.ts';
import type { HeaderBlock } from './header-block.ts';
import { HeldRequests } from './held-requests.ts';
import { HpackError } from './hpack/hpack-error.ts';
import { Http1Conversation } from './http1-conversation.ts';
import type { Limits } from './limits.ts';
import type { OpenConnection, StreamCounts } from './open-connection.ts';
import { Output, type OutputUser } from './output.ts';
import { PrefaceReader } from './preface-reader.ts';
import { ReceiveWindow } from './receive-window.ts';
import { Receiver } from './receiver.ts';
import { Sender } from './sender.ts';
import { encodeSettings, type LocalSettings } from './settings.ts';
import { type ConnectionInfo, ResetCause, type Stream } from './stream.ts';
import { RecentResets, StreamTable } from './stream-table.ts';
import type { Swept } from './sweeper.ts';
import type { TurnReader } from './turn-reads.ts';
import { TurnShare } from './turn-share.ts';
import { Watch } from './watch.ts';
import type { Wire, WireUser } from './wire.ts';

/** Fields that an ordinary response has, and an ordinary request: there is an encoder for each connection. */
const RESPONSE_SLOTS = 6;
const REQUEST_SLOTS = 16;

const NO_RESETS = new RecentResets();

/** Milliseconds for the peer to take our last words. */
const LINGER_MS = 1_000;

/** First octet of the PINGs that ask whether the peer lives. */
const PING_ALIVE = 0;

/**
 * One HTTP/2 connection of either role: its life from preface to close. What it sends and receives is in `Sender` and
 * `Receiver`, timeouts are in `Watch`.
 */
export class Connection implements OutputUser, OpenConnection, Swept, TurnReader, WireUser {
  readonly server: boolean;
  readonly settings: LocalSettings;
  readonly limits: Limits;
  readonly names: NameTable;
  readonly owner: ConnectionOwner;
  readonly keeper: ConnectionKeeper | undefined;
  readonly info: ConnectionInfo;
  readonly streams = new StreamTable();
  /** One for all that have reset nothing: most connections are idle. */
  recentResets = NO_RESETS;
  readonly flood: FloodGuard;
  readonly receiveWindow: ReceiveWindow;
  readonly sender: Sender;
  readonly receiver: Receiver;
  readonly watch: Watch;
  /** Milliseconds of the owner's clock at which the connection is to be drained; undefined for never. */
  readonly retireAt: number | undefined;
  /** `closing`: our last words are said, the wire is to end. */
  state: 'open' | 'draining' | 'closing' | 'closed' = 'open';
  /** What the headers of open streams keep alive, in octets, roughly. */
  headerMemory = 0;
  #started = 0;
  #succeeded = 0;
  /** The highest stream that the peer opened. */
  lastPeerId = 0;
  readonly #wire: Wire;
  readonly #output: Output;
  readonly #reader: FrameReader;
  #preface: PrefaceReader | undefined;
  /** The request of a peer that speaks HTTP/1. */
  #http1: Http1Conversation | undefined;
  #nextId = 1;
  #paused = false;
  /** Made when it is about to end. */
  #goaway: Goaway | undefined = undefined;
  readonly #share: TurnShare;
  /** Made for the first: hardly any connection resets that much. */
  #held: HeldRequests | undefined = undefined;

  constructor(options: ConnectionOptions) {
    this.server = options.server;
    this.settings = options.settings;
    this.limits = options.limits;
    this.names = options.names;
    this.owner = options.owner;
    this.keeper = options.keeper;
    const { wire, woken, now } = options;
    this.info = {
      remoteAddress: options.remote.address,
      remotePort: options.remote.port,
      tls: options.tls,
      peerIdentity: options.peerIdentity,
      messagesReceived: woken?.state.messagesReceived ?? 0,
      messagesSent: woken?.state.messagesSent ?? 0,
    };
    this.retireAt = options.retireAt;
    this.receiveWindow = new ReceiveWindow(
      this.settings.connectionWindowSize,
      woken?.state.receiveLeft ?? DEFAULT_WINDOW,
    );
    this.#wire = wire;
    this.#output = new Output(wire, this.owner.flusher, this);
    this.sender = new Sender(this.#output, this.limits.outputLimit, this.server ? RESPONSE_SLOTS : REQUEST_SLOTS);
    this.flood = new FloodGuard(this.limits, this.sender);
    this.receiver = new Receiver(this);
    this.#reader = new FrameReader(this.receiver, DEFAULT_MAX_FRAME);
    this.#share = new TurnShare(this, this.#reader);
    if (woken !== undefined) this.#restore(woken.state);
    this.watch = new Watch(this, this.#reader, now, woken?.readAt ?? now, woken?.busyAt ?? now);
    this.#preface = this.server && woken === undefined ? new PrefaceReader() : undefined;
    if (options.http1Only === true) this.#http1 = new Http1Conversation(this);
    if (woken !== undefined) wire.handOver(this);
    else wire.attach(this);
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

  /** Takes what the wire read; nothing of the buffer is kept. Never throws. */
  read(buffer: Buffer, start: number, end: number): void {
    this.owner.flusher.read(this, buffer, start, end);
  }

  /** What was read is parsed, and what it says is done. */
  work(buffer: Buffer, start: number, end: number): void {
    this.watch.sawRead = true;
    if (this.state === 'closing' || this.state === 'closed') return; // The peer goes on, we do not.
    if (this.#share.append(buffer, start, end)) return;
    try {
      let from = start;
      if (this.#http1 !== undefined) {
        this.#readHttp1(this.#http1, buffer, start, end);
        return;
      }
      if (this.#preface !== undefined) {
        from = this.#readPreface(this.#preface, buffer, start, end);
        if (from < 0) return;
      }
      const next = this.#reader.feed(buffer, from, end, this.#share.framesLeft());
      if (this.#share.spend(buffer, start, next, end)) this.#wire.pause();
    } catch (error) {
      this.fail(error);
    }
    if (this.#output.unsent > this.limits.outputPause) this.#onOutputFull();
  }

  /** A turn later: what `read` had to leave was worked on. */
  onShare(): void {
    if (this.state !== 'closed') this.#resume();
  }

  /** Server: a request that may be reset in a moment waits for the end of the turn. */
  hold(stream: EngineStream, block: HeaderBlock, endStream: boolean): void {
    this.#held ??= new HeldRequests(this);
    this.#held.hold(stream, block, endStream);
  }

  get goaway(): Goaway {
    this.#goaway ??= new Goaway(this);
    return this.#goaway;
  }

  /** Server: the stream came after our last GOAWAY, which said that we ignore it. */
  ignores(id: number): boolean {
    return this.#goaway?.ignores(id) === true;
  }

  /** We have reset the stream. */
  rememberReset(id: number): void {
    if (this.recentResets === NO_RESETS) this.recentResets = new RecentResets();
    this.recentResets.add(id);
  }

  /** Not all that was read is worked on. */
  get isBehind(): boolean {
    return this.#share.isBehind;
  }

  /** Octets that the kernel took in all, and those that it has yet to take. */
  get taken(): number {
    return this.#output.committed - this.#output.unsent;
  }

  get unsent(): number {
    return this.#output.unsent;
  }

  get counts(): StreamCounts {
    return { started: this.#started, succeeded: this.#succeeded, open: this.streams.count };
  }

  get localAddress(): string {
    return this.#wire.local().address;
  }

  get localPort(): number {
    return this.#wire.local().port;
  }

  get windowToSend(): number {
    return this.sender.window;
  }

  get windowToReceive(): number {
    return this.receiveWindow.left;
  }

  /** Nothing goes on, and nothing waits: `leave` says all that another one needs to go on. */
  get isAtRest(): boolean {
    return (
      this.state === 'open' &&
      this.streams.count === 0 &&
      this.#output.isAtRest &&
      this.receiver.isAtRest &&
      this.#reader.isAtRest &&
      !this.#share.isBehind &&
      !this.#share.usedUp &&
      this.flood.isEmpty &&
      !this.#paused &&
      this.#held?.isEmpty !== false &&
      this.#goaway === undefined &&
      this.#http1 === undefined
    );
  }

  /** Gives up what only saves time: nothing went on for a while. To be called again changes nothing. */
  trim(): void {
    this.sender.trim();
    this.receiver.trim();
    this.streams.trim();
  }

  /** The wire is another one's from here on. `isAtRest` must be true. @returns where that one goes on */
  leave(): DormantState {
    this.state = 'closed';
    // Coders that a late block has had made again are told as well.
    this.trim();
    return {
      peer: this.sender.peer,
      sendWindow: this.sender.window,
      receiveLeft: this.receiveWindow.left,
      smallestTable: this.sender.smallestTable,
      packedTable: this.receiver.packedTable,
      recentResets: this.recentResets,
      lastPeerId: this.lastPeerId,
      started: this.#started,
      succeeded: this.#succeeded,
      messagesReceived: this.info.messagesReceived,
      messagesSent: this.info.messagesSent,
    };
  }

  /** Rises with every stream. */
  get begun(): number {
    return this.server ? this.lastPeerId : this.#nextId;
  }

  /** A limit was broken. It is counted by the owner. */
  reportFlood(kind: FloodKind): void {
    this.owner.onFlood?.(kind, this);
  }

  get maxUnsent(): number {
    return this.limits.outputMax;
  }

  /** We do not read for now, since the peer does not. */
  get paused(): boolean {
    return this.#paused;
  }

  /** Client: opens a stream. `hasRoom` must be true. */
  open(stream: EngineStream, block: HeaderBlock, extra: readonly ExtraField[] | undefined, endStream: boolean): void {
    const id = this.#nextId;
    this.#nextId += 2;
    this.attach(stream, id);
    this.sender.writeHeaders(id, block, extra, endStream);
    if (endStream) stream.endLocal();
    if (this.#nextId > MAX_STREAM_ID) this.retire(); // Ids are used up (section 5.1.1).
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
    this.#started++;
  }

  /** No stream of this id was opened yet (section 5.1.1). */
  isIdle(id: number): boolean {
    if ((id & 1) === 0) return true; // Pushed streams do not exist.
    return this.server ? id > this.lastPeerId : id >= this.#nextId;
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
    this.rememberReset(id);
    stream?.fail(code, ResetCause.PROTOCOL);
    this.flood.countReset('made_you_reset');
    this.flood.countAnswer();
  }

  /** Nothing was sent on `stream` for too long. */
  endIdle(stream: EngineStream): void {
    this.sender.writeReset(stream.id, ErrorCode.CANCEL);
    this.rememberReset(stream.id);
    stream.fail(ErrorCode.CANCEL, ResetCause.PROTOCOL);
    this.reportFlood('idle_stream');
  }

  /** A stream left: from `EngineStream.close` only. */
  streamClosed(stream: EngineStream, unconsumed: number): void {
    this.streams.delete(stream);
    if ((stream.state & (this.server ? State.LOCAL_ENDED : State.REMOTE_ENDED)) !== 0) this.#succeeded++;
    this.sender.forget(stream);
    this.receiver.forget(stream);
    this.headerMemory -= stream.headerMemory;
    if (unconsumed > 0) this.consume(unconsumed);
    if (this.state === 'draining') this.goaway.finishWhenDone();
    else if (this.state === 'open') this.owner.onRoom(this);
  }

  onPeerSettings(first: boolean): void {
    const isUsual = this.state === 'open' && this.#goaway === undefined;
    if (!first || isUsual || !this.goaway.onSettled()) this.owner.onRoom(this);
  }

  /** @param opaque the first octet of the payload, which is ours */
  onPingAck(opaque: number): void {
    this.watch.sawPingAck();
    this.#goaway?.onPingAck(opaque);
  }

  /** @param now milliseconds of the owner's clock */
  sweep(now: number): void {
    this.watch.sweep(now);
  }

  /** Sends a PING that asks whether the peer lives. */
  ping(): void {
    this.sender.writeFrame(FrameType.PING, 0, 0, Buffer.alloc(8, PING_ALIVE));
  }

  /** Graceful close: no new streams; those open go on, then the connection ends (section 6.8). */
  drain(): void {
    this.goaway.begin();
  }

  /**
   * Server: the patience with a connection that drains is over. `endStream` gives each stream that is left its end, and the
   * connection ends behind them.
   */
  finish(endStream: (stream: Stream) => void): void {
    if (this.state === 'open') this.drain();
    if (this.state !== 'draining') return;
    this.goaway.confirm();
    this.#held?.release();
    for (const stream of this.streams.list()) endStream(stream);
    if (this.state === 'draining') this.watch.closeWithin(LINGER_MS);
    this.#output.flush();
  }

  /** Ends the connection with GOAWAY for `error`; every stream is told. What is no error of the peer is reported. */
  fail(error: unknown): void {
    if (this.state === 'closing' || this.state === 'closed') return;
    const code = errorCodeOf(error);
    if (!(error instanceof ConnectionError || error instanceof HpackError)) this.owner.onError(error);
    if (error instanceof ConnectionError && error.flood !== undefined) this.reportFlood(error.flood);
    if (this.#http1 !== undefined) {
      this.#http1.giveUp();
      return;
    }
    this.goaway.sayError(code, error instanceof ConnectionError ? error.message : '');
    this.retire();
    this.state = 'closing';
    this.#failStreams(code);
    this.end();
  }

  /** Closes the wire at once. */
  destroy(): void {
    this.#wire.destroy();
  }

  #restore(state: DormantState): void {
    this.recentResets = state.recentResets;
    this.lastPeerId = state.lastPeerId;
    this.#started = state.started;
    this.#succeeded = state.succeeded;
    this.sender.restore(state);
    this.receiver.restore(state.packedTable);
  }

  #readPreface(preface: PrefaceReader, buffer: Buffer, start: number, end: number): number {
    const next = preface.read(buffer, start, end);
    if (next < 0) {
      this.#http1 = new Http1Conversation(this, preface.begun);
      this.#readHttp1(this.#http1, buffer, start, end);
      return -1;
    }
    if (!preface.done) return -1;
    this.#preface = undefined;
    this.#greet(undefined);
    return next;
  }

  #readHttp1(http1: Http1Conversation, buffer: Buffer, start: number, end: number): void {
    if (this.state === 'closing' || http1.read(buffer, start, end)) return;
    this.#http1 = undefined;
    throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, 'not an HTTP/2 client preface (section 3.4)');
  }

  /** Our preface: SETTINGS, and the window of the connection, which SETTINGS cannot say (section 6.9.2). */
  #greet(preface: Buffer | undefined): void {
    if (preface !== undefined) this.sender.writeRaw(preface);
    this.sender.writeFrame(FrameType.SETTINGS, 0, 0, encodeSettings(this.settings, this.server));
    const increment = this.receiveWindow.announce();
    if (increment > 0) this.sender.writeWindowUpdate(0, increment);
  }

  /** Takes no new streams from here on. */
  retire(): void {
    if (this.state !== 'open') return;
    this.state = 'draining';
    this.owner.onUnusable(this);
  }

  /** Ends the wire behind what is to be written, and gives the peer a moment to read it. */
  end(): void {
    this.#reader.stop();
    this.#share.drop();
    this.watch.closeWithin(LINGER_MS);
    this.#output.flush();
    this.#paused = false;
    this.#resume();
  }

  /** Of the output: the kernel took a write. */
  onRoom(): void {
    try {
      this.flood.onTaken(this.#output.unsent === 0);
      if (this.#http1?.pump() === true) return;
      if (this.state === 'closing') {
        if (this.#output.unsent === 0) this.#wire.end();
        return;
      }
      this.sender.pump();
      if (this.#paused && this.#output.unsent <= this.limits.outputPause >>> 1) {
        this.#paused = false;
        this.#resume();
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
      this.#wire.pause();
    } else if (this.#output.unsent > 4 * this.limits.outputPause) {
      this.fail(new ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, 'the peer does not read', 'unread_output'));
    }
  }

  /** The wire has a write under way, and more waits behind it than we are ready to keep. */
  onOverflow(): void {
    if (this.state === 'closing' || this.state === 'closed') return;
    this.reportFlood('unread_output');
    this.destroy();
  }

  /** Lets the wire read unless there is a reason against it. */
  #resume(): void {
    if (!this.#paused && !this.#share.usedUp) this.#wire.resume();
  }

  /** Of the wire. */
  onClosed(): void {
    // What the peer said last may wait for the end of the turn.
    this.owner.flusher.catchUp();
    this.#reader.stop();
    this.#output.close();
    this.#http1?.close();
    const usable = this.state === 'open';
    this.state = 'closed';
    if (usable) this.owner.onUnusable(this);
    this.#failStreams(ErrorCode.INTERNAL_ERROR);
    // What is left of it, the system's and that of calls that end later, may be found by V8's young collections for a while yet.
    this.trim();
    this.receiver.close();
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
