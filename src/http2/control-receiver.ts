import type { Connection } from './connection.ts';
import { ErrorCode } from './error-code.ts';
import { ConnectionError } from './errors.ts';
import { Flag, FrameType, getUint31 } from './frame.ts';

const NOTHING = Buffer.alloc(0);

/** Frames about the connection, and those about streams that carry no message: all but DATA, HEADERS and RST_STREAM. */
export class ControlReceiver {
  settled = false;
  acknowledged = false;
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** @throws ConnectionError */
  onFrame(type: number, flags: number, id: number, buffer: Buffer, start: number, end: number): void {
    switch (type) {
      case FrameType.WINDOW_UPDATE:
        this.#onWindowUpdate(id, buffer, start, end);
        break;
      case FrameType.SETTINGS:
        this.#onSettings(flags, id, buffer, start, end);
        break;
      case FrameType.PING:
        this.#onPing(flags, id, buffer, start, end);
        break;
      case FrameType.GOAWAY:
        if (id !== 0) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, 'GOAWAY on a stream (section 6.8)');
        if (end - start < 8) throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, 'GOAWAY length (section 6.8)');
        this.#connection.flood.countControl('other_frames');
        this.#connection.goaway.onGoaway(getUint31(buffer, start));
        break;
      case FrameType.PRIORITY:
        this.#onPriority(id, end - start);
        break;
      case FrameType.PUSH_PROMISE:
        // A client must never send it, and we, as a client, have switched it off (section 8.4).
        throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, 'PUSH_PROMISE (section 6.6)');
      default:
        this.#connection.flood.countControl('other_frames'); // Unknown types are ignored (section 5.5), but not for ever.
    }
  }

  #onWindowUpdate(id: number, buffer: Buffer, start: number, end: number): void {
    if (end - start !== 4) throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, 'WINDOW_UPDATE length (section 6.9)');
    const increment = getUint31(buffer, start);
    const connection = this.#connection;
    connection.flood.countControl('window_update');
    if (id === 0) {
      if (increment === 0) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, 'WINDOW_UPDATE of 0 (section 6.9)');
      connection.sender.grow(increment);
      return;
    }
    const stream = connection.streams.get(id);
    if (stream === undefined) {
      if (connection.isIdle(id)) {
        throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, 'WINDOW_UPDATE on an idle stream (section 5.1)');
      }
    } else if (increment === 0) {
      connection.streamError(id, stream, ErrorCode.PROTOCOL_ERROR);
    } else if (!connection.sender.growStream(stream, increment)) {
      connection.streamError(id, stream, ErrorCode.FLOW_CONTROL_ERROR);
    }
  }

  #onSettings(flags: number, id: number, buffer: Buffer, start: number, end: number): void {
    const connection = this.#connection;
    if (id !== 0) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, 'SETTINGS on a stream (section 6.5)');
    const ack = (flags & Flag.ACK) !== 0;
    if ((end - start) % 6 !== 0 || (ack && end !== start)) {
      throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, 'SETTINGS length (section 6.5)');
    }
    if (ack) {
      if (!this.settled)
        throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, 'the first SETTINGS is an ACK (section 3.4)');
      if (!this.acknowledged) connection.receiver.onAcknowledged();
      else connection.flood.countControl('settings');
      this.acknowledged = true;
      return;
    }
    // Every stream's window may change with them.
    connection.flood.countControl('settings', 1 + (connection.streams.count >>> 5));
    connection.flood.countAnswer();
    connection.sender.applySettings(buffer, start, end, !connection.server, connection.streams.list());
    // "Immediately" (section 6.5.3): in front of the DATA that a larger window lets go.
    connection.sender.writeFrame(FrameType.SETTINGS, Flag.ACK, 0, NOTHING);
    connection.sender.pump();
    const first = !this.settled;
    this.settled = true;
    connection.onPeerSettings(first);
  }

  #onPing(flags: number, id: number, buffer: Buffer, start: number, end: number): void {
    if (id !== 0) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, 'PING on a stream (section 6.7)');
    if (end - start !== 8) throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, 'PING length (section 6.7)');
    if ((flags & Flag.ACK) !== 0) {
      this.#connection.flood.countControl('ping');
      this.#connection.onPingAck(buffer[start]!);
      return;
    }
    this.#connection.flood.countControl('ping');
    this.#connection.flood.countAnswer();
    this.#connection.sender.writeFrame(FrameType.PING, Flag.ACK, 0, buffer, start, end);
  }

  /** Deprecated, and otherwise ignored (section 5.3.2). */
  #onPriority(id: number, length: number): void {
    if (id === 0) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, 'PRIORITY on stream 0 (section 6.3)');
    this.#connection.flood.countControl('priority');
    if (length === 5) return;
    const stream = this.#connection.streams.get(id);
    if (stream === undefined && this.#connection.isIdle(id)) {
      throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, 'PRIORITY length (section 6.3)');
    }
    this.#connection.streamError(id, stream, ErrorCode.FRAME_SIZE_ERROR);
  }
}
