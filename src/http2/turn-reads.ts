/** Whose reads are worked on at the end of the turn. */
export interface TurnReader {
  /** Works on `buffer[start, end)`, only during the call. Never throws. */
  work(buffer: Buffer, start: number, end: number): void;
}

/** A read that is kept: made once, used in each turn again. */
interface Kept {
  reader: TurnReader;
  buffer: Buffer;
  start: number;
  end: number;
}

/** Longer reads are worked on at once: what they bring is more than what a copy and a turn's company save. */
const SMALL = 2_048;
const ARENA = 65_536;
/** Places that stay for the next turn. */
const MAX_KEPT = 1_024;
const NOBODY: TurnReader = { work: () => {} };

/**
 * The small reads of a turn of the event loop, copied one behind the other, and worked on together at its end: first all that
 * the kernel has is fetched, then all of it goes through parser, chain and router. With many connections that send little,
 * each of the two otherwise pushes the other's code and data out of the processor's caches at every read: 8 % of a call with 50
 * connections of one stream.
 */
export class TurnReads {
  readonly #arena = Buffer.allocUnsafeSlow(ARENA);
  #used = 0;
  /** The first `#count` are of this turn. Emptied by that alone: V8 would free the array's memory each time, and get it again. */
  readonly #kept: Kept[] = [];
  #count = 0;
  #working = false;

  get isEmpty(): boolean {
    return this.#count === 0;
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
    const kept = this.#kept[this.#count];
    if (kept === undefined) this.#kept.push({ reader, buffer: target, start: at, end: at + octets });
    else {
      kept.reader = reader;
      kept.buffer = target;
      kept.start = at;
      kept.end = at + octets;
    }
    this.#count++;
    return true;
  }

  /** Works on all that is kept, in the order in which it came. */
  work(): void {
    if (this.#working) return;
    this.#working = true;
    // What is kept meanwhile comes behind.
    for (let i = 0; i < this.#count; i++) {
      const kept = this.#kept[i]!;
      const { reader, buffer, start, end } = kept;
      // Whose connection has ended is not to be kept alive by its last read.
      kept.reader = NOBODY;
      kept.buffer = this.#arena;
      reader.work(buffer, start, end);
    }
    this.#working = false;
    this.#count = 0;
    this.#used = 0;
    if (this.#kept.length > MAX_KEPT) this.#kept.length = MAX_KEPT;
  }
}
