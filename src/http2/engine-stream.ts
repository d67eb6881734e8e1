import type { Connection } from './connection.ts';
import { ErrorCode } from './error-code.ts';
import type { ExtraField } from './field.ts';
import type { HeaderBlock } from './header-block.ts';
import { SendQueue } from './send-queue.ts';
import type { ConnectionInfo, ResetCause, Stream, StreamHandler } from './stream.ts';
import type { StreamList } from './stream-list.ts';

/** Bits of `EngineStream.state` (RFC 9113 section 5.1, both halves apart). */
export const State = {
  /** Our headers are out: on a server the response's. */
  HEADERS_SENT: 0x1,
  /** The user gave the end of our side; it may wait behind what is queued. */
  LOCAL_END_GIVEN: 0x2,
  /** END_STREAM is out. */
  LOCAL_ENDED: 0x4,
  /** Client: the final response headers have come. */
  HEADERS_RECEIVED: 0x8,
  REMOTE_ENDED: 0x10,
  /** Gone: out of the table, nothing is sent or called any more. */
  CLOSED: 0x20,
} as const;

/** The request of a client's stream that waits for a connection. */
export interface PendingRequest {
  readonly block: HeaderBlock;
  readonly extra: readonly ExtraField[] | undefined;
  readonly endStream: boolean;
}

/** A stream of either role. One class with flat fields, so that the code that works on streams sees one shape. */
export class EngineStream implements Stream {
  id = 0;
  handler: StreamHandler;
  state = 0;
  /** Octets that the peer lets us send; negative after it has lowered its initial window (section 6.9.2). */
  sendWindow = 0;
  /** Octets that the peer may still send. */
  receiveLeft = 0;
  /** Octets received that `consume` has not given back, and those it has, but that are not announced yet. */
  unconsumed = 0;
  owed = 0;
  /** What its headers keep alive, in octets, roughly. */
  headerMemory = 0;
  /** Times that the watch looked and no DATA had gone either way since. */
  quiet = 0;
  /** Octets that `content-length` still promises; -1 where there is none. */
  expected = -1;
  link: Connection | undefined = undefined;
  pending: PendingRequest | undefined = undefined;
  /** Links of the list that the stream is in. */
  list: StreamList | undefined = undefined;
  previous: EngineStream | undefined = undefined;
  next: EngineStream | undefined = undefined;
  queue: SendQueue | undefined = undefined;
  trailers: HeaderBlock | undefined = undefined;
  trailersExtra: readonly ExtraField[] | undefined = undefined;

  constructor(handler: StreamHandler) {
    this.handler = handler;
  }

  get queued(): number {
    return this.queue === undefined ? 0 : this.queue.size;
  }

  get connection(): ConnectionInfo | undefined {
    return this.link?.info;
  }

  /** Client: a connection with room was found for a stream that waited. Sends what was given meanwhile. */
  start(link: Connection): void {
    const request = this.pending;
    if (request === undefined) return;
    this.pending = undefined;
    const ended = (this.state & State.LOCAL_END_GIVEN) !== 0 && this.queued === 0;
    link.open(this, request.block, request.extra, ended && this.trailers === undefined);
    if (this.queued > 0) {
      link.sender.hold(this);
      link.sender.pump();
    } else if (this.trailers !== undefined) {
      link.sender.writeHeaders(this.id, this.trailers, this.trailersExtra, true);
      this.endLocal();
    }
  }

  sendHeaders(block: HeaderBlock, extra: readonly ExtraField[] | undefined, endStream: boolean): void {
    const link = this.link;
    if (link === undefined || !link.server || (this.state & (State.CLOSED | State.HEADERS_SENT)) !== 0) return;
    this.state |= State.HEADERS_SENT;
    link.sender.writeHeaders(this.id, block, extra, endStream);
    if (endStream) this.endLocal();
  }

  sendData(buffer: Buffer, start: number, end: number, endStream: boolean): number {
    if (!this.#maySend()) return 0;
    const sender = this.link?.sender;
    let taken = 0;
    if (endStream) this.state |= State.LOCAL_END_GIVEN;
    if (sender !== undefined && this.queued === 0) {
      taken = sender.sendData(this, buffer, start, end, endStream);
      if ((this.state & (State.LOCAL_ENDED | State.CLOSED)) !== 0) return taken;
    }
    if (start + taken < end) {
      this.queue ??= new SendQueue();
      this.queue.push(buffer, start + taken, end);
      sender?.hold(this);
    }
    return taken;
  }

  sendTrailers(block: HeaderBlock, extra: readonly ExtraField[] | undefined): void {
    if (!this.#maySend()) return;
    this.state |= State.LOCAL_END_GIVEN;
    if (this.link !== undefined && this.queued === 0) {
      this.link.sender.writeHeaders(this.id, block, extra, true);
      this.endLocal();
      return;
    }
    this.trailers = block;
    this.trailersExtra = extra;
  }

  consume(octets: number): void {
    const taken = Math.min(octets, this.unconsumed);
    const link = this.link;
    if (taken <= 0 || link === undefined) return;
    this.unconsumed -= taken;
    this.owed += taken;
    if ((this.state & State.REMOTE_ENDED) === 0 && this.owed >= link.settings.initialWindowSize >>> 1) {
      link.sender.writeWindowUpdate(this.id, this.owed);
      this.receiveLeft += this.owed;
      this.owed = 0;
    }
    link.consume(taken);
  }

  reset(code: ErrorCode): void {
    if ((this.state & State.CLOSED) !== 0) return;
    if (this.link !== undefined) {
      this.link.sender.writeReset(this.id, code);
      this.link.rememberReset(this.id);
    }
    this.close();
  }

  /** END_STREAM of our side is out. A server's response ends the call (section 8.1): a client still sending is told to stop. */
  endLocal(): void {
    this.state |= State.LOCAL_END_GIVEN | State.LOCAL_ENDED;
    if ((this.state & State.REMOTE_ENDED) !== 0) this.close();
    else if (this.link?.server === true) this.reset(ErrorCode.NO_ERROR);
  }

  /** The peer's END_STREAM was handed on. */
  endRemote(): void {
    if ((this.state & (State.LOCAL_ENDED | State.CLOSED)) === State.LOCAL_ENDED) this.close();
  }

  /** Leaves the table and every list, drops what is queued, gives credit back to the connection. Calls no handler. */
  close(): void {
    if ((this.state & State.CLOSED) !== 0) return;
    this.state |= State.CLOSED;
    this.queue?.clear();
    this.trailers = undefined;
    this.trailersExtra = undefined;
    this.pending = undefined;
    if (this.list !== undefined) this.list.remove(this);
    const link = this.link;
    if (link === undefined) return;
    const unconsumed = this.unconsumed;
    this.unconsumed = 0;
    link.streamClosed(this, unconsumed);
  }

  /** Closes, and tells the user why. */
  fail(code: ErrorCode, cause: ResetCause): void {
    if ((this.state & State.CLOSED) !== 0) return;
    this.close();
    this.handler.onReset(this, code, cause);
  }

  /** Whether DATA or trailers may be given. A response's headers come first: to forget them is an error of the caller. */
  #maySend(): boolean {
    if ((this.state & (State.CLOSED | State.LOCAL_END_GIVEN)) !== 0) return false;
    if ((this.state & State.HEADERS_SENT) === 0) throw new Error('DATA or trailers before the headers');
    return true;
  }
}
