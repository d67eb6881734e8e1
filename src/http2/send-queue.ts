import { BufferPool } from './buffer-pool.ts';

const CHUNK = 16_384;
const SMALLEST = 512;
const pool = new BufferPool(CHUNK, 512);

class Chunk {
  readonly buffer: Buffer;
  start = 0;
  end = 0;
  next: Chunk | undefined = undefined;

  constructor(buffer: Buffer) {
    this.buffer = buffer;
  }
}

/**
 * Copies of DATA that a window or the output limit holds back. Small pieces are packed together, whatever the sizes they
 * came in: 3 MB of 1-byte frames cost 3 MB.
 */
export class SendQueue {
  /** One that always lives (see `Specimen`), and holds nothing. */
  static readonly specimen = new SendQueue();
  /** Octets queued. */
  size = 0;
  #first: Chunk | undefined = undefined;
  #last: Chunk | undefined = undefined;

  /** Appends a copy of `source[start, end)`. */
  push(source: Buffer, start: number, end: number): void {
    this.size += end - start;
    let at = start;
    while (at < end) {
      let last = this.#last;
      if (last === undefined || last.end === last.buffer.length) {
        last = this.#append(end - at);
      }
      const take = Math.min(end - at, last.buffer.length - last.end);
      source.copy(last.buffer, last.end, at, at + take);
      last.end += take;
      at += take;
    }
  }

  /** Moves exactly `octets` (at most `size`) to `target` at `at`. */
  shift(target: Buffer, at: number, octets: number): void {
    this.size -= octets;
    let left = octets;
    while (left > 0) {
      const first = this.#first!;
      const take = Math.min(left, first.end - first.start);
      first.buffer.copy(target, at + octets - left, first.start, first.start + take);
      first.start += take;
      left -= take;
      if (first.start === first.end) this.#drop(first);
    }
  }

  /** Drops everything. */
  clear(): void {
    this.size = 0;
    while (this.#first !== undefined) this.#drop(this.#first);
  }

  /** A chunk for what is still to come: small while the queue is, so that a thousand stalled streams hold little. */
  #append(needed: number): Chunk {
    let size = SMALLEST;
    const wanted = Math.max(needed, this.size >>> 1);
    while (size < wanted && size < CHUNK) size *= 2;
    const chunk = new Chunk(size === CHUNK ? pool.take() : Buffer.allocUnsafeSlow(size));
    if (this.#last === undefined) this.#first = chunk;
    else this.#last.next = chunk;
    this.#last = chunk;
    return chunk;
  }

  #drop(first: Chunk): void {
    this.#first = first.next;
    if (first.next === undefined) this.#last = undefined;
    if (first.buffer.length === CHUNK) pool.give(first.buffer);
  }
}
