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
  /** What `validate-headers.ts` found, once per field. For the engine alone. */
  verdict = 0;
  /** Whatever the receiver derived from the field; the engine never reads it. A field outlives blocks that differ elsewhere. */
  memo: unknown = undefined;

  constructor(name: string, value: string, kind = 0, indexing: Indexing = Indexing.INDEX) {
    this.name = name;
    this.value = value;
    this.kind = kind;
    this.indexing = indexing;
  }

  /** Size as HPACK and SETTINGS_MAX_HEADER_LIST_SIZE count it (RFC 7541 section 4.1). */
  get size(): number {
    return this.name.length + this.value.length + 32;
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

  /** Writes its value at `target[at...]`, where there is room. */
  abstract writeValue(target: Buffer, at: number): void;

  get size(): number {
    return this.name.length + this.length + 32;
  }
}

/** Fields of one message alone, behind those of its block. */
export type ExtraField = Field | WrittenField;

/** What the user of the engine knows of header names: a number to tell them by, and how to encode them. */
export class NameTable {
  readonly #names = new Map<string, { readonly kind: number; readonly indexing: Indexing }>();

  constructor(entries: Iterable<readonly [name: string, kind: number, indexing?: Indexing]> = []) {
    for (const [name, kind, indexing] of entries) {
      this.#names.set(name, { kind, indexing: indexing ?? Indexing.INDEX });
    }
  }

  /** Makes a field; `sensitive` fields (received as never-indexed) stay never-indexed. */
  field(name: string, value: string, sensitive = false): Field {
    const known = this.#names.get(name);
    const indexing = sensitive ? Indexing.NEVER : (known?.indexing ?? Indexing.INDEX);
    return new Field(name, value, known?.kind ?? 0, indexing);
  }
}
