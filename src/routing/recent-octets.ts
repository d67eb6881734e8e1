const SIZE = 4 * 1024 * 1024;
/** Octets that all calls together may keep outside of the ring. */
const MAX_OUTSIDE = 32 * 1024 * 1024;

/**
 * The octets last sent to backends, of all calls, in one ring: a small request is kept for a second attempt by one copy and
 * without an allocation. What is overwritten is no longer kept, and its call is not tried again. At 100,000 calls a second
 * with 100 octets each that is after 400 ms, which is long for an attempt that the backend did not even look at.
 */
export class RecentOctets {
  readonly #ring: Buffer;
  readonly #size: number;
  /** Where the next octet goes. */
  #next = 0;
  /** Octets written before the present turn. */
  #base = 0;
  #outside = 0;

  /** @param size octets */
  constructor(size: number = SIZE) {
    this.#size = size;
    this.#ring = Buffer.allocUnsafeSlow(size);
  }

  /** Keeps a copy of `source[start, end)`, at most `size` octets. @returns its place, for `get` */
  put(source: Buffer, start: number, end: number): number {
    const length = end - start;
    if (this.#next + length > this.#size) {
      this.#base += this.#size;
      this.#next = 0;
    }
    const at = this.#next;
    source.copy(this.#ring, at, start, end);
    this.#next = at + length;
    return this.#base + at;
  }

  /** What was put there, valid until the next `put`; undefined when it is overwritten, or about to be. */
  get(place: number, length: number): Buffer | undefined {
    if (place + this.#size < this.#base + this.#next) return undefined;
    const at = place % this.#size;
    return this.#ring.subarray(at, at + length);
  }

  /** Takes of what requests too long for the ring may keep in buffers of their own; `release` must follow. @returns false when there is no more */
  reserve(octets: number): boolean {
    if (this.#outside + octets > MAX_OUTSIDE) return false;
    this.#outside += octets;
    return true;
  }

  release(octets: number): void {
    this.#outside -= octets;
  }

  /** Octets reserved. */
  get outside(): number {
    return this.#outside;
  }
}
