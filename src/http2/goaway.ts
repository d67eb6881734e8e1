import type { Connection } from './connection.ts';
import { State } from './engine-stream.ts';
import { ErrorCode } from './error-code.ts';
import { FrameType, MAX_STREAM_ID, putUint32 } from './frame.ts';
import { ResetCause } from './stream.ts';

/** Milliseconds for a connection that drains before the peer's preface is here: what is on its way is still served. */
const SETTLE_MS = 1_000;

/** First octet of the PING that asks whether the peer has seen our GOAWAY; others of ours begin with 0. */
const PING_DRAIN = 1;

/** What a GOAWAY says that is followed by another with the last stream (section 6.8). */
const NOT_YET = MAX_STREAM_ID;

/** The graceful end of one connection: GOAWAY of either side (RFC 9113 section 6.8). */
export class Goaway {
  readonly #connection: Connection;
  /** To be begun once the peer's SETTINGS are here. */
  #whenSettled = false;
  /** Server: the last stream that our final GOAWAY promised to process. */
  #lastId = NOT_YET;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Server: the stream came after our last GOAWAY, which said that we ignore it. */
  ignores(id: number): boolean {
    return id > this.#lastId && this.#connection.server;
  }

  /** No new streams; those open go on, then the connection ends. */
  begin(): void {
    const connection = this.#connection;
    const { server } = connection;
    if (connection.state !== 'open') return;
    if (server && !connection.receiver.settled) {
      // Its first requests may be on their way, and the peer could not know that nobody has seen them.
      this.#whenSettled = true;
      connection.watch.closeWithin(SETTLE_MS);
      return;
    }
    this.#write(server ? NOT_YET : 0, ErrorCode.NO_ERROR, '');
    if (server) connection.sender.writeFrame(FrameType.PING, 0, 0, Buffer.alloc(8, PING_DRAIN));
    connection.retire();
    if (!server) this.finishWhenDone();
  }

  /** The peer's first SETTINGS are here. @returns whether the connection ends, or is about to */
  onSettled(): boolean {
    if (this.#whenSettled) {
      this.#connection.watch.closeWithin(0);
      this.begin();
      return true;
    }
    if (this.#connection.state !== 'draining') return false;
    this.finishWhenDone();
    return true;
  }

  /** @param opaque the first octet of a PING that came back */
  onPingAck(opaque: number): void {
    // The client has seen the first GOAWAY a round trip ago: now it is known which stream is the last.
    if (opaque === PING_DRAIN) this.confirm();
  }

  /** Server, draining: says which stream is the last; those above it are ignored from here on. */
  confirm(): void {
    const { state, server, lastPeerId } = this.#connection;
    if (state !== 'draining' || !server || this.#lastId !== NOT_YET) return;
    this.#lastId = lastPeerId;
    this.#write(lastPeerId, ErrorCode.NO_ERROR, '');
    this.finishWhenDone();
  }

  /** Of the peer. */
  onGoaway(lastId: number): void {
    const connection = this.#connection;
    if (connection.server) return; // The client opens no streams any more, and closes when it likes.
    connection.retire();
    for (const stream of connection.streams.list()) {
      if (stream.id <= lastId) continue;
      // Who has answered has processed the request, whatever the id says.
      const answered = (stream.state & State.HEADERS_RECEIVED) !== 0;
      stream.fail(ErrorCode.REFUSED_STREAM, answered ? ResetCause.CONNECTION : ResetCause.UNPROCESSED);
    }
    this.finishWhenDone();
  }

  /** Draining: ends the connection if no stream is left, and none can come. */
  finishWhenDone(): void {
    const connection = this.#connection;
    if (connection.state !== 'draining' || connection.streams.count > 0) return;
    if (connection.server && this.#lastId === NOT_YET) return;
    connection.state = 'closing';
    connection.end();
  }

  /** Says why the connection ends now. What a GOAWAY said of the last stream must not grow. */
  sayError(code: ErrorCode, debug: string): void {
    this.#write(Math.min(this.#connection.lastPeerId, this.#lastId), code, debug);
  }

  #write(lastId: number, code: ErrorCode, debug: string): void {
    const text = Buffer.from(debug, 'latin1');
    const payload = Buffer.alloc(8 + text.length);
    putUint32(payload, 0, lastId);
    putUint32(payload, 4, code);
    text.copy(payload, 8);
    this.#connection.sender.writeFrame(FrameType.GOAWAY, 0, 0, payload);
  }
}
