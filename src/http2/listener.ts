import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket, type TlsOptions } from 'node:tls';
import { Connection, type ConnectionOwner } from './connection.ts';
import type { NameTable } from './field.ts';
import { Flusher } from './flusher.ts';
import type { HeaderBlock } from './header-block.ts';
import { DEFAULT_LIMITS, type Limits } from './limits.ts';
import { type LocalSettings, SERVER_SETTINGS } from './settings.ts';
import { canMoveHandles, moveToOnread, type Reader, readByEvents } from './socket-reading.ts';
import type { Stream, StreamHandler } from './stream.ts';
import { Sweeper } from './sweeper.ts';
import { serverTlsOptions } from './tls.ts';

export interface ListenerOptions {
  /** Address to listen on; port 0 for a free one. Ignored where `path` is given. */
  readonly host?: string;
  readonly port?: number;
  /** A Unix socket instead. */
  readonly path?: string;
  /** TLS with ALPN `h2`; without it prior-knowledge h2c. */
  readonly tls?: TlsOptions;
  readonly names: NameTable;
  readonly settings?: Partial<LocalSettings>;
  readonly limits?: Partial<Limits>;
  /** Connections at once; more are closed as they come. Default: no limit. */
  readonly maxConnections?: number;
  /**
   * `handle` moves accepted sockets to ones that read without allocation, by undocumented means; `data` uses events.
   * Default: `handle` where this Node can.
   */
  readonly reading?: 'handle' | 'data';
  /** Milliseconds of a monotonic clock. */
  readonly clock?: () => number;
  /** A request came. The handler gets what follows; it may answer before it returns. */
  onRequest(stream: Stream, block: HeaderBlock, endStream: boolean): StreamHandler;
  /** A handler threw, or the listening socket failed. */
  onError?(error: unknown): void;
}

/** Listens for HTTP/2 connections, and hands on their requests. */
export class Listener {
  readonly #options: ListenerOptions;
  readonly #server: Server;
  readonly #settings: LocalSettings;
  readonly #limits: Limits;
  readonly #sweeper: Sweeper;
  readonly #owner: ConnectionOwner;
  readonly #moves: boolean;
  /** TLS: sockets, also those still in the handshake. */
  readonly #sockets = new Set<Socket>();
  #closing: Promise<void> | undefined = undefined;
  #onEmpty: (() => void) | undefined = undefined;

  private constructor(options: ListenerOptions) {
    this.#options = options;
    this.#settings = { ...SERVER_SETTINGS, ...options.settings };
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#sweeper = new Sweeper(options.clock ?? (() => performance.now()));
    this.#moves = options.tls === undefined && options.reading !== 'data' && canMoveHandles();
    this.#owner = {
      flusher: new Flusher(),
      onRequest: (stream, block, endStream) => options.onRequest(stream, block, endStream),
      onRoom: () => {},
      onUnusable: () => {},
      onClosed: (connection) => this.#onClosed(connection),
      onError: (error) => options.onError?.(error),
    };
    this.#server = this.#createServer(options);
    if (options.maxConnections !== undefined) this.#server.maxConnections = options.maxConnections;
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

  /**
   * Closes gracefully: no new connections, GOAWAY on those there are, streams go on until they are done.
   * @param graceMs after so many milliseconds what is left is closed
   */
  close(graceMs: number): Promise<void> {
    this.#closing ??= this.#close(graceMs);
    return this.#closing;
  }

  #createServer(options: ListenerOptions): Server {
    if (options.tls === undefined) {
      return createServer({ pauseOnConnect: this.#moves, noDelay: true }, (socket) => this.#accept(socket));
    }
    const server = createTlsServer(serverTlsOptions(options.tls), (socket) => this.#acceptTls(socket));
    server.on('tlsClientError', (_error, socket) => socket.destroy()); // Strangers' mistakes are no news.
    server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
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
        resolve();
      };
      if (path !== undefined) this.#server.listen(path, listening);
      else this.#server.listen(port ?? 0, host ?? '127.0.0.1', listening);
    });
  }

  #accept(accepted: Socket): void {
    let reader: Reader | undefined;
    const moved = this.#moves ? moveToOnread(accepted, () => reader) : undefined;
    const socket = moved ?? accepted;
    const connection = this.#connect(socket, false);
    reader = (buffer, start, end) => connection.read(buffer, start, end);
    if (moved === undefined) {
      readByEvents(socket, reader);
      socket.resume();
    }
  }

  #acceptTls(socket: TLSSocket): void {
    if (socket.alpnProtocol !== 'h2') {
      socket.destroy(); // HTTP/2 over TLS must be negotiated (RFC 9113 section 3.2).
      return;
    }
    const connection = this.#connect(socket, true);
    readByEvents(socket, (buffer, start, end) => connection.read(buffer, start, end));
  }

  #connect(socket: Socket, tls: boolean): Connection {
    const connection = new Connection({
      socket,
      server: true,
      tls,
      settings: this.#settings,
      limits: this.#limits,
      names: this.#options.names,
      owner: this.#owner,
      now: this.#sweeper.now(),
    });
    this.#sweeper.add(connection);
    return connection;
  }

  #onClosed(connection: Connection): void {
    this.#sweeper.delete(connection);
    if (this.#sweeper.connections.size === 0) this.#onEmpty?.();
  }

  async #close(graceMs: number): Promise<void> {
    const connections = this.#sweeper.connections;
    this.#server.close();
    for (const connection of connections) connection.drain();
    const timer = setTimeout(() => {
      for (const connection of connections) connection.destroy();
    }, graceMs);
    if (connections.size > 0) {
      await new Promise<void>((resolve) => {
        this.#onEmpty = resolve;
      });
    }
    clearTimeout(timer);
    for (const socket of this.#sockets) socket.destroy();
  }
}
