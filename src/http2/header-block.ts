import type { Field } from './field.ts';

/** A block as it was encoded while the encoder's table was of this generation; valid no longer. */
export interface EncodedBlock {
  readonly generation: number;
  readonly octets: string;
}

/**
 * A decoded header block, or one to be sent. Immutable but for `memo`. A decoder gives the same object again for a block of
 * the same octets while its dynamic table is unchanged, and encoders remember the octets of a block that they have
 * encoded, so work on a block that repeats is done once.
 */
export class HeaderBlock {
  readonly fields: readonly Field[];
  /** Uncompressed size in octets (RFC 9113 section 10.5.1). */
  readonly size: number;
  /** Whatever the receiver derived from the block; the engine never reads it. */
  memo: unknown = undefined;
  /** What `validate-headers.ts` found, once per block, with `:status` and `content-length`. For the engine alone. */
  verdict = 0;
  status = 0;
  contentLength = -1;
  /** A mark of the encoder that encoded it first, and what it made of it: a request goes the same way again. For encoders alone. */
  encodedBy: object | undefined = undefined;
  encoded: EncodedBlock | undefined = undefined;

  constructor(fields: readonly Field[]) {
    this.fields = fields;
    let size = 0;
    for (const field of fields) size += field.size;
    this.size = size;
  }

  /** The value of the first field of this name. A linear search: for the hot path compare `Field.kind`. */
  get(name: string): string | undefined {
    for (const field of this.fields) if (field.name === name) return field.value;
    return undefined;
  }
}
