import type { WireType } from '@bufbuild/protobuf/wire';

const MORE = 0x80;
const BITS = 0x7f;
const ONE_OCTET = 128;
/** Octets of the length of most messages, and of one of a gigabyte. */
const USUAL_LENGTH = 2;
const MOST_LENGTH = 5;
/** Numbers up to here are written by shifts. */
const WORD = 2 ** 31;

/**
 * For messages of which so many are written that a general writer's pieces, and putting them together, are most of the work: fields
 * go straight into one buffer, which grows. Who writes fields makes room for them first.
 */
export abstract class ProtobufWriter {
  protected buffer: Buffer;
  protected view: DataView;
  /** Where the next octet goes. */
  protected at = 0;

  /** @param octets of the buffer at first */
  constructor(octets: number) {
    this.buffer = Buffer.allocUnsafeSlow(octets);
    this.view = new DataView(this.buffer.buffer);
  }

  /** Begins anew, in the same buffer unless that has grown beyond `most`. */
  protected restart(first: number, most: number): void {
    this.at = 0;
    if (this.buffer.length > most) this.#use(Buffer.allocUnsafeSlow(first));
  }

  #use(buffer: Buffer): void {
    this.buffer = buffer;
    this.view = new DataView(buffer.buffer);
  }

  /** What was written; it is the writer's own for as long as more is. */
  get octets(): Uint8Array {
    return this.buffer.subarray(0, this.at);
  }

  /** Makes room for so many more. */
  protected reserve(octets: number): void {
    if (this.buffer.length - this.at >= octets) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(2 * this.buffer.length, this.at + octets));
    this.buffer.copy(grown, 0, 0, this.at);
    this.#use(grown);
  }

  /** Where there is room. */
  protected set(octets: Uint8Array): void {
    this.buffer.set(octets, this.at);
    this.at += octets.length;
  }

  /** Where there is room. @param field at most 15 */
  protected tag(field: number, type: WireType): void {
    this.buffer[this.at++] = (field << 3) | type;
  }

  /**
   * Leaves room for the length of a message of 128 octets to 16 KiB, as most are. @returns where the message begins, for `endMessage`
   */
  protected beginMessage(): number {
    this.at += USUAL_LENGTH;
    return this.at;
  }

  /** Writes the length of what was written since. */
  protected endMessage(begin: number): void {
    const length = this.at - begin;
    if (length >= ONE_OCTET && length < ONE_OCTET * ONE_OCTET) {
      this.buffer[begin - 2] = (length & BITS) | MORE;
      this.buffer[begin - 1] = length >>> 7;
      return;
    }
    // One that has next to nothing, or texts beyond measure.
    const message = Buffer.from(this.buffer.subarray(begin, this.at));
    this.reserve(MOST_LENGTH);
    this.at = begin - USUAL_LENGTH;
    this.varint(length);
    this.set(message);
  }

  /** Where there is room. @param value a whole number, not below 0 */
  protected varint(value: number): void {
    const { buffer } = this;
    let { at } = this;
    let left = value;
    for (; left >= WORD; left = Math.floor(left / ONE_OCTET)) buffer[at++] = (left % ONE_OCTET) | MORE;
    for (; left > BITS; left >>>= 7) buffer[at++] = (left & BITS) | MORE;
    buffer[at++] = left;
    this.at = at;
  }
}
