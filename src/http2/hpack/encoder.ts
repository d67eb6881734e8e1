import type { Field } from '../field.ts';
import type { HeaderBlock } from '../header-block.ts';

export interface EncoderOptions {
  /** Octets of dynamic table that we are ready to keep, whatever the peer allows. */
  maxTableSize: number;
}

/** Encodes the header blocks of one direction of one connection (RFC 7541). */
export class Encoder {
  readonly #options: EncoderOptions;

  constructor(options: EncoderOptions) {
    this.#options = options;
  }

  /** The peer's SETTINGS_HEADER_TABLE_SIZE, in octets. The next block begins with the size updates it calls for (RFC 7541 section 4.2). */
  setPeerTableSize(_octets: number): void {
    void this.#options;
  }

  /** Octets that `encode()` may write for these at most. */
  bound(_block: HeaderBlock, _extra: readonly Field[] | undefined): number {
    throw new Error('not written yet');
  }

  /**
   * Writes the fields of `block`, then those of `extra`, at `target[offset...]`, where the caller made room for `bound()`.
   * @returns the offset behind the last octet.
   */
  encode(_block: HeaderBlock, _extra: readonly Field[] | undefined, _target: Buffer, _offset: number): number {
    throw new Error('not written yet');
  }
}
