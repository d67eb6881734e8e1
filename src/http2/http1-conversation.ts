import type { Connection } from './connection.ts';
import { encodeHttp1, encodePieces, type Http1Answer, type Http1Asked, Http1Head } from './http1.ts';

const NO_HTTP1: Http1Answer = { status: 505, body: 'this port speaks HTTP/2 (no TLS)\n' };
const NOT_ASKED = { method: '', chunked: false };

/** Milliseconds in which an answer of HTTP/1 must be made and taken. */
const HTTP1_MS = 30_000;
/** Octets of such an answer that may wait for the peer. */
const HTTP1_AHEAD = 65_536;

/** A connection whose peer speaks HTTP/1: one request, one answer, and the end. */
export class Http1Conversation {
  readonly #connection: Connection;
  readonly #head = new Http1Head();
  /** What is left of a long answer. */
  #pieces: Iterator<Buffer> | undefined = undefined;

  /** @param begun what was read before it was known */
  constructor(connection: Connection, begun?: Buffer) {
    this.#connection = connection;
    if (begun !== undefined) this.#head.feed(begun, 0, begun.length);
  }

  /** @returns false when this is no HTTP/1 either */
  read(buffer: Buffer, start: number, end: number): boolean {
    const request = this.#head.feed(buffer, start, end);
    if (request === 'wrong') return false;
    if (request === 'too_large') this.#answer({ status: 431, body: 'the request is too long\n' }, NOT_ASKED);
    else if (request !== 'more') this.#ask(request);
    return true;
  }

  /** The request takes too long. */
  giveUp(): void {
    this.#answer({ status: 408, body: 'the request did not come\n' }, NOT_ASKED);
  }

  /**
   * Sends the next piece of a long answer: one a turn, since the output says that there is room once a turn.
   * @returns false when there is no such answer
   */
  pump(): boolean {
    const connection = this.#connection;
    const pieces = this.#pieces;
    if (pieces === undefined) return false;
    if (connection.unsent > HTTP1_AHEAD) return true;
    try {
      const { value, done } = pieces.next();
      if (value !== undefined) connection.sender.writeRaw(value);
      if (done !== true) return true;
      this.#pieces = undefined;
      connection.end();
    } catch (error) {
      connection.owner.onError(error);
      connection.destroy();
    }
    return true;
  }

  /** The socket is closed. */
  close(): void {
    this.#pieces?.return?.();
    this.#pieces = undefined;
  }

  #ask(asked: Http1Asked): void {
    const connection = this.#connection;
    const { remoteAddress } = connection.info;
    const answer = connection.owner.onHttp1?.({ ...asked, remoteAddress }) ?? NO_HTTP1;
    if (!(answer instanceof Promise)) {
      this.#answer(answer, asked);
      return;
    }
    // Nothing more is read, and nothing else may end the connection but the time.
    connection.state = 'closing';
    connection.watch.closeWithin(HTTP1_MS);
    answer.then(
      (made) => this.#answer(made, asked),
      (error: unknown) => {
        connection.owner.onError(error);
        connection.destroy();
      },
    );
  }

  #answer(answer: Http1Answer, asked: Pick<Http1Asked, 'method' | 'chunked'>): void {
    const connection = this.#connection;
    if (connection.state === 'closed') return;
    const { body } = answer;
    connection.state = 'closing';
    if (typeof body === 'string') {
      connection.sender.writeRaw(encodeHttp1({ ...answer, body }, asked.method));
      connection.end();
      return;
    }
    this.#pieces = encodePieces(answer, asked);
    connection.watch.closeWithin(HTTP1_MS);
    this.pump();
  }
}
