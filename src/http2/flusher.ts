import { type TurnReader, TurnReads } from './turn-reads.ts';

/** Something with output to flush at the end of the turn. */
export interface Flushable {
  flush(): void;
}

/** Something with input to work on in the next turn. */
export interface Deferrable {
  readOn(): void;
}

/** Places that stay for the next turn. */
const MAX_KEPT = 1_024;
const NOBODY: Flushable = { flush: () => {} };

/**
 * What connections do once per turn of the event loop: their small reads are worked on, and then what was marked is flushed. So
 * a connection makes one write of all frames of the turn, and a write is the dearest thing a proxy does (7.3 us per call so,
 * 9.7 with a microtask).
 */
export class Flusher {
  /** The first `#count` are marked. Emptied by that alone: V8 would free the array's memory in each turn, and get it again. */
  #marked: Flushable[] = [];
  #count = 0;
  #spare: Flushable[] = [];
  #scheduled = false;
  #turn = 0;
  #deferred: Deferrable[] = [];
  readonly #reads = new TurnReads();

  /** The number of this turn of the event loop, for those who share it out. */
  turn(): number {
    this.#schedule();
    return this.#turn;
  }

  /** Has `reader` work on what was read, at once or at the end of the turn. */
  read(reader: TurnReader, buffer: Buffer, start: number, end: number): void {
    if (this.#reads.keep(reader, buffer, start, end)) this.#schedule();
    else reader.work(buffer, start, end);
  }

  /** Has all that was read worked on now: something is about to end. */
  catchUp(): void {
    if (!this.#reads.isEmpty) this.#reads.work();
  }

  /** `one` has used up its share of the turn. */
  defer(one: Deferrable): void {
    this.#deferred.push(one);
    this.#schedule();
  }

  /** The caller marks itself once, until it is flushed. */
  mark(one: Flushable): void {
    this.#marked[this.#count++] = one;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#run);
  }

  readonly #run = (): void => {
    this.catchUp();
    this.#scheduled = false;
    this.#turn++;
    const marked = this.#marked;
    const count = this.#count;
    this.#marked = this.#spare;
    this.#count = 0;
    this.#spare = marked;
    for (let index = 0; index < count; index++) {
      const one = marked[index]!;
      // Whose connection has ended is not to be kept alive by its last mark.
      marked[index] = NOBODY;
      one.flush();
    }
    if (marked.length > MAX_KEPT) marked.length = MAX_KEPT;
    if (this.#deferred.length === 0) return;
    const deferred = this.#deferred;
    this.#deferred = [];
    for (const one of deferred) one.readOn();
  };
}
