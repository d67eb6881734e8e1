import { Socket } from 'node:net';
import { getSystemErrorName } from 'node:util';
import { type Handle, isHandle, type WriteRequest } from './handle.ts';

const NOTHING = Buffer.alloc(0);

/** Who is told when a write is done that the kernel did not take at once. */
export interface Writer {
  onLanded(error?: Error | null): void;
}

interface WithHandle {
  _handle?: Handle | null;
}

/** Node's class of requests; undefined until it was seen in a write of Node's own. */
let RequestOfWrite: (new () => WriteRequest) | undefined;
/** One that no write under way holds. */
let spare: WriteRequest | undefined;

/** What ends when a write has failed. */
export interface Destroyable {
  destroy(error: Error): void;
}

/** Whether `writeToHandle` may be used: not before the first write of the process to a socket. */
export function canWriteToHandles(): boolean {
  return RequestOfWrite !== undefined;
}

/**
 * Writes `octets`, which must stay as they are until they are taken.
 *
 * The handle of a socket without TLS is given them directly. The first write goes through the stream, and shows what class
 * requests are of; where it does not, all go that way.
 * @returns whether the kernel took all. If not, `writer` is told when it has, and nothing may be written before
 */
export function writeAtOnce(socket: Socket, octets: Buffer, writer: Writer): boolean {
  const handle = socket.constructor === Socket ? (socket as Socket & WithHandle)._handle : undefined;
  if (handle === undefined || handle === null) return writeToStream(socket, octets, writer);
  if (RequestOfWrite !== undefined) return writeToHandle(handle, octets, writer, socket);
  learn(handle);
  return writeToStream(socket, octets, writer);
}

/**
 * Writes to `handle`, with one request for all writes that the kernel takes at once: the stream's machinery and a request of its
 * own are half of what a small write takes in the process. `owner` is destroyed when the write fails.
 * @returns as `writeAtOnce`
 */
export function writeToHandle(handle: Handle, octets: Buffer, writer: Writer, owner: Destroyable): boolean {
  const request = spare ?? makeRequest(RequestOfWrite!);
  spare = undefined;
  const status = handle.writeBuffer(request, octets);
  if (status === 0 && handle.writeQueueSize > 0) {
    request.octets = octets;
    request.oncomplete = (status) => {
      const error = status < 0 ? errorOf(status) : undefined;
      // Who does not read for the moment would not see that the peer is gone.
      if (error !== undefined) owner.destroy(error);
      writer.onLanded(error);
    };
    return false;
  }
  spare = request;
  if (status !== 0) owner.destroy(errorOf(status));
  return true;
}

/** With all that it may be given: those that were used and those that were not have one shape, and one of them always lives. */
function makeRequest(RequestOfWrite: new () => WriteRequest): WriteRequest {
  const request = new RequestOfWrite();
  request.octets = undefined;
  request.oncomplete = undefined;
  return request;
}

/** Looks at the request that Node's next write to `handle` comes with. */
function learn(handle: Handle): void {
  if (!isHandle(handle)) return;
  const { writeBuffer } = handle;
  handle.writeBuffer = (request, octets) => {
    // The prototype's method shows again.
    Reflect.deleteProperty(handle, 'writeBuffer');
    RequestOfWrite = request.constructor as new () => WriteRequest;
    return writeBuffer.call(handle, request, octets);
  };
}

function writeToStream(socket: Socket, octets: Buffer, writer: Writer): boolean {
  socket.write(octets);
  if (socket.writableLength === 0) return true;
  tellBehind(socket, writer);
  return false;
}

/** Writes several at one go. `writer` is told when all are taken, and nothing may be written before. */
export function writeTogether(socket: Socket, parts: readonly Buffer[], writer: Writer): void {
  socket.cork();
  for (const part of parts) socket.write(part);
  tellBehind(socket, writer);
  socket.uncork();
}

/** A write behind others, of nothing, tells when they are done. A callback on every write would cost each of them. */
function tellBehind(socket: Socket, writer: Writer): void {
  socket.write(NOTHING, (error) => writer.onLanded(error));
}

function errorOf(status: number): Error {
  return new Error(`write ${getSystemErrorName(status)}`);
}
