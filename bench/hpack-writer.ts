/** Index of fields and names in HPACK's static table (RFC 7541 appendix A) that requests use. */
const STATIC_FIELD = new Map([
  [':method POST', 3],
  [':scheme http', 6],
]);
const STATIC_NAME = new Map([
  [':authority', 1],
  [':path', 4],
  ['authorization', 23],
  ['content-type', 31],
  ['user-agent', 58],
]);
const STATIC_LENGTH = 61;
const TABLE_SIZE = 4096;

/** A field as the load sends it; `indexed` fields enter the dynamic table, as grpc-go and grpc-c do with all that repeats. */
export interface RequestField {
  readonly name: string;
  readonly value: string;
  readonly indexed: boolean;
}

/** An HPACK encoder (RFC 7541) with the dynamic table of one connection: what a gRPC client's library sends. No Huffman. */
export class HpackWriter {
  /** Field -> the count of insertions at which it was inserted. */
  readonly #inserted = new Map<string, number>();
  readonly #queue: { readonly text: string; readonly size: number }[] = [];
  #oldest = 0;
  #size = 0;
  #insertions = 0;

  /** Writes the block into `out` at `at`; @returns the offset behind it. */
  write(fields: readonly RequestField[], out: Buffer, at: number): number {
    let offset = at;
    for (const field of fields) offset = this.#field(field, out, offset);
    return offset;
  }

  #field(field: RequestField, out: Buffer, at: number): number {
    const text = `${field.name} ${field.value}`;
    const fixed = STATIC_FIELD.get(text);
    if (fixed !== undefined) return integer(out, at, fixed, 7, 0x80);
    const insertion = this.#inserted.get(text);
    if (insertion !== undefined) return integer(out, at, STATIC_LENGTH + this.#insertions - insertion, 7, 0x80);
    const name = STATIC_NAME.get(field.name) ?? 0;
    let offset = field.indexed ? integer(out, at, name, 6, 0x40) : integer(out, at, name, 4, 0x00);
    if (name === 0) offset = string(out, offset, field.name);
    offset = string(out, offset, field.value);
    if (field.indexed) this.#insert(text, field.name.length + field.value.length + 32);
    return offset;
  }

  #insert(text: string, size: number): void {
    while (this.#size + size > TABLE_SIZE) {
      const evicted = this.#queue[this.#oldest]!;
      this.#oldest += 1;
      this.#size -= evicted.size;
      this.#inserted.delete(evicted.text);
    }
    if (this.#oldest > 1024) {
      this.#queue.splice(0, this.#oldest);
      this.#oldest = 0;
    }
    this.#queue.push({ text, size });
    this.#inserted.set(text, this.#insertions);
    this.#insertions += 1;
    this.#size += size;
  }
}

function integer(out: Buffer, at: number, value: number, prefixBits: number, pattern: number): number {
  const limit = (1 << prefixBits) - 1;
  if (value < limit) {
    out[at] = pattern | value;
    return at + 1;
  }
  out[at] = pattern | limit;
  let offset = at + 1;
  let rest = value - limit;
  for (; rest >= 128; rest >>>= 7) {
    out[offset] = (rest & 0x7f) | 0x80;
    offset += 1;
  }
  out[offset] = rest;
  return offset + 1;
}

function string(out: Buffer, at: number, text: string): number {
  const offset = integer(out, at, text.length, 7, 0x00);
  return offset + out.write(text, offset, 'latin1');
}
