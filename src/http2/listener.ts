import { createServer, type Server, type Socket } from 'node:net';
import {
  createServer as createTlsServer,
  type SecureContextOptions,
  type TLSSocket,
  type TlsOptions,
  Server as TlsServer,
} from 'node:tls';
import { AcceptedConnection, type AcceptedTls, type Reception } from './accepted-connection.ts';
import { Census } from './census.ts';
import type { NameTable } from './field.ts';
import type { FloodKind } from './flood.ts';
import { Flusher } from './flusher.ts';
import { acceptHandles } from './handle-wire.ts';
import type { HeaderBlock } from './header-block.ts';
import type { Http1Answer, Http1Request } from './http1.ts';
import { DEFAULT_LIMITS, type Limits } from './limits.ts';
import { type OpenConnection, type StreamCounts, StreamTotals } from './open-connection.ts';
import { readPeerIdentity } from './peer-identity.ts';
import { type LocalSettings, SERVER_SETTINGS } from './settings.ts';
import { SocketWire } from './socket-wire.ts';
import type { Stream, StreamHandler } from './stream.ts';
import { Sweeper } from './sweeper.ts';
import { MIN_TLS_VERSION, serverTlsOptions } from './tls.ts';
import type { Address, Wire } from './wire.ts';

/** Milliseconds for peers to take our last words, and for handshakes to end, when the grace of a close is over. */
const LAST_WORDS_MS = 1_000;

/** Bounds of what strangers can make us hold, far above what one process serves well. */
export const MAX_CONNECTIONS = 50_000;
export const MAX_CONNECTIONS_OF_SOURCE = 20_000;

export interface ListenerOptions {
  /** Address to listen on; port 0 for a free one. Ignored where `path` is given. */
  readonly host?: string;
  readonly port?: number;
  /** A Unix socket instead. */
  readonly path?: string;
  /**
   * TLS with ALPN `h2`; without it prior-knowledge h2c. A client certificate that was asked for (`requestCert`) and is not
   * valid ends the connection even where none is needed (`rejectUnauthorized: false`).
   */
  readonly tls?: TlsOptions;
  readonly names: NameTable;
  readonly settings?: Partial<LocalSettings>;
  readonly limits?: Partial<Limits>;
  /** Milliseconds after which a connection is drained, each up to a tenth earlier or later. Default: never. */
  readonly maxConnectionAgeMs?: number | undefined;
  /** Numbers from 0 to 1, for jitter. */
  readonly random?: () => number;
  /** Connections at once; more are closed as they come. Default 50,000. */
  readonly maxConnections?: number;
  /** Of one source address, an IPv6 one counted by its /64. Default 20,000: many clients may stand behind one address. */
  readonly maxConnectionsOfSource?: number;
  /**
   * `handle` reads and writes by accepted handles, which makes no socket as long as that is enough, by undocumented means; `data`
   * uses Node's sockets and their events.
   * Default: `handle` where this Node can.
   */
  readonly reading?: 'handle' | 'data';
  /** Shared with others of the process, so that a turn of the event loop is one for all of them. */
  readonly flusher?: Flusher;
  /** Milliseconds of a monotonic clock. */
  readonly clock?: () => number;
  /** A request came. The handler gets what follows; it may answer before it returns. */
  onRequest(stream: Stream, block: HeaderBlock, endStream: boolean): StreamHandler;
  /** Answers a request whose header list is above the limit, of which nothing is known. Without this, 431. */
  onTooLarge?(stream: Stream): void;
  /** A request of HTTP/1 came: what to answer. Without this, that the port speaks HTTP/2. */
  onHttp1?(request: Http1Request): Http1Answer | Promise<Http1Answer>;
  /** The grace of `close` is over, and this request still runs: the time to give it its end. What is left is cut off. */
  onGraceOver?(stream: Stream): void;
  /** A TLS handshake failed. */
  onHandshakeError?(error: Error, remoteAddress: string): void;
  /** A handler threw, or the listening socket failed. */
  onError?(error: unknown): void;
  /** A peer broke a limit. */
  onFlood?(kind: FloodKind, remoteAddress: string): void;
}

/** Listens for HTTP/2 connections, and hands on their requests. */
export class Listener {
  readonly #options: ListenerOptions;
  readonly #server: Server;
  readonly #sweeper: Sweeper<AcceptedConnection>;
  readonly #gone = new StreamTotals();
  readonly #census: Census;
  readonly #reception: Reception;
  /** TLS: all sockets. */
  readonly #sockets = new Set<Socket>();
  /** Those still in the handshake, by address and port of the peer, since the TLS socket is another object. */
  readonly #handshakes = new Map<string, Socket>();
  #closing: Promise<void> | undefined = undefined;
  #onEmpty: (() => void) | undefined = undefined;

  private constructor(options: ListenerOptions) {
    this.#options = options;
    this.#sweeper = new Sweeper(options.clock ?? (() => performance.now()));
    this.#reception = {
      settings: { ...SERVER_SETTINGS, ...options.settings },
      limits: { ...DEFAULT_LIMITS, ...options.limits },
      names: options.names,
      owner: {
        flusher: options.flusher ?? new Flusher(),
        onRequest: (stream, block, endStream) => options.onRequest(stream, block, endStream),
        onRoom: () => {},
        onUnusable: () => {},
        onTooLarge: options.onTooLarge && ((stream) => options.onTooLarge!(stream)),
        onHttp1: options.onHttp1 && ((request) => options.onHttp1!(request)),
        onClosed: (connection) => connection.keeper?.onGone(),
        onError: (error) => options.onError?.(error),
        onFlood: (kind, connection) => options.onFlood?.(kind, connection.info.remoteAddress),
      },
      now: () => this.#sweeper.now(),
      onClosed: (accepted) => this.#onClosed(accepted),
    };
    this.#server = this.#createServer(options);
    this.#census = new Census(
      options.maxConnections ?? MAX_CONNECTIONS,
      options.maxConnectionsOfSource ?? MAX_CONNECTIONS_OF_SOURCE,
    );
  }

  /**
   * Starts to listen.
   * @throws the system's error when the address cannot be bound
   */
  static async listen(options: ListenerOptions): Promise<Listener> {
    const listener = new Listener(options);
    await listener.#listen();
    return listener;
  }

  /** Where it listens. For a Unix socket the path stands for the host, and the port is 0. */
  get address(): { readonly host: string; readonly port: number } {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') return { host: address ?? '', port: 0 };
    return { host: address.address, port: address.port };
  }

  /** Open connections. */
  get connections(): number {
    return this.#sweeper.connections.size;
  }

  /** The same one by one, the oldest first. */
  get openConnections(): Iterable<OpenConnection> {
    return this.#sweeper.connections;
  }

  /** All streams since the start. */
  get streamTotals(): StreamCounts {
    return this.#gone.with(this.#sweeper.connections);
  }

  /**
   * Has other certificates from here on: connections there are keep theirs, the next handshake gets the new ones.
   * @throws when certificate and key do not fit; then nothing has changed
   */
  renewTls(options: SecureContextOptions): void {
    if (this.#server instanceof TlsServer) this.#server.setSecureContext({ minVersion: MIN_TLS_VERSION, ...options });
  }

  /** Goes through the open requests of all connections; what `visit` throws is reported, and does not keep it from the others. */
  eachStream(visit: (stream: Stream) => void): void {
    for (const connection of this.#sweeper.connections) {
      for (const stream of connection.streams) {
        try {
          visit(stream);
        } catch (error) {
          this.#options.onError?.(error);
        }
      }
    }
  }

  /**
   * Closes gracefully: no new connections, GOAWAY on those there are, streams go on until they are done.
   * @param graceMs after so many milliseconds what is left is told to `onGraceOver`, and closed
   */
  close(graceMs: number): Promise<void> {
    this.#closing ??= this.#close(graceMs);
    return this.#closing;
  }

  #createServer(options: ListenerOptions): Server {
    if (options.tls === undefined) {
      return createServer((socket) => this.#accept(new SocketWire(socket)));
    }
    const tls = serverTlsOptions(options.tls, options.onHttp1 !== undefined);
    const server = createTlsServer(tls, (socket) => this.#acceptTls(socket));
    server.on('tlsClientError', (error, socket) => {
      socket.destroy();
      this.#options.onHandshakeError?.(error, socket.remoteAddress ?? '');
    });
    server.on('connection', (socket) => {
      const address = socket.remoteAddress ?? '';
      if (!this.#admit(socket, address)) return;
      const peer = peerOf(socket);
      this.#sockets.add(socket);
      this.#handshakes.set(peer, socket);
      socket.on('close', () => {
        this.#census.leave(address);
        this.#sockets.delete(socket);
        if (this.#handshakes.get(peer) === socket) this.#handshakes.delete(peer);
        this.#checkEmpty();
      });
    });
    return server;
  }

  #listen(): Promise<void> {
    const { host, port, path } = this.#options;
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      const listening = () => {
        this.#server.off('error', reject);
        this.#server.on('error', (error) => this.#options.onError?.(error));
        if (this.#options.tls === undefined && this.#options.reading !== 'data') {
          acceptHandles(this.#server, (wire) => this.#accept(wire));
        }
        resolve();
      };
      if (path !== undefined) this.#server.listen(path, listening);
      else this.#server.listen(port ?? 0, host ?? '127.0.0.1', listening);
    });
  }

  /** Whether there may be one more connection. Counts it; it is destroyed if not. */
  #admit(one: Socket | Wire, address: string): boolean {
    const limit = this.#census.enter(address);
    if (limit === undefined) return true;
    one.destroy();
    this.#options.onFlood?.(limit, address);
    return false;
  }

  #accept(wire: Wire): void {
    const remote = wire.remote();
    if (this.#admit(wire, remote.address)) this.#connect(wire, remote);
  }

  #acceptTls(socket: TLSSocket): void {
    this.#handshakes.delete(peerOf(socket));
    const http1Only = socket.alpnProtocol !== 'h2'; // HTTP/2 over TLS must be negotiated (RFC 9113 section 3.2).
    if (http1Only && this.#options.onHttp1 === undefined) {
      socket.destroy();
      return;
    }
    const peerIdentity = this.#options.tls?.requestCert === true ? readPeerIdentity(socket) : undefined;
    // A certificate that does not hold is worse than none: who has it believes to be known.
    if (peerIdentity === undefined && socket.getPeerX509Certificate() !== undefined) {
      socket.destroy();
      const error = new Error(`the client certificate is not valid: ${socket.authorizationError}`);
      this.#options.onHandshakeError?.(error, socket.remoteAddress ?? '');
      return;
    }
    const wire = new SocketWire(socket);
    const connection = this.#connect(wire, wire.remote(), { http1Only, peerIdentity });
    if (this.#closing !== undefined) connection.drain();
  }

  #connect(wire: Wire, remote: Address, tls?: AcceptedTls): AcceptedConnection {
    const { maxConnectionAgeMs: age, random = Math.random } = this.#options;
    const retireAt = age === undefined ? undefined : Math.floor(this.#sweeper.now() + age * (0.9 + random() / 5));
    const connection = new AcceptedConnection(this.#reception, wire, remote, retireAt, tls);
    this.#sweeper.add(connection);
    return connection;
  }

  #onClosed(connection: AcceptedConnection): void {
    // Those of TLS are counted from before the handshake on.
    if (!connection.tls) this.#census.leave(connection.remoteAddress);
    this.#sweeper.delete(connection);
    this.#gone.add(connection.counts);
    this.#checkEmpty();
  }

  #checkEmpty(): void {
    if (this.#sweeper.connections.size === 0 && this.#sockets.size === 0) this.#onEmpty?.();
  }

  async #close(graceMs: number): Promise<void> {
    const connections = this.#sweeper.connections;
    this.#server.close();
    for (const connection of connections) connection.drain();
    const handshakes = setTimeout(() => this.#endHandshakes(), Math.min(graceMs, LAST_WORDS_MS));
    const grace = setTimeout(() => this.#endGrace(), graceMs);
    const last = setTimeout(() => this.#cut(), graceMs + LAST_WORDS_MS);
    await new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
      this.#checkEmpty();
    });
    for (const timer of [handshakes, grace, last]) clearTimeout(timer);
  }

  /** Who has not come through the TLS handshake by now has lost nothing. */
  #endHandshakes(): void {
    for (const socket of this.#handshakes.values()) socket.destroy();
  }

  #endGrace(): void {
    for (const connection of this.#sweeper.connections) {
      connection.finish((stream) => {
        try {
          this.#options.onGraceOver?.(stream);
        } catch (error) {
          this.#options.onError?.(error);
        }
      });
    }
  }

  #cut(): void {
    for (const connection of this.#sweeper.connections) connection.destroy();
    for (const socket of this.#sockets) socket.destroy();
  }
}

function peerOf(socket: Socket): string {
  return `${socket.remoteAddress}:${socket.remotePort}`;
}
