import type { Connection } from './connection.ts';
import { EngineStream, State } from './engine-stream.ts';
import { ErrorCode } from './error-code.ts';
import { ConnectionError } from './errors.ts';
import { Field } from './field.ts';
import { HeaderBlock } from './header-block.ts';
import { Decoder } from './hpack/decoder.ts';
import { IGNORE_EVENTS } from './ignore-events.ts';
import { checkHeaders, Verdict } from './validate-headers.ts';

/** The answer to a request whose header list is above the limit (RFC 6585 section 5). */
const TOO_LARGE = new HeaderBlock([new Field(':status', '431'), new Field('content-length', '0')]);

/** What a field takes besides its octets. */
const FIELD_MEMORY = 64;

/** Complete header blocks: decodes them, in order, whatever becomes of them, since they share HPACK's state. */
export class HeaderReceiver {
  #decoder: Decoder | undefined = undefined;
  #packed: string | undefined;
  #acknowledged: boolean;
  /** How many times too large the block is. */
  #excess = 0;
  readonly #connection: Connection;

  /**
   * @param acknowledged our SETTINGS were, by now
   * @param packed the table that an earlier one has left
   */
  constructor(connection: Connection, acknowledged: boolean, packed?: string) {
    this.#connection = connection;
    this.#acknowledged = acknowledged;
    this.#packed = packed;
  }

  /** What is kept of the decoder while the connection is idle; undefined for nothing, and while there is one. */
  get packed(): string | undefined {
    return this.#packed;
  }

  /** Our SETTINGS were acknowledged. */
  settingsAcknowledged(): void {
    this.#acknowledged = true;
    this.#decoder?.settingsAcknowledged();
  }

  /** The connection is idle: gives up what only saves time. */
  trim(): void {
    if (this.#decoder?.isFresh === false) this.#packed = this.#decoder.pack();
    this.#decoder = undefined;
  }

  /** Nothing more comes. */
  close(): void {
    this.#decoder = this.#packed = undefined;
  }

  /** Made for the first block, and for the first after a while: most connections are idle. */
  #makeDecoder(): Decoder {
    const { settings, limits, names } = this.#connection;
    const decoder = new Decoder({
      maxTableSize: settings.headerTableSize,
      maxListSize: settings.maxHeaderListSize,
      maxFields: limits.maxHeaderFields,
      names,
    });
    if (this.#acknowledged) decoder.settingsAcknowledged();
    if (this.#packed !== undefined) decoder.unpack(this.#packed);
    this.#packed = undefined;
    this.#decoder = decoder;
    return decoder;
  }

  /** @throws ConnectionError, HpackError */
  onBlock(id: number, endStream: boolean, buffer: Buffer, start: number, end: number): void {
    const decoder = this.#decoder ?? this.#makeDecoder();
    const block = decoder.decode(buffer, start, end);
    if (block === 'too_large') this.#excess = decoder.excess;
    const stream = this.#connection.streams.get(id);
    if (stream === undefined) {
      if (this.#connection.server && this.#connection.isIdle(id)) this.#onRequest(id, block, endStream, end - start);
      else this.#onAbsent(id);
    } else if ((stream.state & State.REMOTE_ENDED) !== 0) {
      this.#connection.streamError(id, stream, ErrorCode.STREAM_CLOSED); // Half-closed (section 5.1).
    } else if (block === 'too_large') {
      this.#connection.flood.countReset('header_list', this.#excess);
      this.#connection.streamError(id, stream, ErrorCode.PROTOCOL_ERROR);
    } else if (this.#connection.server || (stream.state & State.HEADERS_RECEIVED) !== 0) {
      this.#onTrailers(stream, block, endStream);
    } else {
      this.#onResponse(stream, block, endStream);
    }
  }

  #onAbsent(id: number): void {
    const connection = this.#connection;
    if (connection.isIdle(id)) {
      throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, 'HEADERS on an idle stream (section 5.1)');
    }
    if (connection.recentResets.has(id) || connection.ignores(id)) {
      connection.flood.countControl('closed_stream');
      return;
    }
    if (connection.recentResets.mayHaveForgotten(id)) connection.streamError(id, undefined, ErrorCode.STREAM_CLOSED);
    else throw new ConnectionError(ErrorCode.STREAM_CLOSED, 'HEADERS on a closed stream (section 5.1)');
  }

  /** @param octets of the compressed block */
  #onRequest(id: number, block: HeaderBlock | 'too_large', endStream: boolean, octets: number): void {
    const connection = this.#connection;
    if ((id & 1) === 0) {
      throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, 'a client opened an even stream (section 5.1.1)');
    }
    connection.lastPeerId = id;
    if (connection.ignores(id)) {
      connection.flood.countControl('closed_stream');
      return;
    }
    if (connection.streams.count >= connection.settings.maxConcurrentStreams) {
      connection.reportFlood('streams');
      connection.streamError(id, undefined, ErrorCode.REFUSED_STREAM); // Section 5.1.2.
      return;
    }
    const memory = block === 'too_large' ? 0 : octets + FIELD_MEMORY * block.fields.length;
    if (connection.headerMemory + memory > connection.limits.maxHeaderMemory) {
      connection.reportFlood('header_memory');
      connection.streamError(id, undefined, ErrorCode.REFUSED_STREAM);
      return;
    }
    const malformed = block !== 'too_large' && (checkHeaders(block) & Verdict.REQUEST) === 0;
    if (malformed || (block !== 'too_large' && endStream && block.contentLength > 0)) {
      connection.streamError(id, undefined, ErrorCode.PROTOCOL_ERROR); // Section 8.1.1.
      return;
    }
    const stream = new EngineStream(IGNORE_EVENTS);
    if (endStream) stream.state |= State.REMOTE_ENDED;
    connection.attach(stream, id);
    stream.headerMemory = memory;
    connection.headerMemory += memory;
    if (block === 'too_large') {
      // A bomb, which stands for hundreds of times its size, counts as hundreds.
      connection.flood.countReset('header_list', this.#excess);
      connection.flood.countAnswer();
      if (connection.owner.onTooLarge === undefined) stream.sendHeaders(TOO_LARGE, undefined, true);
      else connection.owner.onTooLarge(stream);
      return;
    }
    stream.expected = block.contentLength;
    if (connection.flood.holds) connection.hold(stream, block, endStream);
    else stream.handler = connection.owner.onRequest(stream, block, endStream);
  }

  #onResponse(stream: EngineStream, block: HeaderBlock, endStream: boolean): void {
    const malformed = (checkHeaders(block) & Verdict.RESPONSE) === 0;
    // 101 does not exist in HTTP/2 (section 8.6); an informational response does not end the stream (section 8.1).
    if (malformed || block.status === 101 || (block.status < 200 && endStream)) {
      this.#connection.streamError(stream.id, stream, ErrorCode.PROTOCOL_ERROR);
      return;
    }
    if (block.status < 200) {
      this.#connection.flood.countControl('other_frames');
      return;
    }
    stream.state |= State.HEADERS_RECEIVED;
    // Without content `content-length` may stand all the same: answers to HEAD, 204 and 304 (section 8.1.1).
    if (!endStream) stream.expected = block.status === 204 || block.status === 304 ? -1 : block.contentLength;
    else stream.state |= State.REMOTE_ENDED;
    stream.handler.onHeaders(stream, block, endStream);
    if (endStream) stream.endRemote();
  }

  #onTrailers(stream: EngineStream, block: HeaderBlock, endStream: boolean): void {
    const malformed = (checkHeaders(block) & Verdict.TRAILERS) === 0;
    if (malformed || !endStream || stream.expected > 0) {
      this.#connection.streamError(stream.id, stream, ErrorCode.PROTOCOL_ERROR); // Section 8.1.
      return;
    }
    stream.state |= State.REMOTE_ENDED;
    stream.handler.onTrailers(stream, block);
    stream.endRemote();
  }
}
