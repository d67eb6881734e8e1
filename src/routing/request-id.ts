const HEX: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));
const POOL = 4096;
const CLIENT_ID = /^[A-Za-z0-9._~-]{8,128}$/;

/** Sources of a `RequestIds`; arguments so that tests can fix them. */
export interface RequestIdSources {
  /** Unix milliseconds. */
  now(): number;
  /** Fills the buffer with random octets from a cryptographic source. */
  fillRandom(buffer: Uint8Array): void;
}

/** Makes UUIDs of version 7 (RFC 9562 section 5.7): 48 bits of Unix milliseconds, then 74 random bits. */
export class RequestIds {
  readonly #sources: RequestIdSources;
  /** Random octets are drawn in bulk: a draw per id costs ten times the id. */
  readonly #random = new Uint8Array(POOL);
  #used = POOL;
  #lastMs = -1;
  #prefix = '';

  constructor(sources: RequestIdSources) {
    this.#sources = sources;
  }

  next(): string {
    if (this.#used + 10 > POOL) {
      this.#sources.fillRandom(this.#random);
      this.#used = 0;
    }
    const r = this.#random;
    const i = this.#used;
    this.#used = i + 10;
    return (
      this.#time() +
      HEX[0x70 | (r[i]! & 0x0f)] +
      HEX[r[i + 1]!] +
      '-' +
      HEX[0x80 | (r[i + 2]! & 0x3f)] +
      HEX[r[i + 3]!] +
      '-' +
      HEX[r[i + 4]!] +
      HEX[r[i + 5]!] +
      HEX[r[i + 6]!] +
      HEX[r[i + 7]!] +
      HEX[r[i + 8]!] +
      HEX[r[i + 9]!]
    );
  }

  /** The first 13 digits, kept for as long as the millisecond lasts. */
  #time(): string {
    const now = this.#sources.now();
    if (now !== this.#lastMs) {
      this.#lastMs = now;
      const digits = now.toString(16).padStart(12, '0');
      this.#prefix = `${digits.slice(0, 8)}-${digits.slice(8)}-`;
    }
    return this.#prefix;
  }
}

/** Whether a client's own id may be kept: 8 to 128 unreserved characters, so that it is harmless in logs and headers. */
export function isRequestId(text: string): boolean {
  return CLIENT_ID.test(text);
}
