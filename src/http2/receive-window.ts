/**
 * What a peer may send on a connection before we give it back. An update is due whenever half of the window was taken: fewer
 * frames than one for each DATA, and never so late that the peer stands still while octets are taken.
 */
export class ReceiveWindow {
  readonly #size: number;
  /** Octets that the peer may still send. */
  #left: number;
  /** Octets taken and not yet given back. */
  #owed = 0;

  /** @param left what the peer has from the start, at most `size`; the rest is owed. */
  constructor(size: number, left: number) {
    this.#size = size;
    this.#left = left;
    this.#owed = size - left;
  }

  get left(): number {
    return this.#left;
  }

  get owed(): number {
    return this.#owed;
  }

  /** The peer sent `octets`. @returns whether it was allowed to. */
  receive(octets: number): boolean {
    this.#left -= octets;
    return this.#left >= 0;
  }

  /** `octets` were taken. @returns an increment to announce, or 0. */
  consume(octets: number): number {
    this.#owed += octets;
    return this.#owed < this.#size >>> 1 ? 0 : this.announce();
  }

  /** @returns all that is owed, as an increment to announce now; 0 for nothing. */
  announce(): number {
    if (this.#owed <= 0) return 0;
    const increment = this.#owed;
    this.#left += increment;
    this.#owed = 0;
    return increment;
  }
}
