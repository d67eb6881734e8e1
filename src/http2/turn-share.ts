import { BufferPool } from './buffer-pool.ts';
import type { Connection } from './connection.ts';
import type { Deferrable } from './flusher.ts';
import type { FrameReader } from './frame-reader.ts';

/** How much of an ordinary turn a connection gets that looks like a flood: what it does until it is closed delays others. */
const SUSPECT_SHARE = 1 / 8;

/** What a read had to leave; as large as the sockets' buffer. */
const rests = new BufferPool(65_536, 64);

function copyRest(buffer: Buffer, start: number, end: number): Buffer {
  const rest = end - start <= rests.size ? rests.take() : Buffer.allocUnsafeSlow(end - start);
  buffer.copy(rest, 0, start, end);
  return rest;
}

/**
 * A connection's share of a turn of the event loop. When it is used up, what was read and not worked on waits here for the next
 * turn, and the connection reads nothing meanwhile: so none can keep others waiting.
 */
export class TurnShare implements Deferrable {
  readonly #connection: Connection;
  readonly #reader: FrameReader;
  /** This turn's share of the work is used up. */
  #usedUp = false;
  /** What was read and not worked on, for that. */
  #rest: Buffer | undefined = undefined;
  #restAt = 0;
  #restEnd = 0;
  #rereading = false;
  #turn = -1;
  /** `work` of the reader at which this turn's share is used up. */
  #turnEnd = 0;
  #turnOctets = 0;

  constructor(connection: Connection, reader: FrameReader) {
    this.#connection = connection;
    this.#reader = reader;
  }

  get usedUp(): boolean {
    return this.#usedUp;
  }

  /** Something that was read waits for its turn. */
  get isBehind(): boolean {
    return this.#rest !== undefined;
  }

  /** Frames that may be worked on in this turn of the event loop. */
  framesLeft(): number {
    const { owner, server, flood, limits } = this.#connection;
    const turn = owner.flusher.turn();
    if (turn !== this.#turn) {
      this.#turn = turn;
      this.#turnOctets = 0;
      const share = server && flood.suspects ? SUSPECT_SHARE : 1;
      this.#turnEnd = this.#reader.work + limits.turnFrames * share;
    }
    return this.#turnEnd - this.#reader.work;
  }

  /**
   * Accounts what was read of `buffer[start, end)`, up to `next`, and keeps the rest.
   * @returns whether the share is used up now: nothing more is to be read until `onShare`
   */
  spend(buffer: Buffer, start: number, next: number, end: number): boolean {
    const { owner, limits } = this.#connection;
    this.#turnOctets += next - start;
    if (next >= end && this.#turnOctets < limits.turnOctets) return false;
    if (next < end) {
      // The socket's buffer is shared: what is left is copied once, and then kept where it is.
      this.#rest = this.#rereading ? buffer : copyRest(buffer, next, end);
      this.#restAt = this.#rereading ? next : 0;
      this.#restEnd = this.#rereading ? end : end - next;
    }
    if (this.#usedUp) return false;
    this.#usedUp = true;
    owner.flusher.defer(this);
    return true;
  }

  /** Data that was under way when the socket was told to pause, which is rare. @returns false when nothing waits: it is to be read */
  append(buffer: Buffer, start: number, end: number): boolean {
    if (this.#rest === undefined) return false;
    this.#rest = Buffer.concat([this.#rest.subarray(this.#restAt, this.#restEnd), buffer.subarray(start, end)]);
    this.#restAt = 0;
    this.#restEnd = this.#rest.length;
    return true;
  }

  /** A turn later. */
  readOn(): void {
    this.#usedUp = false;
    const connection = this.#connection;
    if (connection.state === 'closed') return;
    const rest = this.#rest;
    if (rest !== undefined) {
      this.#rest = undefined;
      this.#rereading = true;
      connection.work(rest, this.#restAt, this.#restEnd);
      this.#rereading = false;
      if (this.#rest === undefined && rest.length === rests.size) rests.give(rest);
    }
    connection.onShare();
  }

  /** Nothing is worked on any more. */
  drop(): void {
    this.#rest = undefined;
  }
}
