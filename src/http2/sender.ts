import type { DormantState } from './dormant-state.ts';
import { type EngineStream, State } from './engine-stream.ts';
import { ErrorCode } from './error-code.ts';
import { ConnectionError } from './errors.ts';
import type { ExtraField } from './field.ts';
import {
  DEFAULT_MAX_FRAME,
  DEFAULT_WINDOW,
  Flag,
  FRAME_HEADER,
  FrameType,
  MAX_WINDOW,
  putFrameHeader,
  putUint32,
} from './frame.ts';
import type { HeaderBlock } from './header-block.ts';
import { Encoder } from './hpack/encoder.ts';
import type { Output } from './output.ts';
import { applySettings, INITIAL_SETTINGS } from './settings.ts';
import { StreamList } from './stream-list.ts';

/** Octets of a DATA frame that is worth its answers even where it used up a window. */
const WORTH = 1_024;

/** HPACK table that we keep for what we send, whatever the peer allows. */
const ENCODER_TABLE = 4_096;

/**
 * What one connection sends: frames into its output, DATA as the peer's windows and the output limit allow. Streams held
 * back by the connection (its window, its output) wait in a queue and take turns, a frame each; streams held back by their
 * own window wait for the peer alone.
 */
export class Sender {
  readonly output: Output;
  peer = INITIAL_SETTINGS;
  /** Frames with a message, of which the peer's own window did not decide the size: see `FloodGuard`. */
  frames = 0;
  /** Octets of DATA that the peer takes on all streams together. */
  window = DEFAULT_WINDOW;
  /** Made by the first block, and by the first after a while without streams: most connections are idle. */
  #encoder: Encoder | undefined = undefined;
  /** The smallest table that there was to be before that (RFC 7541 section 4.2 wants it told). */
  #smallestTable = ENCODER_TABLE;
  readonly #outputLimit: number;
  readonly #blockSlots: number;
  /** Streams with queued octets and a window of their own. */
  #ready: StreamList | undefined = undefined;
  #pumping = false;
  /** The DATA frame that was built last: its stream, its payload's length, and what was committed with it. */
  #lastStream: EngineStream | undefined = undefined;
  #lastLength = 0;
  #lastCommitted = 0;

  /** @param blockSlots fields of a block whose places are remembered */
  constructor(output: Output, outputLimit: number, blockSlots: number) {
    this.output = output;
    this.#blockSlots = blockSlots;
    this.#outputLimit = outputLimit;
  }

  /**
   * The connection is idle: gives up what only saves time. The table that the peer keeps for us is given up with the encoder:
   * the next block begins with a size update to zero, which empties it (RFC 7541 section 4.2).
   */
  trim(): void {
    if (this.#encoder === undefined) return;
    this.#encoder = undefined;
    this.#smallestTable = 0;
  }

  /** The smallest table that the next block has to begin with, once `trim` was called. */
  get smallestTable(): number {
    return this.#smallestTable;
  }

  /** Goes on where another one was at rest. */
  restore({ peer, sendWindow, smallestTable }: DormantState): void {
    this.peer = peer;
    this.window = sendWindow;
    this.#smallestTable = smallestTable;
  }

  /** A stream is gone: nothing of it is kept. */
  forget(stream: EngineStream): void {
    if (this.#lastStream === stream) this.#lastStream = undefined;
  }

  #makeEncoder(): Encoder {
    const encoder = new Encoder({ maxTableSize: ENCODER_TABLE, blockSlots: this.#blockSlots });
    encoder.setPeerTableSize(this.#smallestTable);
    encoder.setPeerTableSize(this.peer.headerTableSize);
    this.#smallestTable = ENCODER_TABLE;
    this.#encoder = encoder;
    return encoder;
  }

  /** Sends a header block: HEADERS, and CONTINUATION for what is beyond a frame (section 4.3). */
  writeHeaders(id: number, block: HeaderBlock, extra: readonly ExtraField[] | undefined, endStream: boolean): void {
    this.frames++;
    const encoder = this.#encoder ?? this.#makeEncoder();
    const bound = encoder.bound(block, extra);
    const flags = endStream ? Flag.END_STREAM : 0;
    if (bound > DEFAULT_MAX_FRAME) {
      this.#writeLongHeaders(encoder, id, block, extra, flags, bound);
      return;
    }
    const output = this.output;
    const at = output.reserve(FRAME_HEADER + bound);
    const start = at + FRAME_HEADER;
    const end = encoder.encode(block, extra, output.buffer, start);
    putFrameHeader(output.buffer, at, end - start, FrameType.HEADERS, flags | Flag.END_HEADERS, id);
    output.commit(end);
  }

  /**
   * Sends what may go now of `buffer[start, end)`, for a stream with nothing queued, and END_STREAM behind the last octet.
   * @returns octets sent
   */
  sendData(stream: EngineStream, buffer: Buffer, start: number, end: number, endStream: boolean): number {
    const output = this.output;
    if (this.#lastStream === stream && this.#lastCommitted === output.committed && output.offset > 0) {
      return this.#extendLast(stream, buffer, start, end, endStream);
    }
    let at = start;
    while (at < end) {
      const octets = Math.min(end - at, stream.sendWindow, this.window, DEFAULT_MAX_FRAME, output.room);
      // Streams that wait go first, lest a busy one starve them.
      if (octets <= 0 || output.unsent >= this.#outputLimit || this.#ready?.first !== undefined) return at - start;
      const last = endStream && at + octets === end;
      const payload = this.#startData(stream, octets, last);
      buffer.copy(output.buffer, payload, at, at + octets);
      output.commit(payload + octets);
      at += octets;
      this.#lastStream = stream;
      this.#lastLength = octets;
      this.#lastCommitted = output.committed;
      if (last) {
        stream.endLocal();
        return at - start;
      }
    }
    if (endStream && start === end) {
      output.commit(this.#startData(stream, 0, true));
      stream.endLocal();
    }
    return at - start;
  }

  /**
   * Lengthens the frame that was built last, where nothing was built behind it: a peer's small frames, and pieces that a
   * read has cut, become one again. Otherwise 1-byte frames would cost the other side ten times what they cost the sender.
   */
  #extendLast(stream: EngineStream, buffer: Buffer, start: number, end: number, endStream: boolean): number {
    const output = this.output;
    const target = output.buffer;
    const at = output.offset;
    const room = Math.min(DEFAULT_MAX_FRAME - this.#lastLength, target.length - at);
    const octets = end - start;
    this.#lastStream = undefined;
    if (octets > room || octets > stream.sendWindow || octets > this.window || output.unsent >= this.#outputLimit) {
      return this.sendData(stream, buffer, start, end, endStream);
    }
    const header = at - this.#lastLength - FRAME_HEADER;
    const length = this.#lastLength + octets;
    buffer.copy(target, at, start, end);
    stream.sendWindow -= octets;
    this.window -= octets;
    putFrameHeader(target, header, length, FrameType.DATA, endStream ? Flag.END_STREAM : 0, stream.id);
    output.commit(at + octets);
    if (endStream) {
      stream.endLocal();
      return octets;
    }
    this.#lastStream = stream;
    this.#lastLength = length;
    this.#lastCommitted = output.committed;
    return octets;
  }

  /** `stream` has octets queued: it waits for its turn, unless its own window is closed. */
  hold(stream: EngineStream): void {
    if (stream.list !== undefined || stream.sendWindow <= 0) return;
    this.#ready ??= new StreamList();
    this.#ready.push(stream);
  }

  /** Sends for the streams that wait, as long as the connection takes it. To be called whenever that may have changed. */
  pump(): void {
    const ready = this.#ready;
    if (this.#pumping || ready?.first === undefined) return;
    this.#pumping = true;
    try {
      while (ready.first !== undefined && this.window > 0 && this.output.unsent < this.#outputLimit) {
        const stream: EngineStream = ready.first;
        ready.remove(stream);
        this.#sendQueued(stream);
        if ((stream.state & State.CLOSED) === 0 && stream.queued > 0) this.hold(stream);
      }
    } finally {
      this.#pumping = false;
    }
  }

  /** One frame from the stream's queue, with what ends the stream when that was the last. */
  #sendQueued(stream: EngineStream): void {
    const queue = stream.queue;
    if (queue === undefined) return;
    const octets = Math.min(queue.size, stream.sendWindow, this.window, DEFAULT_MAX_FRAME, this.output.room);
    if (octets <= 0) return; // Its window went below zero while it waited.
    const ending = octets === queue.size && (stream.state & State.LOCAL_END_GIVEN) !== 0;
    const last = ending && stream.trailers === undefined;
    const payload = this.#startData(stream, octets, last);
    queue.shift(this.output.buffer, payload, octets);
    this.output.commit(payload + octets);
    stream.handler.onSent(stream, octets);
    if (!ending || (stream.state & State.CLOSED) !== 0) return;
    if (stream.trailers !== undefined) this.writeHeaders(stream.id, stream.trailers, stream.trailersExtra, true);
    stream.endLocal();
  }

  /** Makes room for a DATA frame and pays for it. @returns where its payload goes. */
  #startData(stream: EngineStream, octets: number, last: boolean): number {
    const at = this.output.reserve(FRAME_HEADER + octets);
    this.#lastStream = undefined;
    stream.sendWindow -= octets;
    this.window -= octets;
    stream.quiet = 0;
    if (octets >= WORTH || (stream.sendWindow > 0 && this.window > 0)) this.frames++;
    putFrameHeader(this.output.buffer, at, octets, FrameType.DATA, last ? Flag.END_STREAM : 0, stream.id);
    return at + FRAME_HEADER;
  }

  /** The peer gave `increment` to a stream. @returns false when the window would overflow (section 6.9.1). */
  growStream(stream: EngineStream, increment: number): boolean {
    stream.sendWindow += increment;
    if (stream.sendWindow > MAX_WINDOW) return false;
    if (stream.queued > 0) {
      this.hold(stream);
      this.pump();
    }
    return true;
  }

  /** The peer gave `increment` to the connection. @throws ConnectionError on overflow (section 6.9.1) */
  grow(increment: number): void {
    this.window += increment;
    if (this.window > MAX_WINDOW) {
      throw new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, 'connection window overflow (section 6.9.1)');
    }
    this.pump();
  }

  /**
   * The peer's SETTINGS came. The caller acknowledges them, and then pumps: what they allow is sent behind the ACK.
   * @throws ConnectionError when a stream's window overflows (section 6.9.2)
   */
  applySettings(payload: Buffer, start: number, end: number, fromServer: boolean, streams: EngineStream[]): void {
    const before = this.peer.initialWindowSize;
    this.peer = applySettings(this.peer, payload, start, end, fromServer);
    if (this.#encoder === undefined) this.#smallestTable = Math.min(this.#smallestTable, this.peer.headerTableSize);
    else this.#encoder.setPeerTableSize(this.peer.headerTableSize);
    const delta = this.peer.initialWindowSize - before;
    if (delta === 0) return;
    for (const stream of streams) {
      stream.sendWindow += delta;
      if (stream.sendWindow > MAX_WINDOW) {
        throw new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, 'stream window overflow (section 6.9.2)');
      }
      if (stream.queued > 0) this.hold(stream);
    }
  }

  writeReset(id: number, code: ErrorCode): void {
    this.#writeWord(FrameType.RST_STREAM, id, code);
  }

  writeWindowUpdate(id: number, increment: number): void {
    this.#writeWord(FrameType.WINDOW_UPDATE, id, increment);
  }

  /** A whole frame: SETTINGS, PING, GOAWAY. `payload[start, end)` is copied. */
  writeFrame(type: number, flags: number, id: number, payload: Buffer, start = 0, end = payload.length): void {
    const at = this.output.reserve(FRAME_HEADER + end - start);
    putFrameHeader(this.output.buffer, at, end - start, type, flags, id);
    payload.copy(this.output.buffer, at + FRAME_HEADER, start, end);
    this.output.commit(at + FRAME_HEADER + end - start);
  }

  /** Octets as they are: the client's preface. */
  writeRaw(bytes: Buffer): void {
    const at = this.output.reserve(bytes.length);
    bytes.copy(this.output.buffer, at);
    this.output.commit(at + bytes.length);
  }

  #writeWord(type: number, id: number, word: number): void {
    const at = this.output.reserve(FRAME_HEADER + 4);
    putFrameHeader(this.output.buffer, at, 4, type, 0, id);
    putUint32(this.output.buffer, at + FRAME_HEADER, word);
    this.output.commit(at + FRAME_HEADER + 4);
  }

  #writeLongHeaders(
    encoder: Encoder,
    id: number,
    block: HeaderBlock,
    extra: readonly ExtraField[] | undefined,
    flags: number,
    bound: number,
  ): void {
    const encoded = Buffer.allocUnsafe(bound);
    const length = encoder.encode(block, extra, encoded, 0);
    for (let at = 0; at === 0 || at < length; at += DEFAULT_MAX_FRAME) {
      const end = Math.min(at + DEFAULT_MAX_FRAME, length);
      const ending = end === length ? Flag.END_HEADERS : 0;
      const type = at === 0 ? FrameType.HEADERS : FrameType.CONTINUATION;
      this.writeFrame(type, at === 0 ? flags | ending : ending, id, encoded, at, end);
    }
  }
}
