import type { NameTable } from '../field.ts';
import type { HeaderBlock } from '../header-block.ts';

export interface DecoderOptions {
  /** SETTINGS_HEADER_TABLE_SIZE that we announce, in octets. */
  maxTableSize: number;
  /** Uncompressed octets (RFC 7541 section 4.1) that a block may have. */
  maxListSize: number;
  /** Fields that a block may have. */
  maxFields: number;
  names: NameTable;
}

/** Decodes the header blocks of one direction of one connection (RFC 7541). */
export class Decoder {
  readonly #options: DecoderOptions;

  constructor(options: DecoderOptions) {
    this.#options = options;
  }

  /**
   * The peer acknowledged our SETTINGS: from now on `maxTableSize` binds it. (Until then it may use the initial 4,096
   * octets. Only a `maxTableSize` below that makes a difference.)
   */
  settingsAcknowledged(): void {
    void this.#options;
  }

  /**
   * Decodes one complete header block, `buffer[start, end)`; nothing of the buffer is kept.
   * @returns the block; the same object for the same octets while the dynamic table is unchanged. `'too_large'` when it is
   *   above `maxListSize` or `maxFields`: the dynamic table is right all the same, and the connection can go on.
   * @throws HpackError
   */
  decode(_buffer: Buffer, _start: number, _end: number): HeaderBlock | 'too_large' {
    throw new Error('not written yet');
  }
}
