import { STATUS_CODES } from 'node:http';

/** A request of HTTP/1. It has no body that anybody looks at. */
export interface Http1Request {
  readonly method: string;
  readonly target: string;
  readonly remoteAddress: string;
  /** The value of a header field; several are joined as RFC 9110 section 5.2 has it. @param name in lower case */
  field(name: string): string | undefined;
}

/** An answer to a request of HTTP/1; the connection is closed behind it. */
export interface Http1Answer {
  readonly status: number;
  /** Text; or pieces of at most `MAX_PIECE` octets, each of which is made when the one before is on its way. */
  readonly body: string | Iterable<Buffer>;
  /** Default: plain text. */
  readonly contentType?: string | undefined;
}

/** Octets of a piece: with what chunked coding adds, no more than a frame. */
export const MAX_PIECE = 15_360;

export const PLAIN_TEXT = 'text/plain; charset=utf-8';

/** Octets of request line and header fields; nobody who only asks whether we live needs more. */
const MAX_HEAD = 8_192;

/** A request line (RFC 9112 section 3), and the begin of one. */
const LINE = /^([A-Z][A-Z-]{0,23}) ([\x21-\x7e]+) HTTP\/1\.([01])\r?\n/;
const LINE_BEGUN = /^[A-Z][A-Z-]{0,23}(?: [\x21-\x7e]*(?: H?T?T?P?\/?1?\.?[01]?\r?)?)?$/;
const HEAD_END = /\r?\n\r?\n/;

/** What was asked, and whether chunks are understood. */
export interface Http1Asked {
  readonly method: string;
  readonly target: string;
  readonly chunked: boolean;
  readonly field: Http1Request['field'];
}

/** What was asked, or `more`: not yet known; `wrong`: this is no HTTP/1. */
export type Http1Reading = Http1Asked | 'more' | 'wrong' | 'too_large';

/** Reads the head of one request of HTTP/1, however it is cut. A body is not waited for. */
export class Http1Head {
  #text = '';

  feed(buffer: Buffer, start: number, end: number): Http1Reading {
    this.#text += buffer.latin1Slice(start, Math.min(end, start + MAX_HEAD));
    const text = this.#text;
    const line = LINE.exec(text);
    if (line === null) {
      if (!LINE_BEGUN.test(text.slice(0, MAX_HEAD))) return 'wrong';
    } else if (HEAD_END.test(text)) {
      const fields = text.slice(line[0].length, text.search(HEAD_END) + 1);
      return {
        method: line[1] ?? '',
        target: line[2] ?? '',
        chunked: line[3] === '1',
        field: (name) => readField(fields, name),
      };
    }
    return text.length >= MAX_HEAD ? 'too_large' : 'more';
  }
}

/** Looked for when somebody asks, which is rare. */
function readField(fields: string, name: string): string | undefined {
  const values: string[] = [];
  for (const line of fields.split(/\r?\n/)) {
    const colon = line.indexOf(':');
    if (colon > 0 && line.slice(0, colon).toLowerCase() === name) values.push(line.slice(colon + 1).trim());
  }
  return values.length === 0 ? undefined : values.join(', ');
}

/** The octets of an answer that is text. @param method of the request: HEAD gets no body (RFC 9110 section 9.3.2) */
export function encodeHttp1(answer: Http1Answer & { readonly body: string }, method: string): Buffer {
  const head = encodeHead(answer, `content-length: ${Buffer.byteLength(answer.body)}`);
  return Buffer.from(method === 'HEAD' ? head : head + answer.body);
}

/**
 * The pieces of an answer that is made while it is sent: chunked (RFC 9112 section 7.1), so that one that was cut short is not
 * taken for whole. HTTP/1.0 has no chunks: there its end is that of the connection.
 */
export function* encodePieces(answer: Http1Answer, asked: Pick<Http1Asked, 'method' | 'chunked'>): Generator<Buffer> {
  const { chunked, method } = asked;
  yield Buffer.from(encodeHead(answer, chunked ? 'transfer-encoding: chunked' : undefined));
  if (method === 'HEAD' || typeof answer.body === 'string') return;
  for (const piece of answer.body) {
    if (!chunked) yield piece;
    else yield Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')]);
  }
  if (chunked) yield Buffer.from('0\r\n\r\n');
}

function encodeHead({ status, contentType = PLAIN_TEXT }: Http1Answer, framing: string | undefined): string {
  const fields = [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`, `content-type: ${contentType}`];
  if (framing !== undefined) fields.push(framing);
  if (status === 401) fields.push('www-authenticate: Bearer');
  return `${fields.join('\r\n')}\r\ncache-control: no-store\r\nconnection: close\r\n\r\n`;
}
