import type { Stream } from '../http2/index.ts';

const FIRST = 1024;

/**
 * DATA that came before it was decided where the call goes. Packed into one buffer, so that it takes what its octets take,
 * whatever the sizes of its frames; the client's window bounds it.
 */
export class HeldData {
  /** One that always lives (see `Specimen`), and holds nothing. */
  static readonly specimen = new HeldData();
  #octets = Buffer.alloc(0);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Appends a copy of `source[start, end)`. */
  push(source: Buffer, start: number, end: number): void {
    const needed = this.#length + end - start;
    if (needed > this.#octets.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(FIRST, needed, 2 * this.#octets.length));
      this.#octets.copy(grown, 0, 0, this.#length);
      this.#octets = grown;
    }
    source.copy(this.#octets, this.#length, start, end);
    this.#length = needed;
  }

  /** Sends everything. @returns octets taken at once */
  release(stream: Pick<Stream, 'sendData'>, endStream: boolean): number {
    return stream.sendData(this.#octets, 0, this.#length, endStream);
  }
}
