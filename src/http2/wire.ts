import type { Reader } from './socket-reading.ts';
import type { Writer } from './socket-writing.ts';

/** One end of a connection. Empty and 0 where there is none: Unix sockets, and peers that are gone. */
export interface Address {
  readonly address: string;
  readonly port: number;
}

/** Who has a wire. */
export interface WireUser extends Reader {
  /** It is closed, by whichever side. The last call. */
  onClosed(): void;
}

/** What carries the octets of a connection: a socket, or its handle as long as that is enough. */
export interface Wire {
  /** Asked of the system each time. */
  remote(): Address;
  local(): Address;
  /** Begins to read, for `user`. */
  attach(user: WireUser): void;
  /** Has `user` from here on instead of the one before. @returns false where it has to keep that: nothing has changed */
  handOver(user: WireUser): boolean;
  /** Reads no more until `resume`. */
  pause(): void;
  resume(): void;
  /**
   * Writes `octets`, which must stay as they are until they are taken.
   * @returns whether the kernel took all. If not, `writer` is told when it has, and nothing may be written before
   */
  write(octets: Buffer, writer: Writer): boolean;
  /** Writes several at one go. `writer` is told when all are taken, and nothing may be written before. */
  writeAll(parts: readonly Buffer[], writer: Writer): void;
  /** Nothing more is written; closed when the peer has ended, too. */
  end(): void;
  /** Closes at once. */
  destroy(): void;
}

/** Milliseconds of silence after which the kernel asks whether the peer's machine is there. */
export const TCP_KEEPALIVE_MS = 60_000;
