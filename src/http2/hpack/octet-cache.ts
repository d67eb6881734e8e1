import { Gate } from './gate.ts';
import { codeUnitAt } from './latin1.ts';

interface Entry<T> {
  readonly hash: number;
  readonly tag: number;
  /** The key, as a string: compact, and no slab of pooled memory stays alive for it. */
  readonly octets: string;
  readonly value: T;
}

export interface OctetCacheOptions {
  /** Sets of two entries each at most; a power of two. */
  sets: number;
  /** Longer keys are not kept, nor looked up. */
  maxKeyOctets: number;
  /** What is kept in total, in the units of `offer`'s `weight`. */
  maxWeight: number;
}

/** Sets of the first miss: most connections have few blocks that differ. */
const FIRST_SETS = 4;
/** An empty array of its own is 200 octets. */
const NOTHING_SEEN = new Int32Array(0);

/**
 * Remembers what octets were decoded to. Fed by strangers, so it is bounded, compares all octets on a hit (a collision that
 * somebody made costs a miss, no more), and stores a value only when its key comes the second time: keys that never return
 * cost a hash and one number.
 */
export class OctetCache<T> {
  readonly #options: OctetCacheOptions;
  readonly #gate = new Gate();
  /** Both allocated by the first miss: most connections are idle or short. */
  #entries: (Entry<T> | undefined)[] = [];
  #seen = NOTHING_SEEN;
  #sets = 0;
  #weight = 0;
  /** Of the last `find`, for the `offer` that follows it. */
  #hash = 0;
  #missed = false;

  constructor(options: OctetCacheOptions) {
    this.#options = options;
  }

  /** The value stored for the octets `buffer[start, end)` and `tag`. */
  find(buffer: Buffer, start: number, end: number, tag: number): T | undefined {
    this.#missed = false;
    if (end - start > this.#options.maxKeyOctets || !this.#gate.open()) return undefined;
    const hash = hashOctets(buffer, start, end, tag);
    if (this.#weight > 0) {
      const way = (hash & (this.#sets - 1)) * 2;
      const first = this.#entries[way];
      if (first !== undefined && first.hash === hash && matches(first, buffer, start, end, tag)) {
        this.#gate.hit();
        return first.value;
      }
      const second = this.#entries[way + 1];
      if (second !== undefined && second.hash === hash && matches(second, buffer, start, end, tag)) {
        this.#gate.hit();
        return second.value;
      }
    }
    this.#hash = hash;
    this.#missed = true;
    this.#gate.miss();
    return undefined;
  }

  /** Tells the value of the octets that the last `find` missed. Stores it where there is room, or if they were seen before. */
  offer(buffer: Buffer, start: number, end: number, tag: number, value: T, weight: number): void {
    if (!this.#missed) return;
    this.#missed = false;
    const { maxWeight } = this.#options;
    const hash = this.#hash;
    if (this.#sets === 0) this.#resize(FIRST_SETS);
    while (this.#sets < this.#options.sets && this.#entries[(hash & (this.#sets - 1)) * 2 + 1] !== undefined) {
      this.#resize(this.#sets * 2);
    }
    const set = hash & (this.#sets - 1);
    if (this.#seen[set] !== hash && this.#entries[set * 2 + 1] !== undefined) {
      this.#seen[set] = hash;
      return;
    }
    // Weights of replaced entries stay on the account until all are dropped: simple, and the bound holds.
    if (this.#weight + weight > maxWeight) this.clear();
    this.#weight += weight;
    this.#entries[set * 2 + 1] = this.#entries[set * 2];
    this.#entries[set * 2] = { hash, tag, octets: buffer.latin1Slice(start, end), value };
  }

  /** Makes so many sets; what there is keeps its place in the order of its set. */
  #resize(sets: number): void {
    const before = this.#entries;
    const entries: (Entry<T> | undefined)[] = new Array(sets * 2).fill(undefined);
    // The older of a set first, so that it is the second again.
    for (let i = before.length - 1; i >= 0; i--) {
      const entry = before[i];
      if (entry === undefined) continue;
      const way = (entry.hash & (sets - 1)) * 2;
      entries[way + 1] = entries[way];
      entries[way] = entry;
    }
    this.#entries = entries;
    this.#seen = new Int32Array(sets);
    this.#sets = sets;
  }

  /** Forgets all values. */
  clear(): void {
    if (this.#weight === 0) return;
    this.#entries.fill(undefined);
    this.#weight = 0;
  }
}

/**
 * Eight octets a step in two lanes, because a chain of multiplications is what takes the time: 0.6 ns an octet, where
 * octet-wise FNV takes 2.
 */
function hashOctets(buffer: Buffer, start: number, end: number, tag: number): number {
  let hash = 0x811c9dc5 ^ tag ^ (end - start);
  let lane = 0x01234567;
  let i = start;
  for (const whole = end - 7; i < whole; i += 8) {
    const low = buffer[i]! | (buffer[i + 1]! << 8) | (buffer[i + 2]! << 16) | (buffer[i + 3]! << 24);
    const high = buffer[i + 4]! | (buffer[i + 5]! << 8) | (buffer[i + 6]! << 16) | (buffer[i + 7]! << 24);
    hash = Math.imul(hash ^ low, 0x9e3779b1);
    hash ^= hash >>> 15;
    lane = Math.imul(lane ^ high, 0x85ebca77);
    lane ^= lane >>> 13;
  }
  for (; i < end; i++) hash = Math.imul(hash ^ buffer[i]!, 0x01000193);
  hash ^= lane;
  return hash ^ (hash >>> 13);
}

/** Above this length a string made natively and compared natively (70 ns) is cheaper than a loop. */
const LOOP_LIMIT = 48;

function matches<T>(entry: Entry<T>, buffer: Buffer, start: number, end: number, tag: number): boolean {
  const octets = entry.octets;
  const length = end - start;
  if (octets.length !== length || entry.tag !== tag) return false;
  if (length > LOOP_LIMIT) return buffer.latin1Slice(start, end) === octets;
  for (let i = 0; i < length; i++) if (codeUnitAt(octets, i) !== buffer[start + i]) return false;
  return true;
}
