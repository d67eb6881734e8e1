import { bucketIn, histogramIn } from './call-sum.ts';
import { COUNTERS, type Counter, type PartVisitor, visitParts } from './counters.ts';

// An entry: series, generation, method and status, number of buckets (a word each); its counters and its maximum (doubles);
// then a word for each bucket, and one more where their number is odd, so that doubles stand at even places.
const SERIES = 0;
const GENERATION = 1;
const LABELS = 2;
const LENGTH = 3;
const DOUBLES = 4;
const MAXIMUM = DOUBLES / 2 + COUNTERS;
const FIRST_BUCKET = DOUBLES + 2 * (COUNTERS + 1);

// A bucket's word: its cell (13 bits), count (19 bits).
const COUNT_BITS = 19;
const MAX_COUNT = 2 ** COUNT_BITS - 1;
const MAX_FRAMES = 4_096;

/** What was counted between two moments. */
interface Frame {
  /** Milliseconds of the clock that the log is written by, at the end of the frame. */
  time: number;
  /** Words ever written, before and behind it. */
  start: number;
  end: number;
}

/**
 * What was counted lately, frame by frame, in a ring of fixed size: the oldest frames make room for the newest. Who wants to
 * follow needs nothing but the number of the last frame that was seen, and if that is gone, begins anew from the totals.
 */
export class DeltaLog {
  readonly #words: Uint32Array;
  readonly #doubles: Float64Array;
  readonly #mask: number;
  readonly #frames: Frame[] = [];
  /** Of the last frame. Frame 0 is the beginning: empty. */
  #last = 0;
  #head = 0;
  #start = 0;
  #entry = 0;

  /** @param octets a power of two @param now when counting begins */
  constructor(octets: number, now: number) {
    this.#words = new Uint32Array(octets / 4);
    this.#doubles = new Float64Array(this.#words.buffer);
    this.#mask = this.#words.length - 1;
    this.#frames.push({ time: now, start: 0, end: 0 });
  }

  /** The number of the last frame. */
  get last(): number {
    return this.#last;
  }

  /** When a frame ended. */
  timeOf(frame: number): number {
    return this.#frame(frame).time;
  }

  /** The frame from which on at least what was counted since `time` is there, or as much of it as there is. */
  since(time: number): number {
    let frame = this.#last;
    while (frame > 0 && this.#frame(frame).time > time && this.has(frame - 1)) frame--;
    return frame;
  }

  /** Whether everything behind a frame is still there. */
  has(frame: number): boolean {
    if (frame < 0 || frame > this.#last || this.#last - frame >= MAX_FRAMES) return false;
    return this.#frame(frame).end >= this.#head - this.#words.length;
  }

  /** Whether there are entries behind the last frame. */
  get isOpen(): boolean {
    return this.#head > this.#start;
  }

  /** Begins an entry; `bucket` for each of its buckets, then `endEntry`. A frame may have several of one series. */
  beginEntry(series: number, generation: number, labels: number, counters: Float64Array, max: number): void {
    const words = this.#words;
    const mask = this.#mask;
    this.#entry = this.#head;
    words[(this.#head + SERIES) & mask] = series;
    words[(this.#head + GENERATION) & mask] = generation;
    words[(this.#head + LABELS) & mask] = labels;
    const first = (this.#head + DOUBLES) / 2;
    for (let i = 0; i < COUNTERS; i++) this.#doubles[this.#double(first + i)] = counters[i]!;
    this.#doubles[this.#double(this.#entry / 2 + MAXIMUM)] = max;
    this.#head += FIRST_BUCKET;
  }

  /** @param cell as `CallSum` has it @param count at most `MAX_COUNT` */
  cell(cell: number, count: number): void {
    this.#words[this.#head++ & this.#mask] = (cell << COUNT_BITS) | count;
  }

  endEntry(): void {
    this.#words[(this.#entry + LENGTH) & this.#mask] = this.#head - this.#entry - FIRST_BUCKET;
    if (this.#head % 2 === 1) this.#head++;
  }

  /** The entries since the last frame are a frame. */
  endFrame(now: number): void {
    this.#last++;
    const place = this.#last % MAX_FRAMES;
    const frame = this.#frames[place];
    if (frame === undefined) this.#frames.push({ time: now, start: this.#start, end: this.#head });
    else {
      frame.time = now;
      frame.start = this.#start;
      frame.end = this.#head;
    }
    this.#start = this.#head;
  }

  /** Where a frame ends, and the entries behind it begin: of the last one, where the next is going to be. */
  endOf(frame: number): number {
    return this.#frame(frame).end;
  }

  /** The place behind an entry, which must still be there. */
  after(entry: number): number {
    const length = FIRST_BUCKET + this.#words[(entry + LENGTH) & this.#mask]!;
    return entry + length + (length % 2);
  }

  seriesOf(entry: number): number {
    return this.#words[(entry + SERIES) & this.#mask]!;
  }

  generationOf(entry: number): number {
    return this.#words[(entry + GENERATION) & this.#mask]!;
  }

  labelsOf(entry: number): number {
    return this.#words[(entry + LABELS) & this.#mask]!;
  }

  counterOf(entry: number, counter: Counter): number {
    return this.#doubles[this.#double((entry + DOUBLES) / 2 + counter)]!;
  }

  maxOf(entry: number): number {
    return this.#doubles[this.#double(entry / 2 + MAXIMUM)]!;
  }

  forEachCount(entry: number, visit: PartVisitor): void {
    const length = this.#words[(entry + LENGTH) & this.#mask]!;
    for (let i = 0; i < length; i++) {
      const word = this.#words[(entry + FIRST_BUCKET + i) & this.#mask]!;
      const cell = word >>> COUNT_BITS;
      visitParts(histogramIn(cell), bucketIn(cell), word & MAX_COUNT, visit);
    }
  }

  #double(place: number): number {
    return place & (this.#mask >>> 1);
  }

  #frame(frame: number): Frame {
    return this.#frames[frame % MAX_FRAMES]!;
  }
}
