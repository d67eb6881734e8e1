import type { Field, NameTable } from '../field.ts';
import { HeaderBlock } from '../header-block.ts';
import { Cursor } from './cursor.ts';
import { DynamicTable, INITIAL_TABLE_SIZE } from './dynamic-table.ts';
import { HpackError } from './hpack-error.ts';
import { OctetCache } from './octet-cache.ts';
import { packTable, unpackTable } from './packed-table.ts';
import { STATIC_ENTRIES, STATIC_LENGTH } from './static-table.ts';

export interface DecoderOptions {
  /** SETTINGS_HEADER_TABLE_SIZE that we announce, in octets. */
  maxTableSize: number;
  /** Uncompressed octets (RFC 7541 section 4.1) that a block may have. */
  maxListSize: number;
  /** Fields that a block may have. */
  maxFields: number;
  names: NameTable;
}

const BLOCK_CACHE = { sets: 128, maxKeyOctets: 512, maxWeight: 65_536 };
const FIELD_CACHE = { sets: 64, maxKeyOctets: 256, maxWeight: 32_768 };
/** What a field weighs in a cached block: a pointer, and some air. */
const FIELD_WEIGHT = 16;

/** Tags of strings in the field cache. */
const HUFFMAN = 1;
const SENSITIVE = 2;

/** Static fields are the same objects on all connections of one name table, so encoders know them by identity. */
const staticFields = new WeakMap<NameTable, readonly Field[]>();

function staticFieldsOf(names: NameTable): readonly Field[] {
  let fields = staticFields.get(names);
  if (fields === undefined) {
    fields = STATIC_ENTRIES.map(([name, value]) => names.field(name, value));
    staticFields.set(names, fields);
  }
  return fields;
}

/** One for all decoders: a block is decoded at one go. */
const cursor = new Cursor();

/** Decodes the header blocks of one direction of one connection (RFC 7541). */
export class Decoder {
  readonly #names: NameTable;
  readonly #maxTableSize: number;
  readonly #maxListSize: number;
  readonly #maxFields: number;
  readonly #static: readonly Field[];
  readonly #table = new DynamicTable<Field>(INITIAL_TABLE_SIZE);
  /** Blocks by their octets, all decoded under the table's generation `#blocksGeneration`. */
  readonly #blocks = new OctetCache<HeaderBlock>(BLOCK_CACHE);
  #blocksGeneration = 0;
  /** How many times too large the last block was that was `too_large`. */
  excess = 0;
  /** Fields by the octets of their value, so that a literal that repeats is one object, and decoded once. */
  readonly #fields = new OctetCache<Field>(FIELD_CACHE);
  /** The largest size that the peer may give the dynamic table at present. */
  #tableLimit: number;
  /** The peer has to begin the next block with a size update (RFC 7541 section 4.2). */
  #updateDue = false;

  constructor(options: DecoderOptions) {
    this.#names = options.names;
    this.#maxTableSize = options.maxTableSize;
    this.#maxListSize = options.maxListSize;
    this.#maxFields = options.maxFields;
    this.#static = staticFieldsOf(options.names);
    this.#tableLimit = Math.max(options.maxTableSize, INITIAL_TABLE_SIZE);
  }

  /** The dynamic table as the peer has built it, newest first: for tests and diagnosis. */
  get tableFields(): readonly Field[] {
    return Array.from({ length: this.#table.length }, (_, index) => this.#table.at(index)!);
  }

  /** Size of the dynamic table in octets (RFC 7541 section 4.1). */
  get tableSize(): number {
    return this.#table.octets;
  }

  /**
   * The peer acknowledged our SETTINGS: from now on `maxTableSize` binds it. (Until then it may use the initial 4,096
   * octets. Only a `maxTableSize` below that makes a difference.)
   */
  settingsAcknowledged(): void {
    this.#tableLimit = this.#maxTableSize;
    this.#updateDue = this.#table.capacity > this.#maxTableSize;
  }

  /** Nothing of the peer's is kept in it: a new one would do as well. */
  get isFresh(): boolean {
    return this.#table.isFresh && !this.#updateDue;
  }

  /** What must be kept of it while nothing comes: the table. */
  pack(): string {
    return packTable(this.#table);
  }

  /** Takes the table that another one had, before the first block. */
  unpack(packed: string): void {
    unpackTable(packed, this.#table, this.#names);
    // Who had to begin with a size update and has not yet still has to.
    this.#updateDue = this.#table.capacity > this.#tableLimit;
  }

  /**
   * Decodes one complete header block, `buffer[start, end)`; nothing of the buffer is kept.
   * @returns the block; the same object for the same octets while the dynamic table is unchanged. `'too_large'` when it is
   *   above `maxListSize` or `maxFields`: the dynamic table is right all the same, and the connection can go on.
   * @throws HpackError
   */
  decode(buffer: Buffer, start: number, end: number): HeaderBlock | 'too_large' {
    const generation = this.#table.generation;
    if (generation !== this.#blocksGeneration) {
      this.#blocks.clear();
      this.#blocksGeneration = generation;
    }
    const known = this.#updateDue ? undefined : this.#blocks.find(buffer, start, end, 0);
    if (known !== undefined) return known;
    cursor.open(buffer, start, end);
    try {
      if (this.#updateDue || (start < end && (buffer[start]! & 0xe0) === 0x20)) this.#readSizeUpdates(cursor);
      const block = this.#readFields(cursor);
      // A block that changed the table means something else the next time.
      if (block !== 'too_large' && this.#table.generation === generation) {
        this.#blocks.offer(buffer, start, end, 0, block, end - start + FIELD_WEIGHT * (block.fields.length + 1));
      }
      return block;
    } finally {
      cursor.close();
    }
  }

  /** Dynamic table size updates, allowed at the beginning of a block only (RFC 7541 section 4.2). */
  #readSizeUpdates(cursor: Cursor): void {
    while (cursor.position < cursor.end && (cursor.buffer[cursor.position]! & 0xe0) === 0x20) {
      const size = cursor.integer(cursor.octet(), 0x1f);
      if (size > this.#tableLimit) throw new HpackError(`table size ${size} above ${this.#tableLimit}`);
      this.#table.resize(size);
      this.#updateDue = false;
    }
    if (this.#updateDue) throw new HpackError('table size update missing');
  }

  #readFields(cursor: Cursor): HeaderBlock | 'too_large' {
    const fields: Field[] = [];
    let size = 0;
    let count = 0;
    let fits = true;
    while (cursor.position < cursor.end) {
      const field = this.#readField(cursor);
      size += field.size;
      count++;
      if (fits && size <= this.#maxListSize && count <= this.#maxFields) {
        fields.push(field);
      } else {
        // Go on for the table's sake, but keep nothing: a short block of indices can stand for megabytes.
        fits = false;
        fields.length = 0;
      }
    }
    // A copy is as long as it need be, and it may live as long as the connection.
    if (fits) return new HeaderBlock(fields.slice());
    this.excess = Math.max(size / this.#maxListSize, count / this.#maxFields);
    return 'too_large';
  }

  /** One field in any representation (RFC 7541 section 6). */
  #readField(cursor: Cursor): Field {
    const octet = cursor.octet();
    if (octet >= 0x80) return this.#at(cursor.integer(octet, 0x7f));
    if (octet >= 0x40) {
      const field = this.#readLiteral(cursor, cursor.integer(octet, 0x3f), false);
      this.#table.insert(field);
      return field;
    }
    if (octet >= 0x20) throw new HpackError('table size update behind a field');
    return this.#readLiteral(cursor, cursor.integer(octet, 0x0f), octet >= 0x10);
  }

  #at(index: number): Field {
    if (index >= 1 && index <= STATIC_LENGTH) return this.#static[index - 1]!;
    const field = index === 0 ? undefined : this.#table.at(index - STATIC_LENGTH - 1);
    if (field === undefined) throw new HpackError(`index ${index} is in no table`);
    return field;
  }

  #readLiteral(cursor: Cursor, nameIndex: number, sensitive: boolean): Field {
    let name: string;
    if (nameIndex === 0) {
      cursor.span();
      name = cursor.text();
    } else {
      name = this.#at(nameIndex).name;
    }
    cursor.span();
    const { buffer, textStart, textEnd } = cursor;
    const tag = (cursor.huffman ? HUFFMAN : 0) | (sensitive ? SENSITIVE : 0);
    const known = this.#fields.find(buffer, textStart, textEnd, tag);
    if (known !== undefined && known.name === name) return known;
    const field = this.#names.field(name, cursor.text(), sensitive);
    this.#fields.offer(buffer, textStart, textEnd, tag, field, field.size);
    return field;
  }
}
