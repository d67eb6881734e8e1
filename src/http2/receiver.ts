import type { Connection } from './connection.ts';
import { ControlReceiver } from './control-receiver.ts';
import { type EngineStream, State } from './engine-stream.ts';
import { ErrorCode } from './error-code.ts';
import { ConnectionError } from './errors.ts';
import { Flag, FrameType } from './frame.ts';
import type { FrameSink } from './frame-reader.ts';
import { HeaderAssembly } from './header-assembly.ts';
import { HeaderReceiver } from './header-receiver.ts';
import { ResetCause } from './stream.ts';

/** The weight of a DATA frame for a stream that is gone. */
const IN_FLIGHT = 1 / 16;

/**
 * What one connection receives: tells frames apart, holds them against the states of RFC 9113 section 5.1 and accounts DATA
 * for both windows. Header blocks and connection-level frames have files of their own.
 */
export class Receiver implements FrameSink {
  readonly #connection: Connection;
  /** Made for the first block: most connections are idle. */
  #headers: HeaderReceiver | undefined = undefined;
  readonly #control: ControlReceiver;
  /** Made for the first block over several frames: hardly any connection has one. */
  #assembly: HeaderAssembly | undefined = undefined;
  /** The stream of the DATA frame being read; undefined where its octets are thrown away. */
  #current: EngineStream | undefined = undefined;
  #currentEnds = false;
  #currentLeft = 0;

  constructor(connection: Connection) {
    this.#connection = connection;
    this.#control = new ControlReceiver(connection);
  }

  /** The peer's first SETTINGS have come. */
  get settled(): boolean {
    return this.#control.settled;
  }

  /** The connection is idle: gives up what only saves time. */
  trim(): void {
    this.#headers?.trim();
  }

  /** Nothing more comes. */
  close(): void {
    this.#headers?.close();
  }

  /** The preface is exchanged, and no header block has begun that has not come to its end. */
  get isAtRest(): boolean {
    return this.settled && this.acknowledged && this.openBlock === 0;
  }

  /** What has to be kept of the header blocks so far, once `trim` was called. */
  get packedTable(): string | undefined {
    return this.#headers?.packed;
  }

  /** Goes on where another one was at rest. */
  restore(packedTable: string | undefined): void {
    this.#control.settled = this.#control.acknowledged = true;
    if (packedTable !== undefined) this.#headers = new HeaderReceiver(this.#connection, true, packedTable);
  }

  /** A stream is gone: nothing of it is kept. */
  forget(stream: EngineStream): void {
    if (this.#current === stream) this.#current = undefined;
  }

  /** Of the control frames: our SETTINGS were acknowledged just now. */
  onAcknowledged(): void {
    this.#headers?.settingsAcknowledged();
  }

  /** Our SETTINGS were acknowledged. */
  get acknowledged(): boolean {
    return this.#control.acknowledged;
  }

  /** The number of the header block over several frames that is being received; 0 for none. */
  get openBlock(): number {
    return this.#assembly === undefined || this.#assembly.id === 0 ? 0 : this.#assembly.count;
  }

  onFrame(type: number, flags: number, id: number, buffer: Buffer, start: number, end: number): void {
    this.#checkOrder(type);
    switch (type) {
      case FrameType.HEADERS:
        this.#onHeaders(flags, id, buffer, start, end);
        break;
      case FrameType.CONTINUATION:
        this.#onContinuation(flags, id, buffer.subarray(start, end));
        break;
      case FrameType.RST_STREAM:
        this.#onReset(id, buffer, start, end);
        break;
      default:
        this.#control.onFrame(type, flags, id, buffer, start, end);
    }
  }

  onDataStart(flags: number, id: number, length: number): void {
    this.#checkOrder(FrameType.DATA);
    const connection = this.#connection;
    if (id === 0) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, 'DATA on stream 0 (section 6.1)');
    if (!connection.receiveWindow.receive(length)) {
      throw new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, 'connection window exceeded (section 6.9.1)');
    }
    const ends = (flags & Flag.END_STREAM) !== 0;
    if (length === 0 && !ends) connection.flood.countControl('empty_data');
    const stream = connection.streams.get(id);
    const error = stream === undefined ? this.#absent(id) : this.#refusal(stream, length);
    if (stream === undefined || error !== ErrorCode.NO_ERROR) {
      this.#current = undefined;
      connection.consume(length);
      // What was under way when we reset a stream is no fault: a window of small frames, for many streams at once.
      if (error === ErrorCode.NO_ERROR) connection.flood.countControl('closed_stream', IN_FLIGHT);
      else connection.streamError(id, stream, error);
      return;
    }
    stream.receiveLeft -= length;
    stream.unconsumed += length;
    stream.quiet = 0;
    this.#current = stream;
    this.#currentEnds = ends;
    this.#currentLeft = length;
  }

  onDataPiece(buffer: Buffer, start: number, end: number, last: boolean): void {
    const stream = this.#current;
    if (stream === undefined || (stream.state & State.CLOSED) !== 0) return;
    const octets = end - start;
    this.#currentLeft -= octets;
    if (last && octets === 0 && this.#currentLeft > 0) this.#connection.flood.countControl('empty_data');
    if (last && this.#currentLeft > 0) stream.consume(this.#currentLeft); // Padding counts (section 6.9.1), nobody else takes it.
    const ends = last && this.#currentEnds;
    if (stream.expected >= 0) {
      stream.expected -= octets;
      if (stream.expected < 0 || (ends && stream.expected > 0)) {
        this.#connection.streamError(stream.id, stream, ErrorCode.PROTOCOL_ERROR); // content-length (section 8.1.1)
        return;
      }
    }
    if (ends) stream.state |= State.REMOTE_ENDED;
    else if (octets === 0) return;
    stream.handler.onData(stream, buffer, start, end, ends);
    if (ends) stream.endRemote();
  }

  /** The first frame is SETTINGS (section 3.4); within a header block only CONTINUATION may come (section 4.3). */
  #checkOrder(type: number): void {
    if (!this.#control.settled && type !== FrameType.SETTINGS) {
      throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, 'the first frame is not SETTINGS (section 3.4)');
    }
    if (this.#assembly !== undefined && this.#assembly.id !== 0 && type !== FrameType.CONTINUATION) {
      throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, 'a frame within a header block (section 4.3)');
    }
  }

  /** DATA for a stream that is not in the table. @returns the stream error it is, or NO_ERROR to ignore it (section 5.1). */
  #absent(id: number): ErrorCode {
    if (this.#connection.isIdle(id)) {
      throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, 'DATA on an idle stream (section 5.1)');
    }
    const ignored = this.#connection.recentResets.has(id) || this.#connection.ignores(id);
    return ignored ? ErrorCode.NO_ERROR : ErrorCode.STREAM_CLOSED;
  }

  #refusal(stream: EngineStream, length: number): ErrorCode {
    if ((stream.state & State.REMOTE_ENDED) !== 0) return ErrorCode.STREAM_CLOSED;
    if (length > stream.receiveLeft) return ErrorCode.FLOW_CONTROL_ERROR;
    if (!this.#connection.server && (stream.state & State.HEADERS_RECEIVED) === 0) return ErrorCode.PROTOCOL_ERROR;
    return ErrorCode.NO_ERROR;
  }

  #onHeaders(flags: number, id: number, buffer: Buffer, start: number, end: number): void {
    if (id === 0) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, 'HEADERS on stream 0 (section 6.2)');
    let from = start;
    let to = end;
    if ((flags & Flag.PADDED) !== 0) to -= buffer[from++] ?? 0;
    if ((flags & Flag.PRIORITY) !== 0) from += 5; // Deprecated (section 5.3.2).
    if (from > end) throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, 'HEADERS too short (section 6.2)');
    if (from > to) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, 'padding exceeds the payload (section 6.2)');
    const endStream = (flags & Flag.END_STREAM) !== 0;
    if ((flags & Flag.END_HEADERS) !== 0) this.#onBlock(id, endStream, buffer, from, to);
    else {
      this.#assembly ??= new HeaderAssembly(this.#connection.limits);
      this.#assembly.begin(id, endStream, buffer.subarray(from, to));
    }
  }

  #onBlock(id: number, endStream: boolean, buffer: Buffer, start: number, end: number): void {
    this.#headers ??= new HeaderReceiver(this.#connection, this.#control.acknowledged);
    this.#headers.onBlock(id, endStream, buffer, start, end);
  }

  #onContinuation(flags: number, id: number, fragment: Buffer): void {
    this.#assembly ??= new HeaderAssembly(this.#connection.limits);
    const block = this.#assembly.add(id, flags, fragment);
    if (block !== undefined) this.#onBlock(id, this.#assembly.endStream, block, 0, block.length);
  }

  #onReset(id: number, buffer: Buffer, start: number, end: number): void {
    if (end - start !== 4) throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, 'RST_STREAM length (section 6.4)');
    const connection = this.#connection;
    if (id === 0 || connection.isIdle(id)) {
      throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, 'RST_STREAM on stream 0 or an idle one (section 6.4)');
    }
    const stream = connection.streams.get(id);
    if (connection.server) connection.flood.countReset('rapid_reset');
    if (stream === undefined) return;
    const code = buffer.readUInt32BE(start);
    // Who has answered has processed the request, whatever the code says (section 8.7).
    const refused = code === ErrorCode.REFUSED_STREAM && (stream.state & State.HEADERS_RECEIVED) === 0;
    stream.fail(code, refused ? ResetCause.UNPROCESSED : ResetCause.PEER);
  }
}
