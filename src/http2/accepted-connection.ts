import { Connection } from './connection.ts';
import type { ConnectionKeeper, ConnectionOwner } from './connection-options.ts';
import { type DormantState, shareState } from './dormant-state.ts';
import type { EngineStream } from './engine-stream.ts';
import type { NameTable } from './field.ts';
import type { Limits } from './limits.ts';
import type { OpenConnection, StreamCounts } from './open-connection.ts';
import type { PeerIdentity } from './peer-identity.ts';
import type { LocalSettings } from './settings.ts';
import { Specimen } from './specimen.ts';
import type { ConnectionInfo, Stream } from './stream.ts';
import type { Swept } from './sweeper.ts';
import type { Address, Wire, WireUser } from './wire.ts';

/** What the accepted connections of one listener have in common. */
export interface Reception {
  readonly settings: LocalSettings;
  readonly limits: Limits;
  readonly names: NameTable;
  readonly owner: ConnectionOwner;
  /** Whole milliseconds of a monotonic clock. */
  now(): number;
  onClosed(accepted: AcceptedConnection): void;
}

const connections = new Specimen<Connection>();

/** What TLS found out. */
export interface AcceptedTls {
  /** HTTP/2 was not negotiated. */
  readonly http1Only: boolean;
  readonly peerIdentity: PeerIdentity | undefined;
}

/**
 * A connection that a listener accepted, from then to its end. While nothing goes on with it, it is dormant: a `Connection`
 * takes 1.7 KiB, and what there is to be kept of it is the same few numbers for thousands of clients. Made anew, it goes on
 * from them.
 */
export class AcceptedConnection implements OpenConnection, ConnectionKeeper, Swept, WireUser {
  readonly remoteAddress: string;
  readonly #reception: Reception;
  readonly #wire: Wire;
  readonly #retireAt: number | undefined;
  /** While it is dormant, what it goes on from. */
  #at: Connection | DormantState;
  /** Milliseconds of the reception's clock: the last read, and the last stream. */
  #readAt = 0;
  #busyAt = 0;

  /** @param retireAt milliseconds of the reception's clock at which it is to be drained; undefined for never */
  constructor(reception: Reception, wire: Wire, remote: Address, retireAt: number | undefined, tls?: AcceptedTls) {
    this.#reception = reception;
    this.#wire = wire;
    this.remoteAddress = remote.address;
    this.#retireAt = retireAt;
    this.#at = this.#connect(remote, tls, undefined, reception.now());
  }

  get isDormant(): boolean {
    return !(this.#at instanceof Connection);
  }

  get tls(): boolean {
    return this.#at instanceof Connection && this.#at.info.tls;
  }

  get info(): ConnectionInfo {
    if (this.#at instanceof Connection) return this.#at.info;
    const { messagesReceived, messagesSent } = this.#at;
    return {
      remoteAddress: this.remoteAddress,
      remotePort: this.#wire.remote().port,
      tls: false,
      peerIdentity: undefined,
      messagesReceived,
      messagesSent,
    };
  }

  get counts(): StreamCounts {
    if (this.#at instanceof Connection) return this.#at.counts;
    const { started, succeeded } = this.#at;
    return { started, succeeded, open: 0 };
  }

  get localAddress(): string {
    return this.#wire.local().address;
  }

  get localPort(): number {
    return this.#wire.local().port;
  }

  get windowToSend(): number {
    return this.#at instanceof Connection ? this.#at.windowToSend : this.#at.sendWindow;
  }

  get windowToReceive(): number {
    return this.#at instanceof Connection ? this.#at.windowToReceive : this.#at.receiveLeft;
  }

  /** The open ones as of now. */
  get streams(): readonly EngineStream[] {
    return this.#at instanceof Connection ? this.#at.streams.list() : [];
  }

  /** @param now milliseconds of the reception's clock */
  sweep(now: number): void {
    if (!this.isDormant || this.#isDue(now)) this.#awake(now).sweep(now);
  }

  /** Graceful close, see `Connection`. */
  drain(): void {
    this.#awake().drain();
  }

  finish(endStream: (stream: Stream) => void): void {
    this.#awake().finish(endStream);
  }

  /** Closes the wire at once. */
  destroy(): void {
    this.#wire.destroy();
  }

  /** Of the connection: nothing has gone on for a while, and it may be dormant if nothing waits for anything. */
  onIdle(readAt: number, busyAt: number): void {
    const connection = this.#at;
    // Nobody passes by what was read before.
    this.#reception.owner.flusher.catchUp();
    if (!(connection instanceof Connection) || !connection.isAtRest || !this.#wire.handOver(this)) return;
    this.#at = shareState(connection.leave());
    connections.keep(connection);
    this.#readAt = readAt;
    this.#busyAt = busyAt;
  }

  /** Of the wire, while the connection is dormant, and from then on where the wire keeps its user. */
  read(buffer: Buffer, start: number, end: number): void {
    this.#awake().read(buffer, start, end);
  }

  /** Of the wire, as `read`. */
  onClosed(): void {
    if (this.#at instanceof Connection) this.#at.onClosed();
    else this.onGone();
  }

  onGone(): void {
    if (this.#at instanceof Connection) connections.keep(this.#at);
    this.#reception.onClosed(this);
  }

  /** Time has come for something that the connection does. */
  #isDue(now: number): boolean {
    const { idleTimeoutMs, keepaliveMs } = this.#reception.limits;
    return (
      (this.#retireAt !== undefined && now >= this.#retireAt) ||
      (idleTimeoutMs > 0 && now - this.#busyAt > idleTimeoutMs) ||
      (keepaliveMs > 0 && now - this.#readAt >= keepaliveMs)
    );
  }

  /** The connection; where it is dormant it is so no longer. */
  #awake(now = this.#reception.now()): Connection {
    if (this.#at instanceof Connection) return this.#at;
    // Who is gone by now has no address any more.
    const remote = { address: this.remoteAddress, port: this.#wire.remote().port };
    const connection = this.#connect(remote, undefined, this.#at, now);
    this.#at = connection;
    return connection;
  }

  #connect(remote: Address, tls: AcceptedTls | undefined, state: DormantState | undefined, now: number): Connection {
    const { settings, limits, names, owner } = this.#reception;
    return new Connection({
      wire: this.#wire,
      remote,
      server: true,
      tls: tls !== undefined,
      ...tls,
      settings,
      limits,
      names,
      owner,
      keeper: this,
      now,
      retireAt: this.#retireAt,
      woken: state && { state, readAt: this.#readAt, busyAt: this.#busyAt },
    });
  }
}
