import {
  ErrorCode,
  HeaderBlock,
  type Http1Answer,
  PLAIN_TEXT,
  type Stream,
  type StreamHandler,
} from '../http2/index.ts';
import { HEADER_NAMES } from './header-names.ts';
import { IGNORE } from './not-grpc.ts';

/** Octets of a long answer that may wait for the peer's windows. */
const MAX_QUEUED = 65_536;
const EMPTY = Buffer.alloc(0);

/** Answers plain HTTP in HTTP/2. @returns the handler of what follows on the stream */
export function answerPlain(stream: Stream, answer: Http1Answer | Promise<Http1Answer>): StreamHandler {
  if (!(answer instanceof Promise)) return send(stream, answer);
  // Whoever answers with a promise has said why when it is broken.
  answer.then(
    (made) => {
      stream.handler = send(stream, made);
    },
    () => stream.reset(ErrorCode.INTERNAL_ERROR),
  );
  return IGNORE;
}

function send(stream: Stream, { status, body, contentType = PLAIN_TEXT }: Http1Answer): StreamHandler {
  const fields = [
    HEADER_NAMES.field(':status', String(status)),
    HEADER_NAMES.field('content-type', contentType),
    HEADER_NAMES.field('cache-control', 'no-store'),
  ];
  if (status === 401) fields.push(HEADER_NAMES.field('www-authenticate', 'Bearer'));
  stream.sendHeaders(new HeaderBlock(fields), undefined, false);
  if (typeof body !== 'string') return new Pieces(stream, body[Symbol.iterator]());
  const octets = Buffer.from(body);
  stream.sendData(octets, 0, octets.length, true);
  return IGNORE;
}

/** Sends an answer piece by piece, one a turn, and no faster than the peer takes it. */
class Pieces implements StreamHandler {
  readonly #stream: Stream;
  readonly #pieces: Iterator<Buffer>;
  #scheduled = false;
  #over = false;

  constructor(stream: Stream, pieces: Iterator<Buffer>) {
    this.#stream = stream;
    this.#pieces = pieces;
    this.#schedule();
  }

  onHeaders(): void {}

  onData(stream: Stream, _buffer: Buffer, start: number, end: number): void {
    stream.consume(end - start);
  }

  onTrailers(): void {}

  onSent(): void {
    this.#schedule();
  }

  onReset(): void {
    this.#over = true;
    this.#pieces.return?.();
  }

  #schedule(): void {
    if (this.#scheduled || this.#over || this.#stream.queued > MAX_QUEUED) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#next();
    });
  }

  #next(): void {
    if (this.#over) return;
    try {
      const { value = EMPTY, done = false } = this.#pieces.next();
      this.#over = done;
      this.#stream.sendData(value, 0, value.length, done);
      this.#schedule();
    } catch {
      this.#over = true;
      this.#stream.reset(ErrorCode.INTERNAL_ERROR);
    }
  }
}
