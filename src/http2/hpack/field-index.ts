import type { Field } from '../field.ts';
import { findStaticEntry, STATIC_NAMES } from './static-table.ts';

/** What an encoder knows of a name. */
export interface NameEntry {
  /** Index in the static table, or 0. */
  readonly staticIndex: number;
  /** The number of the last insertion with this name into the dynamic table, 0 for none. May have been evicted since. */
  inserted: number;
  /** Fields of this name by value. */
  readonly values: Map<string, FieldEntry>;
}

/** What an encoder knows of a name and value. */
export interface FieldEntry {
  readonly field: Field;
  /** Octets in the dynamic table. */
  readonly size: number;
  /** Index in the static table, or 0. */
  readonly staticIndex: number;
  /** The number of its insertion into the dynamic table, 0 for none. May have been evicted since. */
  inserted: number;
  /** Times it was sent as a literal while it is remembered here. */
  literals: number;
}

/** Names and values in each of the two generations. */
const LIMIT = 512;
/** Longer names are not remembered: nobody sends them often, and somebody might send many. */
const MAX_NAME_OCTETS = 64;

/**
 * Finds what the encoder knows of a field by its name, then by its value: two look-ups by strings whose hashes are kept
 * with them. (By the `Field` object it would be one, but decoders of other connections make objects of their own for the
 * same field: 1,000 connections with 12 equal fields cost 2.8 us a block through an index by objects.)
 *
 * Bounded in two generations: what is looked up moves into the young one, and when that is full the old one is dropped. A
 * field that is forgotten while it is in the dynamic table merely enters it a second time.
 */
export class FieldIndex {
  #young = new Map<string, NameEntry>();
  /** Undefined until the young one was full for the first time. */
  #old: Map<string, NameEntry> | undefined = undefined;
  /** Names and values in `#young`. */
  #count = 0;

  name(name: string): NameEntry {
    const known = this.#young.get(name);
    if (known !== undefined) return known;
    const staticIndex = STATIC_NAMES.get(name) ?? 0;
    const entry = { staticIndex, inserted: this.#old?.get(name)?.inserted ?? 0, values: new Map() };
    if (name.length > MAX_NAME_OCTETS) return entry;
    if (this.#count >= LIMIT) this.#age();
    this.#count++;
    this.#young.set(name, entry);
    return entry;
  }

  /** @param name what `name()` gave for the field's name just now */
  field(name: NameEntry, field: Field): FieldEntry {
    return name.values.get(field.value) ?? this.#remember(name, field);
  }

  #remember(name: NameEntry, field: Field): FieldEntry {
    const entry = this.#old?.get(field.name)?.values.get(field.value) ?? {
      field,
      size: field.size,
      staticIndex: findStaticEntry(field.name, field.value),
      inserted: 0,
      literals: 0,
    };
    // If this makes `name` one of the old generation, what is added to it goes with that.
    if (this.#count >= LIMIT) this.#age();
    this.#count++;
    name.values.set(field.value, entry);
    return entry;
  }

  #age(): void {
    this.#old = this.#young;
    this.#young = new Map();
    this.#count = 0;
  }
}
