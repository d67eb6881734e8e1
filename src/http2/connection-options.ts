import type { Connection } from './connection.ts';
import type { DormantState } from './dormant-state.ts';
import type { EngineStream } from './engine-stream.ts';
import type { NameTable } from './field.ts';
import type { FloodKind } from './flood.ts';
import type { Flusher } from './flusher.ts';
import type { HeaderBlock } from './header-block.ts';
import type { Http1Answer, Http1Request } from './http1.ts';
import type { Limits } from './limits.ts';
import type { PeerIdentity } from './peer-identity.ts';
import type { LocalSettings } from './settings.ts';
import type { Stream, StreamHandler } from './stream.ts';
import type { Address, Wire } from './wire.ts';

/** Who has the connection: a listener or a client's pool. */
export interface ConnectionOwner {
  readonly flusher: Flusher;
  /** Server: a request came. */
  onRequest(stream: Stream, block: HeaderBlock, endStream: boolean): StreamHandler;
  /** There may be room for a stream: the peer's SETTINGS came, a stream ended, output went out. */
  onRoom(connection: Connection): void;
  /** It takes no new streams any more: GOAWAY of either side, or an error. */
  onUnusable(connection: Connection): void;
  /** Server: answers a request whose header list is above the limit. */
  readonly onTooLarge?: ((stream: EngineStream) => void) | undefined;
  /** Server: the answer to a request of HTTP/1; without it, that this is not the place. */
  readonly onHttp1?: ((request: Http1Request) => Http1Answer | Promise<Http1Answer>) | undefined;
  /** The wire is closed. */
  onClosed(connection: Connection): void;
  /** A handler threw. */
  onError(error: unknown): void;
  /** The peer broke a limit. */
  onFlood?(kind: FloodKind, connection: Connection): void;
}

/** Who keeps one connection of an owner. */
export interface ConnectionKeeper {
  /** Nothing has gone on for a while. @param readAt, busyAt milliseconds of the owner's clock: the last read, and the last stream */
  onIdle(readAt: number, busyAt: number): void;
  /** The wire is closed, and all streams have been told. */
  onGone(): void;
}

/** Where a connection goes on that another one has left. */
export interface Woken {
  readonly state: DormantState;
  readonly readAt: number;
  readonly busyAt: number;
}

export interface ConnectionOptions {
  readonly wire: Wire;
  readonly remote: Address;
  readonly server: boolean;
  readonly tls: boolean;
  readonly settings: LocalSettings;
  readonly limits: Limits;
  readonly names: NameTable;
  readonly owner: ConnectionOwner;
  /** Milliseconds of a monotonic clock. */
  readonly now: number;
  /** Server: when the connection is asked to end, on the same clock. Default: never. */
  readonly retireAt?: number | undefined;
  /** Server, TLS: HTTP/2 was not negotiated. */
  readonly http1Only?: boolean;
  readonly peerIdentity?: PeerIdentity | undefined;
  readonly keeper?: ConnectionKeeper;
  /** Server: the preface is exchanged. */
  readonly woken?: Woken | undefined;
}
