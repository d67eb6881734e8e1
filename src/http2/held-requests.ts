import type { Connection } from './connection.ts';
import type { ConnectionOwner } from './connection-options.ts';
import { type EngineStream, State } from './engine-stream.ts';
import type { Deferrable } from './flusher.ts';
import type { HeaderBlock } from './header-block.ts';
import type { Stream, StreamHandler } from './stream.ts';

/** A request that nobody has been told of, and what came of it meanwhile; the windows bound that. */
class HeldRequest implements StreamHandler {
  readonly stream: EngineStream;
  readonly #block: HeaderBlock;
  readonly #endStream: boolean;
  /** Copies of its DATA. */
  #pieces: Buffer[] | undefined = undefined;
  #ended = false;
  #trailers: HeaderBlock | undefined = undefined;
  /** The turn in which it came. */
  readonly turn: number;

  constructor(stream: EngineStream, block: HeaderBlock, endStream: boolean, turn: number) {
    this.stream = stream;
    this.#block = block;
    this.#endStream = endStream;
    this.turn = turn;
  }

  onHeaders(): void {}
  onSent(): void {}
  /** Nobody misses it. */
  onReset(): void {}

  onData(_stream: Stream, buffer: Buffer, start: number, end: number, endStream: boolean): void {
    this.#pieces ??= [];
    this.#pieces.push(Buffer.from(buffer.subarray(start, end)));
    this.#ended = endStream;
  }

  onTrailers(_stream: Stream, block: HeaderBlock): void {
    this.#trailers = block;
  }

  /** Tells all that has happened, unless the stream is gone: then there is nothing to tell. */
  tell(owner: ConnectionOwner): void {
    const stream = this.stream;
    const pieces = this.#pieces ?? [];
    if (isGone(stream)) return;
    stream.handler = owner.onRequest(stream, this.#block, this.#endStream);
    for (let index = 0; index < pieces.length && !isGone(stream); index++) {
      const piece = pieces[index]!;
      stream.handler.onData(stream, piece, 0, piece.length, this.#ended && index === pieces.length - 1);
    }
    if (this.#trailers !== undefined && !isGone(stream)) stream.handler.onTrailers(stream, this.#trailers);
  }
}

/** A function, since handlers change it. */
function isGone(stream: EngineStream): boolean {
  return (stream.state & State.CLOSED) !== 0;
}

/**
 * Requests of a connection that resets many of its streams: held to the end of the turn, and one turn more while something is
 * left of what was read with them. Those that are reset meanwhile come to an end here: no stage, no quota, no backend ever has
 * work with them, which is what makes a rapid reset dear to others (CVE-2023-44487). The others are late by a fraction of a
 * millisecond.
 */
export class HeldRequests implements Deferrable {
  readonly #connection: Connection;
  #held: HeldRequest[] = [];

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  get isEmpty(): boolean {
    return this.#held.length === 0;
  }

  hold(stream: EngineStream, block: HeaderBlock, endStream: boolean): void {
    const { flusher } = this.#connection.owner;
    const held = new HeldRequest(stream, block, endStream, flusher.turn());
    stream.handler = held;
    if (this.#held.push(held) === 1) flusher.defer(this);
  }

  /** The turn is over. */
  readOn(): void {
    const { owner, isBehind } = this.#connection;
    const last = isBehind ? owner.flusher.turn() - 2 : Number.POSITIVE_INFINITY;
    this.#tell(last);
    if (this.#held.length > 0) owner.flusher.defer(this);
  }

  /** Nothing is waited for any more. */
  release(): void {
    this.#tell(Number.POSITIVE_INFINITY);
  }

  /** @param last the turn of the youngest that is told */
  #tell(last: number): void {
    const all = this.#held;
    const stays = all.findIndex(({ turn }) => turn > last);
    this.#held = stays < 0 ? [] : all.slice(stays);
    const { owner } = this.#connection;
    try {
      for (const held of stays < 0 ? all : all.slice(0, stays)) held.tell(owner);
    } catch (error) {
      this.#connection.fail(error);
    }
  }
}
