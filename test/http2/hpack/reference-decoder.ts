import { decodeHuffman } from '../../../src/http2/hpack/huffman.ts';
import { STATIC_ENTRIES } from '../../../src/http2/hpack/static-table.ts';

type Pair = readonly [name: string, value: string];

/** RFC 7541 as plainly as it can be put: a list for a table, no caches, an exception for whatever is wrong. */
export class ReferenceDecoder {
  table: Pair[] = [];
  #capacity = 4096;
  #octets: number[] = [];

  /** Name, value, and whether never indexed. */
  decode(block: Uint8Array): [string, string, boolean][] {
    this.#octets = [...block];
    const fields: [string, string, boolean][] = [];
    while (this.#octets.length > 0) {
      const first = this.#octets[0] ?? 0;
      if (first >= 0x80) {
        fields.push([...this.#at(this.#integer(7)), false]);
      } else if (first >= 0x40) {
        const pair = this.#literal(6);
        this.table.unshift(pair);
        this.#evict();
        fields.push([...pair, false]);
      } else if (first >= 0x20) {
        this.#capacity = this.#integer(5);
        if (fields.length > 0 || this.#capacity > 4096) throw new Error('size update');
        this.#evict();
      } else {
        fields.push([...this.#literal(4), first >= 0x10]);
      }
    }
    return fields;
  }

  get size(): number {
    return this.table.reduce((sum, [name, value]) => sum + name.length + value.length + 32, 0);
  }

  #evict(): void {
    while (this.size > this.#capacity) this.table.pop();
  }

  #octet(): number {
    const octet = this.#octets.shift();
    if (octet === undefined) throw new Error('truncated');
    return octet;
  }

  #integer(bits: number): number {
    const mask = 2 ** bits - 1;
    let value = this.#octet() & mask;
    if (value < mask) return value;
    for (let i = 0; i < 5; i++) {
      const octet = this.#octet();
      value += (octet & 0x7f) * 128 ** i;
      if (octet < 0x80 && value < 2 ** 31) return value;
      if (octet < 0x80) break;
    }
    throw new Error('integer');
  }

  #at(index: number): Pair {
    const pair = [...STATIC_ENTRIES, ...this.table][index - 1];
    if (pair === undefined) throw new Error('index');
    return pair;
  }

  #literal(bits: number): Pair {
    const index = this.#integer(bits);
    const name = index === 0 ? this.#string() : this.#at(index)[0];
    return [name, this.#string()];
  }

  #string(): string {
    const huffman = (this.#octets[0] ?? 0) >= 0x80;
    const length = this.#integer(7);
    if (length > this.#octets.length) throw new Error('truncated');
    const octets = Buffer.from(this.#octets.splice(0, length));
    return huffman ? decodeHuffman(octets, 0, length) : octets.toString('latin1');
  }
}
