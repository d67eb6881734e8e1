/**
 * What Node's sockets stand on, and does not document: a stream of libuv. Here is the part that is used without the socket.
 * Where a name is missing, `isHandle` says so, and sockets are used as Node gives them.
 */
export interface Handle {
  /** Reads into `buffer` from here on, and calls `onread` with it. */
  useUserBuffer(buffer: Buffer): void;
  /** Something was read if `bytesRead` has grown. Otherwise it is the end, after which `readStart` gives 0, or there was nothing to read, or an error: no telling which. */
  onread: (this: Handle) => void;
  readStart(): number;
  readStop(): number;
  readonly bytesRead: number;
  writeBuffer(request: WriteRequest, octets: Buffer): number;
  /** Octets that the kernel has not taken. */
  readonly writeQueueSize: number;
  /** @param closed called later; what was to be written is given up before */
  close(closed?: () => void): void;
  /** These TCP has, and Unix sockets have not. */
  getpeername?(address: { address?: string; port?: number }): number;
  getsockname?(address: { address?: string; port?: number }): number;
  setNoDelay?(enable: boolean): number;
  setKeepAlive?(enable: boolean, seconds: number): number;
}

/** libuv's request of a write, which Node makes anew for each. */
export interface WriteRequest {
  oncomplete?: (status: number) => void;
  /** What it writes: libuv keeps an address only. */
  octets?: Buffer;
}

const METHODS = ['useUserBuffer', 'readStart', 'readStop', 'writeBuffer', 'close'] as const;
const NUMBERS = ['bytesRead', 'writeQueueSize'] as const;

/** Whether all of it is there. */
export function isHandle(candidate: object): candidate is Handle {
  const handle = candidate as Partial<Handle>;
  return (
    'onread' in handle &&
    METHODS.every((name) => typeof handle[name] === 'function') &&
    NUMBERS.every((name) => typeof handle[name] === 'number')
  );
}
