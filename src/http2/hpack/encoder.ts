import { type ExtraField, Field, Indexing, type WrittenField } from '../field.ts';
import type { EncodedBlock, HeaderBlock } from '../header-block.ts';
import { Admission } from './admission.ts';
import { DynamicTable, INITIAL_TABLE_SIZE } from './dynamic-table.ts';
import { type FieldEntry, FieldIndex, type NameEntry } from './field-index.ts';
import { Gate } from './gate.ts';
import { measureHuffman, writeHuffman } from './huffman.ts';
import { MAX_INTEGER_OCTETS, writeInteger } from './integer.ts';
import { writeLatin1 } from './latin1.ts';
import { RecentMap } from './recent-map.ts';
import { findStaticEntry, LONGEST_STATIC_VALUE, STATIC_LENGTH } from './static-table.ts';

export interface EncoderOptions {
  /** Octets of dynamic table that we are ready to keep, whatever the peer allows. */
  maxTableSize: number;
  /** Places of a block that are remembered; further ones share them. Default 16. */
  blockSlots?: number;
}

/** On a connection to a backend there are as many as callers times methods. */
const MAX_BLOCKS = 1024;
const MAX_BLOCK_OCTETS = 512;
/** Uncompressed octets: what a remembered block keeps alive. */
const MAX_BLOCK_SIZE = 4096;

const BLOCK_SLOTS = 16;
/** Places of extra fields, behind them. */
const EXTRA_SLOTS = 6;

/** Largest field that is indexed, however large the table: what is remembered of fields is bounded by their number. */
const MAX_INDEXED_SIZE = 2048;

/** First octet of a representation (RFC 7541 section 6), and the prefix that is left for the index. */
const INDEXED = 0x80;
const INDEXED_MASK = 0x7f;
const INCREMENTAL = 0x40;
const INCREMENTAL_MASK = 0x3f;
const SIZE_UPDATE = 0x20;
const SIZE_UPDATE_MASK = 0x1f;
const NEVER_INDEXED = 0x10;
const NOT_INDEXED = 0x00;
const LITERAL_MASK = 0x0f;
const HUFFMAN = 0x80;
const STRING_MASK = 0x7f;

/**
 * Encodes the header blocks of one direction of one connection (RFC 7541).
 *
 * Strings are Huffman-coded only in fields that enter the dynamic table, where it is paid once; a literal that is sent with
 * every message (a request id, a deadline) is copied, because a few octets saved are not worth a loop over its bits.
 */
export class Encoder {
  readonly #maxTableSize: number;
  readonly #table = new DynamicTable<FieldEntry>(INITIAL_TABLE_SIZE);
  readonly #index = new FieldIndex();
  readonly #admission = new Admission();
  /** Blocks that another encoder has encoded first, and that do not have the octets themselves: this keeps them alive. */
  readonly #blocks = new RecentMap<HeaderBlock, EncodedBlock>(MAX_BLOCKS);
  readonly #gate = new Gate();
  /** Stands for this encoder in the blocks that it has encoded: by the encoder itself they would keep a closed connection's alive. */
  readonly #mark = {};
  /** The field that stood last at each place of a block, and its entry: most blocks differ from the one before in few places. */
  readonly #lastFields: (Field | undefined)[];
  readonly #lastEntries: (FieldEntry | undefined)[];
  /** The same for names, for fields whose values always differ. An entry that the index has dropped since is still true. */
  readonly #lastNames: string[];
  readonly #lastNameEntries: (NameEntry | undefined)[];
  readonly #blockSlots: number;
  /** Fields above a quarter of the table would flush it, so they never enter. */
  #largestIndexed = INITIAL_TABLE_SIZE / 4;
  /** The smallest table size since the last block, if the next one must tell it; else -1. */
  #smallestSize = -1;
  /** A field of the block is a literal for now, and may be an index the next time. */
  #unsettled = false;

  constructor(options: EncoderOptions) {
    this.#maxTableSize = options.maxTableSize;
    this.#blockSlots = options.blockSlots ?? BLOCK_SLOTS;
    const slots = this.#blockSlots + EXTRA_SLOTS;
    this.#lastFields = new Array(slots).fill(undefined);
    this.#lastEntries = new Array(slots).fill(undefined);
    this.#lastNames = new Array(slots).fill('');
    this.#lastNameEntries = new Array(slots).fill(undefined);
    this.setPeerTableSize(INITIAL_TABLE_SIZE);
  }

  /** Size of the dynamic table in octets (RFC 7541 section 4.1). */
  get tableSize(): number {
    return this.#table.octets;
  }

  /** The peer's SETTINGS_HEADER_TABLE_SIZE, in octets. The next block begins with the size updates it calls for (RFC 7541 section 4.2). */
  setPeerTableSize(octets: number): void {
    const size = Math.min(octets, this.#maxTableSize);
    if (size === this.#table.capacity) return;
    this.#table.resize(size);
    this.#largestIndexed = Math.min(size / 4, MAX_INDEXED_SIZE);
    this.#smallestSize = this.#smallestSize < 0 ? size : Math.min(size, this.#smallestSize);
  }

  /** Octets that `encode()` may write for these at most. */
  bound(block: HeaderBlock, extra: readonly ExtraField[] | undefined): number {
    // A field's size counts 32 octets beside its strings; a literal takes 1 + 2 * 6 at most.
    let octets = 2 * MAX_INTEGER_OCTETS + block.size;
    if (extra !== undefined) for (let i = 0; i < extra.length; i++) octets += extra[i]!.size;
    return octets;
  }

  /**
   * Writes the fields of `block`, then those of `extra`, at `target[offset...]`, where the caller made room for `bound()`.
   * @returns the offset behind the last octet.
   */
  encode(block: HeaderBlock, extra: readonly ExtraField[] | undefined, target: Buffer, offset: number): number {
    this.#admission.tick();
    let at = this.#smallestSize < 0 ? offset : this.#writeSizeUpdates(target, offset);
    at = this.#writeBlock(block, target, at);
    if (extra === undefined) return at;
    let last: WrittenField | undefined;
    let lastAt = 0;
    for (let i = 0; i < extra.length; i++) {
      const field = extra[i]!;
      const slot = this.#blockSlots + (i % EXTRA_SLOTS);
      if (!field.isWritten) {
        at = this.#writeField(field, slot, target, at);
        continue;
      }
      const { length } = field;
      at = writeInteger(length, STRING_MASK, 0, target, this.#writeWrittenName(field, slot, target, at));
      field.writeValue(target, at, last, lastAt);
      last = field;
      lastAt = at;
      at += length;
    }
    return at;
  }

  #writeSizeUpdates(target: Buffer, offset: number): number {
    const smallest = this.#smallestSize;
    const last = this.#table.capacity;
    this.#smallestSize = -1;
    let at = offset;
    if (smallest < last) at = writeInteger(smallest, SIZE_UPDATE_MASK, SIZE_UPDATE, target, at);
    return writeInteger(last, SIZE_UPDATE_MASK, SIZE_UPDATE, target, at);
  }

  #writeBlock(block: HeaderBlock, target: Buffer, offset: number): number {
    if (!this.#gate.open()) return this.#writeFields(block.fields, target, offset);
    const generation = this.#table.generation;
    const isOwn = block.encodedBy === this.#mark || block.encodedBy === undefined;
    const known = isOwn ? block.encoded : this.#blocks.get(block);
    if (known !== undefined && known.generation === generation) {
      this.#gate.hit();
      return writeLatin1(known.octets, target, offset);
    }
    this.#gate.miss();
    this.#unsettled = false;
    const end = this.#writeFields(block.fields, target, offset);
    const keep = this.#table.generation === generation && !this.#unsettled;
    if (keep && end - offset <= MAX_BLOCK_OCTETS && block.size <= MAX_BLOCK_SIZE) {
      const encoded = { generation, octets: target.latin1Slice(offset, end) };
      if (isOwn) {
        block.encodedBy = this.#mark;
        block.encoded = encoded;
      } else this.#blocks.set(block, encoded);
    }
    return end;
  }

  #writeFields(fields: readonly Field[], target: Buffer, offset: number): number {
    let at = offset;
    for (let i = 0; i < fields.length; i++) at = this.#writeField(fields[i]!, i % this.#blockSlots, target, at);
    return at;
  }

  /**
   * The first of a name enters the table for the sake of its name, where there is room that nobody else needs: from then on it is a
   * number, 12 octets less of each request id and each `traceparent`.
   */
  #writeWrittenName(field: WrittenField, slot: number, target: Buffer, offset: number): number {
    const { name } = field;
    const entry = this.#nameOf(name, slot);
    const index = this.#nameIndex(entry);
    if (index !== 0) return writeInteger(index, LITERAL_MASK, NOT_INDEXED, target, offset);
    const table = this.#table;
    const { size } = field;
    if (size > this.#largestIndexed || table.octets + size > table.capacity) {
      return this.#writeName(entry, name, NOT_INDEXED, target, offset);
    }
    table.insert({ field: new Field(name, ''), size, staticIndex: 0, inserted: 0, literals: 0 });
    entry.inserted = table.inserted;
    return writeRaw(name, target, writeInteger(0, INCREMENTAL_MASK, INCREMENTAL, target, offset));
  }

  #writeField(field: Field, slot: number, target: Buffer, offset: number): number {
    if (field.indexing !== Indexing.INDEX) {
      const flags = field.indexing === Indexing.NEVER ? NEVER_INDEXED : NOT_INDEXED;
      return this.#writeLiteral(field, this.#nameOf(field.name, slot), flags, target, offset);
    }
    if (field.size > this.#largestIndexed) return this.#writeLarge(field, target, offset);
    const entry = this.#entryOf(field, slot);
    if (entry.staticIndex !== 0) return writeInteger(entry.staticIndex, INDEXED_MASK, INDEXED, target, offset);
    if (entry.inserted > this.#table.evicted) {
      return writeInteger(this.#position(entry.inserted), INDEXED_MASK, INDEXED, target, offset);
    }
    return this.#writeUnknown(field, entry, target, offset);
  }

  #entryOf(field: Field, slot: number): FieldEntry {
    const last = this.#lastEntries[slot];
    if (last !== undefined && this.#lastFields[slot] === field) return last;
    const entry = this.#index.field(this.#index.name(field.name), field);
    this.#lastFields[slot] = field;
    this.#lastEntries[slot] = entry;
    return entry;
  }

  #nameOf(name: string, slot: number): NameEntry {
    const last = this.#lastNameEntries[slot];
    if (last !== undefined && this.#lastNames[slot] === name) return last;
    const entry = this.#index.name(name);
    this.#lastNames[slot] = name;
    this.#lastNameEntries[slot] = entry;
    return entry;
  }

  /** A field that may be indexed and is in no table. */
  #writeUnknown(field: Field, entry: FieldEntry, target: Buffer, offset: number): number {
    const name = this.#index.name(field.name);
    entry.literals++;
    const fits = this.#table.octets + entry.size <= this.#table.capacity;
    if (fits || this.#admission.evicts(entry.literals)) return this.#writeInserted(entry, name, target, offset);
    this.#unsettled = true;
    return this.#writeLiteral(field, name, NOT_INDEXED, target, offset);
  }

  /** A field that is too large to index. With a small table, or none, that is every field, and the static table still helps. */
  #writeLarge(field: Field, target: Buffer, offset: number): number {
    const index = field.value.length <= LONGEST_STATIC_VALUE ? findStaticEntry(field.name, field.value) : 0;
    if (index !== 0) return writeInteger(index, INDEXED_MASK, INDEXED, target, offset);
    return this.#writeLiteral(field, this.#index.name(field.name), NOT_INDEXED, target, offset);
  }

  /** The index of what was inserted as number `inserted` and is not evicted (RFC 7541 section 2.3.3). */
  #position(inserted: number): number {
    return STATIC_LENGTH + 1 + this.#table.inserted - inserted;
  }

  #nameIndex(name: NameEntry): number {
    if (name.staticIndex !== 0) return name.staticIndex;
    return name.inserted > this.#table.evicted ? this.#position(name.inserted) : 0;
  }

  /** A literal that enters the dynamic table (RFC 7541 section 6.2.1). */
  #writeInserted(entry: FieldEntry, name: NameEntry, target: Buffer, offset: number): number {
    const { field } = entry;
    const index = this.#nameIndex(name);
    let at = writeInteger(index, INCREMENTAL_MASK, INCREMENTAL, target, offset);
    if (index === 0) at = writeCompressed(field.name, target, at);
    at = writeCompressed(field.value, target, at);
    this.#table.insert(entry);
    entry.inserted = this.#table.inserted;
    entry.literals = 0;
    name.inserted = this.#table.inserted;
    return at;
  }

  /** A literal that does not (RFC 7541 sections 6.2.2 and 6.2.3). */
  #writeLiteral(field: Field, name: NameEntry, flags: number, target: Buffer, offset: number): number {
    return writeRaw(field.value, target, this.#writeName(name, field.name, flags, target, offset));
  }

  #writeName(name: NameEntry, text: string, flags: number, target: Buffer, offset: number): number {
    const index = this.#nameIndex(name);
    const at = writeInteger(index, LITERAL_MASK, flags, target, offset);
    return index === 0 ? writeRaw(text, target, at) : at;
  }
}

function writeRaw(text: string, target: Buffer, offset: number): number {
  return writeLatin1(text, target, writeInteger(text.length, STRING_MASK, 0, target, offset));
}

function writeCompressed(text: string, target: Buffer, offset: number): number {
  const octets = measureHuffman(text);
  if (octets >= text.length) return writeRaw(text, target, offset);
  return writeHuffman(text, target, writeInteger(octets, STRING_MASK, HUFFMAN, target, offset));
}
