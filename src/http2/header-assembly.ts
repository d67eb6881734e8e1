import { ErrorCode } from './error-code.ts';
import { ConnectionError } from './errors.ts';
import { Flag } from './frame.ts';
import type { Limits } from './limits.ts';

/** A header block over several frames (RFC 9113 section 4.3), bounded in octets and in frames (CVE-2024-27316). */
export class HeaderAssembly {
  /** The stream whose CONTINUATION must come next; 0 for none. */
  id = 0;
  /** END_STREAM stood on the HEADERS frame. */
  endStream = false;
  /** Blocks begun. */
  count = 0;
  #parts: Buffer[] = [];
  #octets = 0;
  readonly #limits: Limits;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** HEADERS came without END_HEADERS. */
  begin(id: number, endStream: boolean, fragment: Buffer): void {
    this.id = id;
    this.count++;
    this.endStream = endStream;
    this.#parts = [Buffer.from(fragment)];
    this.#octets = fragment.length;
  }

  /**
   * CONTINUATION came.
   * @returns the whole block with its last frame
   * @throws ConnectionError
   */
  add(id: number, flags: number, fragment: Buffer): Buffer | undefined {
    if (this.id === 0 || id !== this.id) {
      throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, 'CONTINUATION out of place (section 6.10)');
    }
    this.#octets += fragment.length;
    const ends = (flags & Flag.END_HEADERS) !== 0;
    // With the HEADERS frame's, the parts are as many as CONTINUATION frames have come.
    const tooMany = !ends && this.#parts.length >= this.#limits.maxContinuations;
    if (tooMany || this.#octets > this.#limits.maxHeaderBlock) {
      throw new ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, 'header block too long (section 10.5.1)', 'continuation');
    }
    this.#parts.push(Buffer.from(fragment));
    if (!ends) return undefined;
    const block = Buffer.concat(this.#parts);
    this.#parts = [];
    this.id = 0;
    return block;
  }
}
