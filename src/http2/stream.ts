import type { ErrorCode } from './error-code.ts';
import type { ExtraField } from './field.ts';
import type { HeaderBlock } from './header-block.ts';
import type { PeerIdentity } from './peer-identity.ts';

/** Why a stream ended before its time. */
export const ResetCause = {
  /** The peer sent RST_STREAM. */
  PEER: 'peer',
  /** We found a stream error in what the peer sent (RFC 9113 section 5.4.2) and have reset the stream. */
  PROTOCOL: 'protocol',
  /** The connection was lost, or closed with an error, while the stream was open. */
  CONNECTION: 'connection',
  /** The peer has certainly not processed the stream: REFUSED_STREAM, GOAWAY below its id, no connection could be made. */
  UNPROCESSED: 'unprocessed',
} as const;
export type ResetCause = (typeof ResetCause)[keyof typeof ResetCause];

/**
 * Receives what happens on one stream. Calls come in the order of the wire, synchronously from the read of the socket;
 * a handler must not throw. After `onReset`, or after the last of `endStream`/`onTrailers` in one direction and the end of
 * what is sent in the other, nothing more is called.
 */
export interface StreamHandler {
  /** Client role: the final response headers (informational ones are skipped). Never called on a server. */
  onHeaders(stream: Stream, block: HeaderBlock, endStream: boolean): void;
  /**
   * Payload of DATA (padding removed) in `buffer[start, end)`, valid only during the call. Octets count against the peer's
   * windows until `stream.consume()` gives them back. May be empty with `endStream`.
   */
  onData(stream: Stream, buffer: Buffer, start: number, end: number, endStream: boolean): void;
  /** A trailer section. It ends the peer's side of the stream. */
  onTrailers(stream: Stream, block: HeaderBlock): void;
  /** Octets that `sendData` had queued were taken by the connection: the time to give window back to their source. */
  onSent(stream: Stream, octets: number): void;
  /** The stream is gone; what was queued is dropped. Not called for a reset of one's own. */
  onReset(stream: Stream, code: ErrorCode, cause: ResetCause): void;
}

/** One stream as its user sees it, in both roles. Calls on a stream that is gone do nothing. */
export interface Stream {
  /** 0 while a client's stream waits for a connection or for the peer's concurrency limit. */
  readonly id: number;
  /** Octets accepted by `sendData` and not yet taken by the connection. */
  readonly queued: number;
  /** The connection's facts: addresses, TLS; undefined while a client's stream waits for one. */
  readonly connection: ConnectionInfo | undefined;
  /** Where events go; may be replaced at any time. */
  handler: StreamHandler;

  /** Server: the response. (A client gives its request to `Client.request`.) `extra` are fields of this message alone, after the block's. */
  sendHeaders(block: HeaderBlock, extra: readonly ExtraField[] | undefined, endStream: boolean): void;
  /**
   * Sends or queues a copy of `buffer[start, end)`; the caller keeps the buffer. Never refuses: the caller bounds the queue
   * by giving window back to the source only for what was taken.
   * @returns octets taken at once; the others are reported by `onSent`.
   */
  sendData(buffer: Buffer, start: number, end: number, endStream: boolean): number;
  /** Sends a trailer section behind what is queued, and ends our side. */
  sendTrailers(block: HeaderBlock, extra: readonly ExtraField[] | undefined): void;
  /** Gives `octets` of received DATA back to the peer's windows (stream and connection). */
  consume(octets: number): void;
  /** RST_STREAM. Drops what is queued; `onReset` is not called. Unconsumed octets are given back to the connection's window. */
  reset(code: ErrorCode): void;
}

/** Facts of the connection that carries a stream. */
export interface ConnectionInfo {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly tls: boolean;
  /** Mutual TLS: who the client's verified certificate says it is. */
  readonly peerIdentity: PeerIdentity | undefined;
  /** Messages of calls that have ended, counted by whoever knows what a message is. */
  messagesReceived: number;
  messagesSent: number;
}
