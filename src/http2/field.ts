import { RecentMap } from './hpack/recent-map.ts';

/** How an encoder treats a field (RFC 7541 section 6.2). */
export const Indexing = {
  /** May enter the dynamic table: the field repeats. */
  INDEX: 0,
  /** Literal without indexing: the value changes with every message and would only flush the table. */
  SKIP: 1,
  /** Literal never indexed, on every hop (RFC 7541 section 7.1.3): secrets. */
  NEVER: 2,
} as const;
export type Indexing = (typeof Indexing)[keyof typeof Indexing];

/**
 * One header field. Immutable, and the same object for as long as possible: encoders index fields by identity, so a field
 * that repeats costs one look-up, and whoever looks for a name compares `kind`, a small number, not strings.
 */
export class Field {
  /** Lower case (RFC 9113 section 8.2); pseudo-header fields with their colon. */
  readonly name: string;
  /** Octets as latin1 code units. */
  readonly value: string;
  /** What the `NameTable` says of the name; 0 for a name that is not in it. */
  readonly kind: number;
  readonly indexing: Indexing;
  /**
   * As HPACK and SETTINGS_MAX_HEADER_LIST_SIZE count it (RFC 7541 section 4.1). Kept, since each block adds them up, and the texts
   * lie elsewhere in memory.
   */
  readonly size: number;
  /** What `validate-headers.ts` found, once per field. For the engine alone. */
  verdict = 0;
  /** Whatever the receiver derived from the field; the engine never reads it. A field outlives blocks that differ elsewhere. */
  memo: unknown = undefined;

  constructor(name: string, value: string, kind = 0, indexing: Indexing = Indexing.INDEX) {
    this.name = name;
    this.value = value;
    this.kind = kind;
    this.indexing = indexing;
    this.size = name.length + value.length + 32;
  }

  get isWritten(): false {
    return false;
  }
}

/**
 * A field of one message alone that writes its value where it goes, so that nobody has to make a text of it. It is a literal
 * without indexing.
 */
export abstract class WrittenField {
  /** Lower case. */
  abstract get name(): string;
  /** Octets of its value. */
  abstract get length(): number;

  /**
   * Writes its value at `target[at...]`, where there is room.
   * @param last the written field before it in the same block, whose value is at `target[lastAt...]`: what is made of another one
   *   need not be kept for each message
   */
  abstract writeValue(target: Buffer, at: number, last?: WrittenField, lastAt?: number): void;

  /** Tells it from a `Field`: `instanceof` walks up the prototypes, for each field of each message. */
  get isWritten(): true {
    return true;
  }

  get size(): number {
    return this.name.length + this.length + 32;
  }
}

/** Fields of one message alone, behind those of its block. */
export type ExtraField = Field | WrittenField;

/** Longer values are not shared: few clients send them alike. */
const MAX_SHARED_OCTETS = 128;
/** Values of each name, in each of two generations. */
const SHARED_VALUES = 256;

interface KnownName {
  readonly kind: number;
  readonly indexing: Indexing;
  /** Its fields by value; undefined for names whose fields are made anew. */
  readonly shared: RecentMap<string, Field> | undefined;
}

const UNKNOWN: KnownName = { kind: 0, indexing: Indexing.INDEX, shared: undefined };

/** What the user of the engine knows of header names: a number to tell them by, and how to encode them. */
export class NameTable {
  readonly #names = new Map<string, KnownName>();

  /**
   * @param shared names of which many connections send the same few values: a field of such a name is one object for all of
   *   them, so that what is known of it is found out once. Not for secrets
   */
  constructor(
    entries: Iterable<readonly [name: string, kind: number, indexing?: Indexing]> = [],
    shared: Iterable<string> = [],
  ) {
    for (const [name, kind, indexing = Indexing.INDEX] of entries) {
      this.#names.set(name, { kind, indexing, shared: undefined });
    }
    for (const name of shared) {
      const known = this.#names.get(name) ?? UNKNOWN;
      this.#names.set(name, { ...known, shared: new RecentMap<string, Field>(SHARED_VALUES) });
    }
  }

  /** Makes a field; `sensitive` fields (received as never-indexed) stay never-indexed. */
  field(name: string, value: string, sensitive = false): Field {
    const { kind, indexing, shared } = this.#names.get(name) ?? UNKNOWN;
    if (sensitive) return new Field(name, value, kind, Indexing.NEVER);
    if (shared === undefined || value.length > MAX_SHARED_OCTETS) return new Field(name, value, kind, indexing);
    const known = shared.get(value);
    if (known !== undefined) return known;
    const field = new Field(name, value, kind, indexing);
    shared.set(value, field);
    return field;
  }

  /** Whether a field of the same name and value would be this one. */
  isShared(field: Field): boolean {
    return this.#names.get(field.name)?.shared?.get(field.value) === field;
  }
}
