import { HpackError } from './hpack-error.ts';
import { decodeHuffman } from './huffman.ts';
import { readLatin1 } from './latin1.ts';

const EMPTY = Buffer.alloc(0);
const MAX_INTEGER = 2 ** 31 - 1;
const MAX_CONTINUATIONS = 5;

/** Reads the primitive types of a header block (RFC 7541 section 5) one after the other. Lives as long as its decoder. */
export class Cursor {
  buffer: Buffer = EMPTY;
  position = 0;
  end = 0;
  /** The string that `span()` found: `buffer[textStart, textEnd)`, and whether it is Huffman-coded. */
  textStart = 0;
  textEnd = 0;
  huffman = false;

  open(buffer: Buffer, start: number, end: number): void {
    this.buffer = buffer;
    this.position = start;
    this.end = end;
  }

  /** Lets go of the buffer. */
  close(): void {
    this.buffer = EMPTY;
  }

  /** @throws HpackError at the end of the block */
  octet(): number {
    if (this.position >= this.end) throw new HpackError('truncated header block');
    return this.buffer[this.position++]!;
  }

  /**
   * The integer that begins in the octet just read, `first`, under the prefix `mask`.
   * @throws HpackError above 2^31 - 1 or five octets behind the prefix, however many of them are zeros
   */
  integer(first: number, mask: number): number {
    const prefix = first & mask;
    if (prefix < mask) return prefix;
    let value = mask;
    let scale = 1;
    for (let i = 0; i < MAX_CONTINUATIONS; i++) {
      const octet = this.octet();
      // Not a shift: the fifth octet reaches 2^35.
      value += (octet & 0x7f) * scale;
      if (octet < 0x80) {
        if (value > MAX_INTEGER) break;
        return value;
      }
      scale *= 0x80;
    }
    throw new HpackError('integer out of bounds');
  }

  /** Passes over a string literal (section 5.2) and leaves in `textStart`, `textEnd` and `huffman` where it is. */
  span(): void {
    const first = this.octet();
    const length = this.integer(first, 0x7f);
    if (length > this.end - this.position) throw new HpackError('truncated string');
    this.huffman = first >= 0x80;
    this.textStart = this.position;
    this.textEnd = this.position + length;
    this.position = this.textEnd;
  }

  /** Decodes what `span()` found. */
  text(): string {
    return this.huffman
      ? decodeHuffman(this.buffer, this.textStart, this.textEnd)
      : readLatin1(this.buffer, this.textStart, this.textEnd);
  }
}
