import { PREFACE } from './frame.ts';

const HTTP1_ANSWER = Buffer.from(
  'HTTP/1.1 505 HTTP Version Not Supported\r\ncontent-type: text/plain\r\ncontent-length: 33\r\nconnection: close\r\n\r\n' +
    'this port speaks HTTP/2 (no TLS)\n',
  'latin1',
);

/** What a request line of HTTP/1 ends with; looked for in what came with the first wrong octet. */
const HTTP1_MARK = ' HTTP/1.';

/** Reads the 24 octets that a client sends first (RFC 9113 section 3.4), however they are cut. */
export class PrefaceReader {
  /** What to tell a client of HTTP/1. */
  readonly http1Answer = HTTP1_ANSWER;
  #seen = 0;

  get done(): boolean {
    return this.#seen === PREFACE.length;
  }

  /** @returns where the rest begins; `http1` when it looks like a request of HTTP/1, `wrong` for anything else. */
  read(buffer: Buffer, start: number, end: number): number | 'http1' | 'wrong' {
    let at = start;
    while (at < end && this.#seen < PREFACE.length) {
      const octet = buffer[at]!;
      if (octet !== PREFACE[this.#seen]) {
        return buffer.subarray(at, end).includes(HTTP1_MARK) ? 'http1' : 'wrong';
      }
      this.#seen++;
      at++;
    }
    return at;
  }
}
