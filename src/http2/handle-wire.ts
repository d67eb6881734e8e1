import { type OnReadOpts, type Server, Socket } from 'node:net';
import { type Handle, isHandle } from './handle.ts';
import { onreadOption, type ReaderPlace, shared } from './socket-reading.ts';
import { SocketWire } from './socket-wire.ts';
import { canWriteToHandles, type Writer, writeToHandle } from './socket-writing.ts';
import { type Address, TCP_KEEPALIVE_MS, type Wire, type WireUser } from './wire.ts';

/**
 * A handle that knows who reads from it, by a property that Node gives every handle, and uses in those that listen. Another one
 * would be 64 octets more.
 */
type OwnHandle = Handle & { onconnection?: HandleWire | null };

/**
 * An accepted connection without the socket that Node makes of its handle, which takes 1.6 KiB. A handle reads, writes what the
 * kernel takes, comes to its end, and closes. For all else the socket is made, once, and has it from then on.
 */
export class HandleWire implements Wire {
  readonly #handle: OwnHandle;
  #user: WireUser | undefined = undefined;
  #socket: SocketWire | undefined = undefined;
  /** `bytesRead` of the handle that were handed on. */
  #octets = 0;
  #paused = false;
  #closed = false;

  constructor(handle: Handle) {
    this.#handle = handle;
  }

  remote(): Address {
    const peer: { address?: string; port?: number } = {};
    if (!this.#closed) this.#handle.getpeername?.(peer);
    return { address: peer.address ?? '', port: peer.port ?? 0 };
  }

  local(): Address {
    const own: { address?: string; port?: number } = {};
    if (!this.#closed) this.#handle.getsockname?.(own);
    return { address: own.address ?? '', port: own.port ?? 0 };
  }

  attach(user: WireUser): void {
    const handle = this.#handle;
    this.#user = user;
    handle.setNoDelay?.(true);
    handle.setKeepAlive?.(true, TCP_KEEPALIVE_MS / 1_000);
    handle.onconnection = this;
    handle.useUserBuffer(shared);
    handle.onread = onRead;
    if (handle.readStart() !== 0) this.#makeSocket();
  }

  handOver(user: WireUser): boolean {
    if (this.#socket !== undefined || this.#closed) return false;
    this.#user = user;
    return true;
  }

  /**
   * Something was read, or the end came, or there was nothing, or an error. At its end a stream reads no longer, and can begin
   * again; in the other two cases it does (`uv_read_start`: UV_EALREADY), and the socket finds out which it is.
   */
  onRead(): void {
    const all = this.#handle.bytesRead;
    const octets = all - this.#octets;
    this.#octets = all;
    if (octets > 0) this.#user!.read(shared, 0, octets);
    else if (this.#handle.readStart() === 0) this.destroy();
    else this.#makeSocket();
  }

  pause(): void {
    this.#paused = true;
    if (this.#socket !== undefined) this.#socket.pause();
    else if (!this.#closed) this.#handle.readStop();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    if (this.#socket !== undefined) this.#socket.resume();
    else if (!this.#closed && this.#handle.readStart() !== 0) this.#makeSocket();
  }

  write(octets: Buffer, writer: Writer): boolean {
    if (this.#socket !== undefined) return this.#socket.write(octets, writer);
    if (this.#closed) return true;
    if (canWriteToHandles()) return writeToHandle(this.#handle, octets, writer, this);
    return this.#makeSocket().write(octets, writer);
  }

  writeAll(parts: readonly Buffer[], writer: Writer): void {
    if (!this.#closed) this.#makeSocket().writeAll(parts, writer);
  }

  end(): void {
    if (!this.#closed) this.#makeSocket().end();
  }

  destroy(): void {
    if (this.#socket !== undefined) this.#socket.destroy();
    else if (!this.#closed) {
      this.#closed = true;
      this.#handle.close(() => this.#user?.onClosed());
    }
  }

  #makeSocket(): SocketWire {
    if (this.#socket !== undefined) return this.#socket;
    // The socket begins to read by itself, and takes it for an error where that is done already.
    this.#handle.readStop();
    this.#socket = socketOf(this.#handle);
    if (this.#user !== undefined) this.#socket.attach(this.#user);
    if (this.#paused) this.#socket.pause();
    return this.#socket;
  }
}

function onRead(this: OwnHandle): void {
  this.onconnection?.onRead();
}

type SocketOfHandle = new (options: { handle: object; onread: OnReadOpts }) => Socket;

function socketOf(handle: object): SocketWire {
  const place: ReaderPlace = { reader: undefined };
  // The cast says what the types cannot: that the option takes such a handle.
  return new SocketWire(new (Socket as unknown as SocketOfHandle)({ handle, onread: onreadOption(place) }), place);
}

type OnConnection = (this: unknown, status: number, handle: object | undefined) => void;

/** What of a server Node does not document: its handle, which tells of each connection's. */
interface WithHandle {
  _handle?: { onconnection?: OnConnection } | null;
}

/**
 * Takes the handles of connections that `server` accepts from here on. The server does not know of them: it counts none, and its
 * 'close' waits for none.
 * @param server listening
 * @returns false when this Node does not let us: the server is as it was, and emits 'connection'
 */
export function acceptHandles(server: Server, accept: (wire: Wire) => void): boolean {
  const handle = (server as Server & WithHandle)._handle;
  const original = handle?.onconnection;
  if (handle === undefined || handle === null || typeof original !== 'function') return false;
  handle.onconnection = function (status, accepted) {
    if (status !== 0 || accepted === undefined) original.call(this, status, accepted);
    else accept(isHandle(accepted) ? new HandleWire(accepted) : socketOf(accepted));
  };
  return true;
}
