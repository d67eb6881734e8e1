import {
  type Client,
  type ConnectionInfo,
  ErrorCode,
  type ExtraField,
  Field,
  type HeaderBlock,
  Indexing,
  ResetCause,
  type Stream,
  type StreamHandler,
} from '../http2/index.ts';
import { Kind } from './header-names.ts';

/** Tells a service of the gateway under which number its answer can be written directly. */
export const DIRECT_HEADER = 'x-tollgate-direct';
/** Octets that go out in one turn of the event loop: what they take, 30 us or so, is what a call waits that comes meanwhile. */
const PIECE = 32_768;
const GZIP = /(?:^|,)\s*gzip\s*(?:,|$)/;

/** Writes the messages of one answer, which are not the wire's: they are those of its stream. */
export interface DirectWriter {
  /** The client takes messages that are compressed by gzip (gRPC over HTTP/2, `grpc-accept-encoding`). */
  readonly acceptsGzip: boolean;
  /** All that was written before was taken, or the stream is gone. */
  readonly isReady: boolean;
  /** @param octets a message with its prefix, which must not change any more; only when `isReady` */
  write(octets: Buffer): void;
}

/**
 * The way past the wire for answers of the gateway's own services. They are servers on a socket, as any backend, and their
 * calls go there and back; but what one tells many clients, all the same octets, would go through the kernel, HTTP/2 and
 * another copy for each of them, in the thread that all calls wait for. So a call's stream is known here by a number that the
 * service is told, and the service may write to it what it would have written to the wire.
 */
export class DirectAnswers {
  readonly #onError: (error: unknown) => void;
  readonly #streams = new Map<string, DirectStream>();
  #last = 0;

  /** @param onError something of ours threw: it has ended one call */
  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  /** `Client.request` for a call whose answer may be written directly. */
  request(
    client: Pick<Client, 'request'>,
    handler: StreamHandler,
    block: HeaderBlock,
    extra: readonly ExtraField[],
    endStream: boolean,
  ): Stream {
    const number = String(++this.#last);
    const acceptsGzip = GZIP.test(block.get('grpc-accept-encoding') ?? '');
    const stream = new DirectStream(handler, acceptsGzip, this.#onError, () => this.#streams.delete(number));
    this.#streams.set(number, stream);
    const told = new Field(DIRECT_HEADER, number, Kind.RESERVED, Indexing.SKIP);
    stream.begin(client.request(stream, block, [...extra, told], endStream));
    return stream;
  }

  /** @param number what the service was told @returns undefined when the call is over */
  writerOf(number: string): DirectWriter | undefined {
    return this.#streams.get(number);
  }
}

/** A stream to a service, and what the service writes past it: its user sees one stream. */
class DirectStream implements Stream, StreamHandler, DirectWriter {
  handler: StreamHandler;
  readonly acceptsGzip: boolean;
  readonly #onError: (error: unknown) => void;
  readonly #onGone: () => void;
  #wire: Stream | undefined = undefined;
  #answered = false;
  #gone = false;
  /** What is being sent, up to where it was given, and how much of that was not taken yet. */
  #octets: Buffer | undefined = undefined;
  #at = 0;
  #given = 0;
  #soon: NodeJS.Immediate | undefined = undefined;
  /** They wait for what was written before them. */
  #trailers: HeaderBlock | undefined = undefined;

  constructor(handler: StreamHandler, acceptsGzip: boolean, onError: (error: unknown) => void, onGone: () => void) {
    this.handler = handler;
    this.acceptsGzip = acceptsGzip;
    this.#onError = onError;
    this.#onGone = onGone;
  }

  begin(wire: Stream): void {
    this.#wire = wire;
  }

  // As its writer sees it.

  get isReady(): boolean {
    return this.#octets === undefined;
  }

  write(octets: Buffer): void {
    if (this.#gone) return;
    this.#octets = octets;
    this.#at = 0;
    if (this.#answered) this.#tryGive();
  }

  /** The next piece, or what comes behind the last. */
  #give(): void {
    const octets = this.#octets;
    if (octets !== undefined && this.#at < octets.length) {
      const begin = this.#at;
      this.#at = Math.min(begin + PIECE, octets.length);
      this.#given = this.#at - begin;
      this.handler.onData(this, octets, begin, this.#at, false);
      return;
    }
    this.#octets = undefined;
    const trailers = this.#trailers;
    this.#trailers = undefined;
    if (trailers !== undefined) this.handler.onTrailers(this, trailers);
  }

  /** What was given before was taken. */
  #giveSoon(): void {
    this.#soon ??= setImmediate(() => {
      this.#soon = undefined;
      this.#tryGive();
    });
  }

  #tryGive(): void {
    try {
      this.#give();
    } catch (error) {
      // Nobody else would catch it, and the process would end.
      this.#onError(error);
      this.reset(ErrorCode.INTERNAL_ERROR);
      this.handler.onReset(this, ErrorCode.INTERNAL_ERROR, ResetCause.CONNECTION);
    }
  }

  #close(): void {
    this.#gone = true;
    this.#onGone();
    clearImmediate(this.#soon);
    this.#octets = undefined;
    this.#trailers = undefined;
  }

  // As its user sees it.

  get id(): number {
    return this.#wire?.id ?? 0;
  }

  get queued(): number {
    return this.#wire?.queued ?? 0;
  }

  get connection(): ConnectionInfo | undefined {
    return this.#wire?.connection;
  }

  sendHeaders(block: HeaderBlock, extra: readonly ExtraField[] | undefined, endStream: boolean): void {
    this.#wire?.sendHeaders(block, extra, endStream);
  }

  sendData(buffer: Buffer, start: number, end: number, endStream: boolean): number {
    return this.#wire?.sendData(buffer, start, end, endStream) ?? 0;
  }

  sendTrailers(block: HeaderBlock, extra: readonly ExtraField[] | undefined): void {
    this.#wire?.sendTrailers(block, extra);
  }

  consume(octets: number): void {
    const direct = Math.min(octets, this.#given);
    this.#given -= direct;
    if (octets > direct) this.#wire?.consume(octets - direct);
    if (direct === 0 || this.#given > 0) return;
    if (this.#at === this.#octets?.length && this.#trailers === undefined) this.#octets = undefined;
    else this.#giveSoon();
  }

  reset(code: ErrorCode): void {
    this.#close();
    this.#wire?.reset(code);
  }

  // What comes over the wire.

  onHeaders(_wire: Stream, block: HeaderBlock, endStream: boolean): void {
    if (endStream) this.#close();
    this.handler.onHeaders(this, block, endStream);
    this.#answered = true;
    if (this.#octets !== undefined) this.#giveSoon();
  }

  onData(_wire: Stream, buffer: Buffer, start: number, end: number, endStream: boolean): void {
    if (endStream) this.#close();
    this.handler.onData(this, buffer, start, end, endStream);
  }

  onTrailers(_wire: Stream, block: HeaderBlock): void {
    this.#onGone();
    this.#trailers = block;
    if (this.#octets === undefined) this.#give();
  }

  onSent(_wire: Stream, octets: number): void {
    this.handler.onSent(this, octets);
  }

  onReset(_wire: Stream, code: ErrorCode, cause: ResetCause): void {
    this.#close();
    this.handler.onReset(this, code, cause);
  }
}
