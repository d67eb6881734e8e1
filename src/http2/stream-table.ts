import type { EngineStream } from './engine-stream.ts';

const SMALLEST = 32;
/** The ring of every connection that has had no stream yet: most connections are idle. */
const NO_STREAMS: readonly undefined[] = new Array<undefined>(SMALLEST).fill(undefined);
const LARGEST = 4_096;

/**
 * The open streams of one connection by id. Ids of one side go up by 2, so a ring indexed by id is nearly always a hit and
 * beats a Map. One long-lived stream would make the ring double for ever, so what collides goes to a Map.
 */
export class StreamTable {
  #ring: readonly (EngineStream | undefined)[] = NO_STREAMS;
  /** The same, once it is this table's own. */
  #own: (EngineStream | undefined)[] | undefined = undefined;
  #mask = SMALLEST - 1;
  #overflow: Map<number, EngineStream> | undefined = undefined;
  #count = 0;

  get count(): number {
    return this.#count;
  }

  get(id: number): EngineStream | undefined {
    const found = this.#ring[(id >>> 1) & this.#mask];
    if (found !== undefined && found.id === id) return found;
    return this.#overflow?.get(id);
  }

  /** Adds a stream whose id is set and not in the table. */
  add(stream: EngineStream): void {
    if (++this.#count > this.#ring.length >>> 1 && this.#ring.length < LARGEST) this.#grow();
    this.#place(stream);
  }

  delete(stream: EngineStream): void {
    const slot = (stream.id >>> 1) & this.#mask;
    if (this.#own !== undefined && this.#own[slot] === stream) this.#own[slot] = undefined;
    else if (this.#overflow?.delete(stream.id) !== true) return;
    this.#count--;
  }

  /** Gives up the ring while there is no stream. */
  trim(): void {
    if (this.#count > 0) return;
    this.#ring = NO_STREAMS;
    this.#own = undefined;
    this.#mask = SMALLEST - 1;
    this.#overflow = undefined;
  }

  /** The open streams as of now; the table may change while the caller goes through them. */
  list(): EngineStream[] {
    if (this.#count === 0) return [];
    const all = this.#overflow === undefined ? [] : [...this.#overflow.values()];
    for (const stream of this.#ring) if (stream !== undefined) all.push(stream);
    return all;
  }

  #place(stream: EngineStream): void {
    const slot = (stream.id >>> 1) & this.#mask;
    const ring = this.#own ?? this.#take(SMALLEST);
    if (ring[slot] === undefined) ring[slot] = stream;
    else {
      this.#overflow ??= new Map();
      this.#overflow.set(stream.id, stream);
    }
  }

  #grow(): void {
    const all = this.list();
    this.#overflow?.clear();
    this.#take(this.#ring.length * 2);
    for (const stream of all) this.#place(stream);
  }

  #take(size: number): (EngineStream | undefined)[] {
    const ring: (EngineStream | undefined)[] = new Array(size).fill(undefined);
    this.#ring = ring;
    this.#own = ring;
    this.#mask = size - 1;
    return ring;
  }
}

/** Ids of streams that we reset a moment ago: what the peer sent before it knew is ignored (RFC 9113 section 5.1). */
export class RecentResets {
  #ids: Set<number> | undefined = undefined;
  readonly #keep: number;
  #forgotten = 0;

  constructor(keep = 1_024) {
    this.#keep = keep;
  }

  add(id: number): void {
    this.#ids ??= new Set();
    this.#ids.add(id);
    if (this.#ids.size <= this.#keep) return;
    for (const oldest of this.#ids) {
      this.#ids.delete(oldest);
      this.#forgotten = Math.max(this.#forgotten, oldest);
      break;
    }
  }

  has(id: number): boolean {
    return this.#ids?.has(id) === true;
  }

  /** A stream of this id may have been reset so long ago that nobody remembers. */
  mayHaveForgotten(id: number): boolean {
    return id <= this.#forgotten;
  }
}
