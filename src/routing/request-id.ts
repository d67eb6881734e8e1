/** ASCII of the hexadecimal digits. */
const HEX = Uint8Array.from('0123456789abcdef', (digit) => digit.charCodeAt(0));
const ID_LENGTH = 36;
/** Where an id has the octets behind its time: two digits each. */
const PLACES: readonly number[] = [14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
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
  /** The id before, which differs from the next in its random digits, and once in a millisecond in its time. */
  readonly #text = Buffer.from('00000000-0000-7000-8000-000000000000', 'latin1');

  constructor(sources: RequestIdSources) {
    this.#sources = sources;
  }

  next(): string {
    if (this.#used + PLACES.length > POOL) {
      this.#sources.fillRandom(this.#random);
      this.#used = 0;
    }
    this.#writeTime();
    const text = this.#text;
    for (let i = 0; i < PLACES.length; i++) {
      let octet = this.#random[this.#used + i]!;
      if (i === 0) octet = 0x70 | (octet & 0x0f);
      else if (i === 2) octet = 0x80 | (octet & 0x3f);
      const place = PLACES[i]!;
      text[place] = HEX[octet >>> 4]!;
      text[place + 1] = HEX[octet & 0x0f]!;
    }
    this.#used += PLACES.length;
    // One string of the right size: concatenation made a tree of 17, 400 octets of garbage a call.
    return text.latin1Slice(0, ID_LENGTH);
  }

  /** The first 12 digits, kept for as long as the millisecond lasts. */
  #writeTime(): void {
    const now = this.#sources.now();
    if (now === this.#lastMs) return;
    this.#lastMs = now;
    const digits = now.toString(16).padStart(12, '0');
    this.#text.latin1Write(digits.slice(0, 8), 0);
    this.#text.latin1Write(digits.slice(8), 9);
  }
}

/** Whether a client's own id may be kept: 8 to 128 unreserved characters, so that it is harmless in logs and headers. */
export function isRequestId(text: string): boolean {
  return CLIENT_ID.test(text);
}
