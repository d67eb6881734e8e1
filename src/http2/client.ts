import { Connection } from './connection.ts';
import type { ConnectionOwner } from './connection-options.ts';
import { type Attempt, type ClientTls, openSocket, type Target } from './connector.ts';
import { EngineStream, State } from './engine-stream.ts';
import { ErrorCode } from './error-code.ts';
import type { ExtraField, NameTable } from './field.ts';
import type { FloodKind } from './flood.ts';
import { Flusher } from './flusher.ts';
import type { HeaderBlock } from './header-block.ts';
import { IGNORE_EVENTS } from './ignore-events.ts';
import { CLIENT_LIMITS, type Limits } from './limits.ts';
import { type OpenConnection, type StreamCounts, StreamTotals } from './open-connection.ts';
import { CLIENT_SETTINGS, type LocalSettings } from './settings.ts';
import { ResetCause, type Stream, type StreamHandler } from './stream.ts';
import { StreamList } from './stream-list.ts';
import { Sweeper } from './sweeper.ts';

export interface ClientOptions {
  readonly target: Target;
  readonly tls?: ClientTls;
  readonly names: NameTable;
  readonly settings?: Partial<LocalSettings>;
  readonly limits?: Partial<Limits>;
  /** Connections at once, besides those that GOAWAY or an error has retired. Default 8. */
  readonly maxConnections?: number;
  /** Requests that may wait for a connection or for room on one. Default 4,096. */
  readonly maxWaiting?: number;
  /** Milliseconds until the peer's SETTINGS must have come. Default 5,000. */
  readonly connectTimeoutMs?: number;
  /** Milliseconds until the next attempt after a failed one: from `initial`, doubled, to `max`, with jitter. Default 50 to 2,000. */
  readonly backoffMs?: { readonly initial: number; readonly max: number };
  /** Shared with others of the process, so that a turn of the event loop is one for all of them. */
  readonly flusher?: Flusher;
  /** Milliseconds of a monotonic clock. */
  readonly clock?: () => number;
  /** Numbers from 0 to 1, for jitter. */
  readonly random?: () => number;
  /** Asked before each attempt to connect: an error is what comes of it. */
  readonly refuse?: ((target: Target) => Error | undefined) | undefined;
  /** A connection could not be made. */
  onConnectionError?(error: unknown): void;
  /** A handler threw. */
  onError?(error: unknown): void;
  /** The peer broke a limit. */
  onFlood?(kind: FloodKind): void;
}

/** Requests to one target, over as few connections as its SETTINGS_MAX_CONCURRENT_STREAMS allows. */
export class Client {
  readonly #options: ClientOptions;
  #tls: ClientTls | undefined;
  readonly #settings: LocalSettings;
  readonly #limits: Limits;
  readonly #maxConnections: number;
  readonly #maxWaiting: number;
  readonly #sweeper: Sweeper<Connection>;
  readonly #gone = new StreamTotals();
  readonly #owner: ConnectionOwner;
  readonly #waiting = new StreamList();
  /** Connections that take streams, or will when they are ready. */
  readonly #usable: Connection[] = [];
  #attempt:
    | { readonly socket: Attempt['socket']; timer: NodeJS.Timeout; connection: Connection | undefined }
    | undefined;
  #failures = 0;
  #retryAt = Number.NEGATIVE_INFINITY;
  #closing: Promise<void> | undefined = undefined;
  #onEmpty: (() => void) | undefined = undefined;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#tls = options.tls;
    this.#settings = { ...CLIENT_SETTINGS, ...options.settings };
    this.#limits = { ...CLIENT_LIMITS, ...options.limits };
    this.#maxConnections = options.maxConnections ?? 8;
    this.#maxWaiting = options.maxWaiting ?? 4_096;
    this.#sweeper = new Sweeper(options.clock ?? (() => performance.now()));
    this.#owner = {
      flusher: options.flusher ?? new Flusher(),
      onRequest: () => IGNORE_EVENTS,
      onRoom: (connection) => this.#onRoom(connection),
      onUnusable: (connection) => this.#onUnusable(connection),
      onClosed: (connection) => this.#onClosed(connection),
      onError: (error) => options.onError?.(error),
      onFlood: (kind) => options.onFlood?.(kind),
    };
  }

  /** Connections from here on are made with this; those there are stay. For a client that has TLS. */
  renewTls(tls: ClientTls): void {
    if (this.#tls !== undefined) this.#tls = tls;
  }

  /** Streams open or waiting. */
  get outstanding(): number {
    let count = this.#waiting.size;
    for (const connection of this.#sweeper.connections) count += connection.streams.count;
    return count;
  }

  /** Connections there are, retired ones included. */
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
   * Opens a stream: at once on a connection with room, else it waits for one. When none can be made, when too many wait or
   * after `close`, the handler's `onReset` says UNPROCESSED, later, never during this call. Never throws.
   * @param extra fields of this request alone, behind the block's; must not change while the stream waits
   */
  request(
    handler: StreamHandler,
    block: HeaderBlock,
    extra: readonly ExtraField[] | undefined,
    endStream: boolean,
  ): Stream {
    const stream = new EngineStream(handler);
    stream.state = endStream ? State.HEADERS_SENT | State.LOCAL_END_GIVEN : State.HEADERS_SENT;
    const connection = this.#waiting.size === 0 ? this.#pick() : undefined;
    if (connection !== undefined) {
      connection.open(stream, block, extra, endStream);
      return stream;
    }
    stream.pending = { block, extra, endStream };
    if (this.#closing !== undefined || this.#waiting.size >= this.#maxWaiting || !this.#connect()) {
      setImmediate(() => this.#failOne(stream)); // Once the handler can know the stream.
    } else {
      this.#waiting.push(stream);
    }
    return stream;
  }

  /**
   * Closes: no new streams; those open go on.
   * @param graceMs after so many milliseconds what is left is closed
   */
  close(graceMs = 0): Promise<void> {
    this.#closing ??= this.#close(graceMs);
    return this.#closing;
  }

  #pick(): Connection | undefined {
    for (let index = 0; index < this.#usable.length; index++) {
      const connection = this.#usable[index]!;
      if (connection.hasRoom) return connection;
    }
    return undefined;
  }

  /** Begins another connection if there may be one. @returns false when there is none to wait for. */
  #connect(): boolean {
    if (this.#attempt !== undefined || this.#usable.length >= this.#maxConnections) return true;
    if (this.#sweeper.now() < this.#retryAt) return this.#usable.length > 0;
    const refused = this.#options.refuse?.(this.#options.target);
    if (refused !== undefined) {
      this.#backOff();
      this.#options.onConnectionError?.(refused);
      return this.#usable.length > 0;
    }
    const { socket } = openSocket(this.#options.target, this.#tls, (attempt) => this.#onConnected(attempt));
    const timeout = this.#options.connectTimeoutMs ?? 5_000;
    const timer = setTimeout(() => socket.destroy(new Error(`no HTTP/2 connection within ${timeout} ms`)), timeout);
    this.#attempt = { socket, timer, connection: undefined };
    let failure: unknown;
    socket.on('error', (error) => {
      failure = error;
    });
    socket.once('close', () => this.#onAttemptOver(socket, failure));
    return true;
  }

  #onConnected(attempt: Attempt): void {
    const connection = new Connection({
      wire: attempt.wire,
      remote: attempt.wire.remote(),
      server: false,
      tls: this.#tls !== undefined,
      settings: this.#settings,
      limits: this.#limits,
      names: this.#options.names,
      owner: this.#owner,
      now: this.#sweeper.now(),
    });
    if (this.#attempt?.socket === attempt.socket) this.#attempt.connection = connection;
    this.#sweeper.add(connection);
    this.#usable.push(connection);
  }

  /** The socket of an attempt closed. If it never became a connection that takes streams, the attempt has failed. */
  #onAttemptOver(socket: Attempt['socket'], failure: unknown): void {
    if (this.#attempt?.socket !== socket) return;
    this.#endAttempt();
    this.#backOff();
    if (this.#usable.length === 0) this.#failWaiting();
    this.#options.onConnectionError?.(failure ?? new Error('the peer closed the connection before its SETTINGS'));
  }

  /** An attempt came to nothing: the next is made later. */
  #backOff(): void {
    const { initial, max } = this.#options.backoffMs ?? { initial: 50, max: 2_000 };
    const random = (this.#options.random ?? Math.random)();
    this.#retryAt = this.#sweeper.now() + Math.min(max, initial * 2 ** this.#failures++) * (0.5 + random / 2);
  }

  #endAttempt(): void {
    clearTimeout(this.#attempt?.timer);
    this.#attempt = undefined;
  }

  #failWaiting(): void {
    for (let left = this.#waiting.size; left > 0; left--) {
      const stream = this.#waiting.first;
      if (stream === undefined) return;
      this.#failOne(stream);
    }
  }

  #failOne(stream: EngineStream): void {
    try {
      stream.fail(ErrorCode.REFUSED_STREAM, ResetCause.UNPROCESSED);
    } catch (error) {
      this.#options.onError?.(error);
    }
  }

  #onRoom(connection: Connection): void {
    if (this.#attempt !== undefined && this.#attempt.connection === connection && connection.receiver.settled) {
      this.#endAttempt();
      this.#failures = 0;
      this.#retryAt = Number.NEGATIVE_INFINITY;
    }
    while (this.#waiting.first !== undefined && connection.hasRoom) {
      const stream: EngineStream = this.#waiting.first;
      this.#waiting.remove(stream);
      stream.start(connection);
    }
    if (this.#waiting.first !== undefined) this.#connect();
  }

  #onUnusable(connection: Connection): void {
    const index = this.#usable.indexOf(connection);
    if (index >= 0) this.#usable.splice(index, 1);
    this.#reconnect();
  }

  #onClosed(connection: Connection): void {
    this.#sweeper.delete(connection);
    this.#gone.add(connection.counts);
    if (this.#sweeper.connections.size === 0) this.#onEmpty?.();
    this.#reconnect();
  }

  /** Whoever waits gets another connection, or an answer. */
  #reconnect(): void {
    if (this.#waiting.size > 0 && !this.#connect()) this.#failWaiting();
  }

  async #close(graceMs: number): Promise<void> {
    this.#failWaiting();
    if (this.#attempt?.connection === undefined) this.#attempt?.socket.destroy();
    const connections = this.#sweeper.connections;
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
    this.#endAttempt();
  }
}
