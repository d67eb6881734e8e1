import { STATUS_CODES } from 'node:http';

/** An answer to a request of HTTP/1: plain text, and the connection is closed behind it. */
export interface Http1Answer {
  readonly status: number;
  readonly body: string;
}

/** Octets of request line and header fields; nobody who only asks whether we live needs more. */
const MAX_HEAD = 8_192;

/** A request line (RFC 9112 section 3), and the begin of one. */
const LINE = /^([A-Z][A-Z-]{0,23}) ([\x21-\x7e]+) HTTP\/1\.[01]\r?\n/;
const LINE_BEGUN = /^[A-Z][A-Z-]{0,23}(?: [\x21-\x7e]*(?: H?T?T?P?\/?1?\.?[01]?\r?)?)?$/;
const HEAD_END = /\r?\n\r?\n/;

/** What was asked, or `more`: not yet known; `wrong`: this is no HTTP/1. */
export type Http1Reading = { readonly method: string; readonly target: string } | 'more' | 'wrong' | 'too_large';

/** Reads the head of one request of HTTP/1, however it is cut. Its fields are not looked at, a body is not waited for. */
export class Http1Head {
  #text = '';

  feed(buffer: Buffer, start: number, end: number): Http1Reading {
    this.#text += buffer.latin1Slice(start, Math.min(end, start + MAX_HEAD));
    const line = LINE.exec(this.#text);
    if (line === null) {
      if (!LINE_BEGUN.test(this.#text.slice(0, MAX_HEAD))) return 'wrong';
    } else if (HEAD_END.test(this.#text)) {
      return { method: line[1] ?? '', target: line[2] ?? '' };
    }
    return this.#text.length >= MAX_HEAD ? 'too_large' : 'more';
  }
}

/** The octets of an answer. @param method of the request: HEAD gets no body (RFC 9110 section 9.3.2) */
export function encodeHttp1({ status, body }: Http1Answer, method: string): Buffer {
  const head =
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\ncontent-type: text/plain; charset=utf-8\r\n` +
    `content-length: ${Buffer.byteLength(body)}\r\ncache-control: no-store\r\nconnection: close\r\n\r\n`;
  return Buffer.from(method === 'HEAD' ? head : head + body);
}
