import { type OnReadOpts, Socket } from 'node:net';

/** Takes what a socket read: `buffer[start, end)`, only during the call. */
export interface Reader {
  read(buffer: Buffer, start: number, end: number): void;
}

/** Where the reader of a socket stands: the socket is made before it. */
export interface ReaderPlace {
  reader: Reader | undefined;
}

/** One buffer for all sockets of the process: what is read is used up before the next socket reads. */
const shared = Buffer.allocUnsafeSlow(65_536);

/**
 * The `onread` option of a socket that reads into the shared buffer: saves the allocation of a Buffer and the stream's
 * machinery for every read, 15 % of a call's cost.
 */
export function onreadOption(place: ReaderPlace): OnReadOpts {
  return {
    buffer: shared,
    callback: (octets) => {
      place.reader?.read(shared, 0, octets);
      return true;
    },
  };
}

/** Reads by 'data' events: TLS, and where handles cannot be moved. */
export function readByEvents(socket: Socket, reader: Reader): void {
  socket.on('data', (chunk: Buffer) => reader.read(chunk, 0, chunk.length));
}

/** What of a socket Node does not document: the handle of libuv, and that a socket can be made of one. */
interface WithHandle {
  _handle?: object | null;
}
type SocketOfHandle = new (options: { handle: object; onread: OnReadOpts }) => Socket;

/** Whether this Node lets us move handles, as far as can be seen without a connection. */
export function canMoveHandles(): boolean {
  return '_handle' in new Socket();
}

/**
 * Makes of an accepted socket, which must not have begun to read (`pauseOnConnect`), one that reads by `onread`, an option
 * that `net.Server` does not have.
 * @returns undefined when the handle cannot be moved: the socket is as it was.
 */
export function moveToOnread(accepted: Socket, place: ReaderPlace): Socket | undefined {
  const holder = accepted as Socket & WithHandle;
  const handle = holder._handle;
  if (handle === undefined || handle === null) return undefined;
  // The cast says what the types cannot: that the option takes such a handle.
  const moved = new (Socket as unknown as SocketOfHandle)({ handle, onread: onreadOption(place) });
  // The server counts the accepted socket until it is destroyed; without a handle that closes nothing.
  holder._handle = null;
  accepted.destroy();
  return moved;
}
