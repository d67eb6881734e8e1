/** Whose reads are worked on at the end of the turn. */
export interface TurnReader {
  /** Works on `buffer[start, end)`, only during the call. Never throws. */
  work(buffer: Buffer, start: number, end: number): void;
}

/** Longer reads are worked on at once: what they bring is more than what a copy and a turn's company save. */
const SMALL = 2_048;
const ARENA = 65_536;

/**
 * The small reads of a turn of the event loop, copied one behind the other, and worked on together at its end: first all that
 * the kernel has is fetched, then all of it goes through parser, chain and router. With many connections that send little,
 * each of the two otherwise pushes the other's code and data out of the processor's caches at every read: 8 % of a call with 50
 * connections of one stream.
 */
export class TurnReads {
  readonly #arena = Buffer.allocUnsafeSlow(ARENA);
  #used = 0;
  readonly #readers: TurnReader[] = [];
  readonly #buffers: Buffer[] = [];
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  #working = false;

  get isEmpty(): boolean {
    return this.#readers.length === 0;
  }

  /**
   * Keeps a copy of what was read for the end of the turn.
   * @returns false when it is to be worked on at once; what came before it has been
   */
  keep(reader: TurnReader, buffer: Buffer, start: number, end: number): boolean {
    const octets = end - start;
    const isSmall = octets <= SMALL && this.#used + octets <= ARENA;
    if (!isSmall && !this.#working) {
      this.work();
      return false;
    }
    // While others' are worked on nothing may pass by what waits.
    const target = isSmall ? this.#arena : Buffer.allocUnsafe(octets);
    const at = isSmall ? this.#used : 0;
    buffer.copy(target, at, start, end);
    if (isSmall) this.#used += octets;
    this.#readers.push(reader);
    this.#buffers.push(target);
    this.#starts.push(at);
    this.#ends.push(at + octets);
    return true;
  }

  /** Works on all that is kept, in the order in which it came. */
  work(): void {
    if (this.#working) return;
    this.#working = true;
    // What is kept meanwhile comes behind.
    for (let i = 0; i < this.#readers.length; i++) {
      this.#readers[i]!.work(this.#buffers[i]!, this.#starts[i]!, this.#ends[i]!);
    }
    this.#working = false;
    this.#readers.length = 0;
    this.#buffers.length = 0;
    this.#starts.length = 0;
    this.#ends.length = 0;
    this.#used = 0;
  }
}
