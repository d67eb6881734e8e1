import { createServer, type Server, type Socket } from 'node:net';
import { Flag, FrameCutter, FrameType, frame, type RawFrame, windowUpdate } from './frames.ts';
import { Watch } from './watch.ts';

/** What a raw backend does; what is left out is done properly. */
export interface Behaviour {
  /** A client connected. Default: SETTINGS. */
  readonly onConnect?: (connection: RawConnection) => void;
  /** The request's headers are complete. Default: nothing. */
  readonly onRequest?: (connection: RawConnection, stream: number) => void;
  /** The client half-closed the stream. Default: nothing. */
  readonly onRequestEnd?: (connection: RawConnection, stream: number) => void;
}

export interface RawConnection {
  readonly socket: Socket;
  /** All in one write. */
  send(...frames: readonly Buffer[]): void;
}

/** A backend over node:net whose every frame is written by hand, and whose behaviour can be changed while it runs. */
export class RawBackend {
  behaviour: Behaviour;
  /** Requests and connections that arrived, and RST_STREAMs. */
  requests = 0;
  connections = 0;
  /** DATA frames with content, and their octets. */
  dataFrames = 0;
  dataOctets = 0;
  readonly resets: { readonly stream: number; readonly code: number }[] = [];
  readonly watch = new Watch();
  /** Connections that are open, the oldest first. */
  readonly open = new Set<RawConnection>();
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;

  constructor(behaviour: Behaviour) {
    this.behaviour = behaviour;
    this.#server = createServer((socket) => this.#accept(socket));
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the backend does not listen');
    return address.port;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  async start(port = 0): Promise<this> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, '127.0.0.1', resolve);
    });
    return this;
  }

  /** Ends the connections that are open, as a process that dies does. */
  dropConnections(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.dropConnections();
    await closed;
  }

  #accept(socket: Socket): void {
    this.connections++;
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => {});
    const connection: RawConnection = {
      socket,
      send: (...frames) => {
        if (socket.writable) socket.write(Buffer.concat(frames));
      },
    };
    this.open.add(connection);
    socket.on('close', () => this.open.delete(connection));
    const cutter = new FrameCutter(true);
    socket.on('data', (chunk) => {
      for (const each of cutter.push(chunk)) this.#onFrame(connection, each);
      this.watch.changed();
    });
    if (this.behaviour.onConnect) this.behaviour.onConnect(connection);
    else connection.send(frame(FrameType.SETTINGS, 0, 0));
    this.watch.changed();
  }

  #onFrame(connection: RawConnection, { type, flags, stream, payload }: RawFrame): void {
    switch (type) {
      case FrameType.SETTINGS:
        // A peer that never sends SETTINGS acknowledges none either.
        if ((flags & Flag.ACK) === 0 && !this.behaviour.onConnect) {
          connection.send(frame(FrameType.SETTINGS, Flag.ACK, 0));
        }
        return;
      case FrameType.PING:
        if ((flags & Flag.ACK) === 0) connection.send(frame(FrameType.PING, Flag.ACK, 0, payload));
        return;
      case FrameType.RST_STREAM:
        this.resets.push({ stream, code: payload.readUInt32BE(0) });
        return;
      case FrameType.HEADERS:
      case FrameType.CONTINUATION:
        if ((flags & Flag.END_HEADERS) !== 0) {
          this.requests++;
          this.behaviour.onRequest?.(connection, stream);
        }
        break;
      case FrameType.DATA:
        if (payload.length > 0) {
          this.dataFrames++;
          this.dataOctets += payload.length;
          connection.send(windowUpdate(0, payload.length), windowUpdate(stream, payload.length));
        }
        break;
      default:
        return;
    }
    if ((flags & Flag.END_STREAM) !== 0) this.behaviour.onRequestEnd?.(connection, stream);
  }
}
