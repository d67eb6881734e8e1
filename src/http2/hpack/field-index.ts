import type { Field } from '../field.ts';
import { RecentMap } from './recent-map.ts';
import { findStaticEntry, STATIC_NAMES } from './static-table.ts';

/** What an encoder knows of a name. */
export interface NameEntry {
  /** Index in the static table, or 0. */
  readonly staticIndex: number;
  /** The number of the last insertion with this name into the dynamic table, 0 for none. May have been evicted since. */
  inserted: number;
}

/** What an encoder knows of a name and value. */
export interface FieldEntry {
  readonly name: NameEntry;
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

const MAX_FIELDS = 512;
const MAX_NAMES = 512;
/** Longer names are not remembered: nobody sends them often, and somebody might send many. */
const MAX_NAME_OCTETS = 64;

/**
 * Finds what the encoder knows of a field: by the object, which is one look-up, else by name and value, because decoders
 * of other connections make objects of their own for the same field. Bounded to the fields used last; one that is
 * forgotten while it is in the dynamic table merely enters it a second time.
 */
export class FieldIndex {
  readonly #byObject = new RecentMap<Field, FieldEntry>(MAX_FIELDS);
  readonly #byValue = new RecentMap<string, FieldEntry>(MAX_FIELDS);
  #names = new Map<string, NameEntry>();

  name(name: string): NameEntry {
    let entry = this.#names.get(name);
    if (entry === undefined) {
      entry = { staticIndex: STATIC_NAMES.get(name) ?? 0, inserted: 0 };
      if (name.length > MAX_NAME_OCTETS) return entry;
      if (this.#names.size >= MAX_NAMES) this.#names = new Map();
      this.#names.set(name, entry);
    }
    return entry;
  }

  field(field: Field): FieldEntry {
    const known = this.#byObject.get(field);
    if (known !== undefined) return known;
    const entry = this.#fieldByValue(field);
    this.#byObject.set(field, entry);
    return entry;
  }

  #fieldByValue(field: Field): FieldEntry {
    const { name, value } = field;
    const key = `${name}\0${value}`;
    const known = this.#byValue.get(key);
    // The comparison is for values that hold a NUL, with which two fields could make one key.
    if (known !== undefined && known.field.name === name && known.field.value === value) return known;
    const entry: FieldEntry = {
      name: this.name(name),
      field,
      size: field.size,
      staticIndex: findStaticEntry(name, value),
      inserted: 0,
      literals: 0,
    };
    this.#byValue.set(key, entry);
    return entry;
  }
}
