import { PREFACE } from './frame.ts';

/** Reads the 24 octets that a client sends first (RFC 9113 section 3.4), however they are cut. */
export class PrefaceReader {
  #seen = 0;

  get done(): boolean {
    return this.#seen === PREFACE.length;
  }

  /** What earlier reads had of it. */
  get begun(): Buffer {
    return PREFACE.subarray(0, this.#seen);
  }

  /** @returns where the rest begins; -1 when an octet of this read is wrong. */
  read(buffer: Buffer, start: number, end: number): number {
    let at = start;
    let seen = this.#seen;
    while (at < end && seen < PREFACE.length) if (buffer[at++] !== PREFACE[seen++]) return -1;
    this.#seen = seen;
    return at;
  }
}
