import { BufferPool } from './buffer-pool.ts';
import type { Flushable, Flusher } from './flusher.ts';
import { FRAME_HEADER } from './frame.ts';
import type { Writer } from './socket-writing.ts';
import type { Wire } from './wire.ts';

/**
 * Most turns write little: a small buffer first, so that many connections, or stalled ones, hold little memory. The small requests of a
 * turn to a backend come to some 8 KiB.
 */
const small = new BufferPool(16_384, 512);
/**
 * One packet of Linux' loopback, over IPv6 too: 65,536 octets with what IP and TCP put before them. A write of four whole DATA
 * frames was 100 octets longer, and each a packet more, which the kernel delivers apart: 16 % of a large message's time in it.
 */
const large = new BufferPool(65_464, 128);
/** A DATA frame is not cut shorter than this to fit into what is left of a buffer. */
const SHORTEST_CUT = 1_024;
const NOTHING = Buffer.alloc(0);

/** Who has an output. */
export interface OutputUser {
  /** After each write that the kernel took: `unsent` is less than before. */
  onRoom(): void;
  /** At the end of a turn: more than `maxUnsent` octets are unsent. */
  onOverflow(): void;
  readonly maxUnsent: number;
}

/**
 * The way to the wire. Frames are built in place, in pooled buffers: `reserve`, write into `buffer`, `commit`. While the
 * socket has a write under way the next ones wait here, so that what is unsent is packed and counted in one place.
 */
export class Output implements Flushable, Writer {
  /** Where to build; changes with `reserve`. */
  buffer: Buffer = NOTHING;
  /** Octets committed that the kernel has not taken. */
  unsent = 0;
  /** Octets ever committed: while it stands still, nothing was appended. */
  committed = 0;
  readonly #wire: Wire;
  readonly #flusher: Flusher;
  readonly #user: OutputUser;
  #offset = 0;
  #marked = false;
  #closed = false;
  /** Whole buffers and their octets, filled while a write is under way. */
  #full: Buffer[] | undefined = undefined;
  /** Buffers that the socket may still read from, and their octets. */
  #flying: readonly Buffer[] | undefined = undefined;
  #flyingOctets = 0;
  /** The last write did not fit into a small buffer: the next one begins with a large one, for nothing to be copied. */
  #isLarge = false;

  constructor(wire: Wire, flusher: Flusher, user: OutputUser) {
    this.#wire = wire;
    this.#flusher = flusher;
    this.#user = user;
  }

  /** Octets in `buffer`; 0 after it was written. */
  get offset(): number {
    return this.#offset;
  }

  /** Nothing is built, and nothing under way. */
  get isAtRest(): boolean {
    return this.unsent === 0 && !this.#marked && this.buffer === NOTHING;
  }

  /** Makes room for `octets` (at most a full frame). @returns the offset in `buffer` to write at. */
  reserve(octets: number): number {
    if (this.buffer.length - this.#offset < octets) this.#grow(octets);
    return this.#offset;
  }

  /** Octets of DATA that the next frame has at most, for a buffer, and a write, to be whole. */
  get room(): number {
    const left = large.size - this.#offset - FRAME_HEADER;
    return left < SHORTEST_CUT ? large.size - FRAME_HEADER : left;
  }

  /** What was reserved is written up to `end`. */
  commit(end: number): void {
    const octets = end - this.#offset;
    this.unsent += octets;
    this.committed += octets;
    this.#offset = end;
    if (this.#marked) return;
    this.#marked = true;
    this.#flusher.mark(this);
  }

  /** Writes what is built, unless a write is under way: then its end does. */
  flush(): void {
    this.#marked = false;
    if (this.#closed) return;
    if (this.#flying !== undefined) {
      if (this.unsent > this.#user.maxUnsent) this.#user.onOverflow();
      return;
    }
    if (this.#offset > 0) this.#write();
    this.#user.onRoom();
  }

  /** No more writes; buffers that the socket may still read are left to the collector. */
  close(): void {
    this.#closed = true;
    giveBack(this.buffer);
    this.buffer = NOTHING;
    this.#offset = 0;
    this.#full = this.#flying = undefined;
    this.unsent = 0;
  }

  #grow(octets: number): void {
    const old = this.buffer;
    const used = this.#offset;
    if (used > 0 && used + octets > large.size) {
      if (this.#closed) this.#offset = 0;
      else if (this.#flying === undefined) this.#write();
      else {
        this.#full ??= [];
        this.#full.push(used === old.length ? old : old.subarray(0, used));
        this.buffer = NOTHING;
        this.#offset = 0;
      }
      if (this.buffer.length < octets) this.buffer = large.take();
      return;
    }
    this.buffer = this.#isLarge || used + octets > small.size ? large.take() : small.take();
    if (used > 0) old.copy(this.buffer, 0, 0, used);
    giveBack(old);
  }

  /** Writes the current buffer. libuv tries at once; when it took all, the buffer is free again without a callback. */
  #write(): void {
    const buffer = this.buffer;
    const octets = this.#offset;
    this.#isLarge = octets > small.size;
    this.buffer = NOTHING;
    this.#offset = 0;
    if (this.#wire.write(buffer.subarray(0, octets), this)) {
      this.unsent -= octets;
      giveBack(buffer);
      return;
    }
    this.#flying = [buffer];
    this.#flyingOctets = octets;
  }

  /** The kernel has taken the write that was under way. */
  onLanded(error?: Error | null): void {
    // An error is followed by the wire's end.
    if (this.#closed || error || this.#flying === undefined) return;
    for (const buffer of this.#flying) giveBack(buffer);
    this.#flying = undefined;
    this.unsent -= this.#flyingOctets;
    this.#flyingOctets = 0;
    if (this.#full !== undefined) this.#writeFull(this.#full);
    else if (this.#offset > 0) this.#write();
    this.#user.onRoom();
  }

  /** Writes the buffers that filled up meanwhile, in one call. The current one follows when they are done. */
  #writeFull(full: readonly Buffer[]): void {
    for (const part of full) this.#flyingOctets += part.length;
    this.#full = undefined;
    this.#flying = full;
    this.#wire.writeAll(full, this);
  }
}

/** Back to the pool it is of; a view of a part is not a pool's buffer. */
function giveBack(buffer: Buffer): void {
  if (buffer.length === small.size) small.give(buffer);
  else if (buffer.length === large.size) large.give(buffer);
}
