/** What the table counts: octets as in RFC 7541 section 4.1. */
interface Sized {
  readonly size: number;
}

/** SETTINGS_HEADER_TABLE_SIZE before any SETTINGS (RFC 9113 section 6.5.2), in octets. */
export const INITIAL_TABLE_SIZE = 4096;

/**
 * The dynamic table (RFC 7541 section 2.3.2): first in, first out, bounded in octets. A ring, so inserting and evicting
 * move nothing. The decoder keeps fields in it, the encoder its own entries.
 */
export class DynamicTable<T extends Sized> {
  #ring: (T | undefined)[] = new Array(16).fill(undefined);
  #mask = 15;
  #inserted = 0;
  #count = 0;
  #octets = 0;
  #capacity: number;
  #generation = 0;

  /** @param capacity maximum size, in octets */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** As it was made: no entry ever came, and the capacity is the initial one. */
  get isFresh(): boolean {
    return this.#generation === 0;
  }

  /** Rises with every change: what was derived from the table holds while this is the same. */
  get generation(): number {
    return this.#generation;
  }

  /** Entries inserted in all time: the number, from 1 on, of the newest. */
  get inserted(): number {
    return this.#inserted;
  }

  /** The number of the last entry that has been evicted: entries above it live. */
  get evicted(): number {
    return this.#inserted - this.#count;
  }

  /** Size of the live entries, in octets. */
  get octets(): number {
    return this.#octets;
  }

  /** Maximum size, in octets. */
  get capacity(): number {
    return this.#capacity;
  }

  /** Live entries. */
  get length(): number {
    return this.#count;
  }

  /** The entry at `index`, 0 for the newest; undefined beyond the oldest. */
  at(index: number): T | undefined {
    return index < this.#count ? this.#ring[(this.#inserted - index) & this.#mask] : undefined;
  }

  /** Inserts in front and evicts what no longer fits; an entry larger than the table only empties it (section 4.4). */
  insert(entry: T): void {
    const size = entry.size;
    this.#generation++;
    this.#evict(this.#capacity - size);
    if (size > this.#capacity) return;
    if (this.#count > this.#mask) this.#grow();
    this.#inserted++;
    this.#count++;
    this.#octets += size;
    this.#ring[this.#inserted & this.#mask] = entry;
  }

  /** Sets the maximum size and evicts what is above it (section 4.3). */
  resize(capacity: number): void {
    if (capacity === this.#capacity) return;
    this.#generation++;
    this.#capacity = capacity;
    this.#evict(capacity);
  }

  #evict(octets: number): void {
    while (this.#octets > octets && this.#count > 0) {
      const slot = (this.#inserted - this.#count + 1) & this.#mask;
      this.#octets -= this.#ring[slot]!.size;
      this.#ring[slot] = undefined;
      this.#count--;
    }
  }

  #grow(): void {
    const mask = this.#mask * 2 + 1;
    const ring: (T | undefined)[] = new Array(mask + 1).fill(undefined);
    for (let index = 0; index < this.#count; index++) ring[(this.#inserted - index) & mask] = this.at(index);
    this.#ring = ring;
    this.#mask = mask;
  }
}
