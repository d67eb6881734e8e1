import { type OnReadOpts, type Server, Socket } from 'node:net';

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

/** Reads by 'data' events: TLS, and where handles cannot be taken. */
export function readByEvents(socket: Socket, reader: Reader): void {
  socket.on('data', (chunk: Buffer) => reader.read(chunk, 0, chunk.length));
}

type OnConnection = (this: unknown, status: number, handle: object | undefined) => void;

/** What of a server Node does not document: its handle, which tells of each connection's, and that a socket can be made of one. */
interface WithHandle {
  _handle?: { onconnection?: OnConnection } | null;
}
type SocketOfHandle = new (options: { handle: object; onread: OnReadOpts }) => Socket;

/**
 * Has connections that `server` accepts from here on made into sockets that read by `onread`, an option that `net.Server` does
 * not have. The server does not know of them: it counts none, and its 'close' waits for none.
 * @param server listening
 * @returns false when this Node does not let us: the server is as it was, and emits 'connection'
 */
export function acceptByOnread(server: Server, accept: (socket: Socket, place: ReaderPlace) => void): boolean {
  const handle = (server as Server & WithHandle)._handle;
  const original = handle?.onconnection;
  if (handle === undefined || handle === null || typeof original !== 'function') return false;
  handle.onconnection = function (status, accepted) {
    if (status !== 0 || accepted === undefined) {
      original.call(this, status, accepted);
      return;
    }
    const place: ReaderPlace = { reader: undefined };
    // The cast says what the types cannot: that the option takes such a handle.
    accept(new (Socket as unknown as SocketOfHandle)({ handle: accepted, onread: onreadOption(place) }), place);
  };
  return true;
}
