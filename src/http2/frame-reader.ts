import { ErrorCode } from './error-code.ts';
import { ConnectionError } from './errors.ts';
import { Flag, FRAME_HEADER, FrameType, getUint31 } from './frame.ts';

/** Receives frames. Buffers are valid only during the call. */
export interface FrameSink {
  /** A whole frame of any type but DATA; its payload is `buffer[start, end)`. */
  onFrame(type: number, flags: number, id: number, buffer: Buffer, start: number, end: number): void;
  /** A DATA frame begins; `length` is what flow control counts: payload with padding. */
  onDataStart(flags: number, id: number, length: number): void;
  /** A piece of the payload, without padding, of the DATA frame that began last. `last` may come with an empty piece. */
  onDataPiece(buffer: Buffer, start: number, end: number, last: boolean): void;
}

const NOTHING = Buffer.alloc(0);
/** A request costs about 10 us by the time it is on its way, other frames less than one. */
const REQUEST_WORK = 8;

/**
 * Cuts a byte stream into frames. Frames are parsed where they lie in the read buffer; only what a read cuts in two is
 * copied, and DATA is handed on in pieces as it comes, so that memory and delay do not depend on the peer's frame sizes.
 */
export class FrameReader {
  readonly #sink: FrameSink;
  readonly #maxFrame: number;
  /** The begin of a frame that a read cut in two. */
  #carry: Buffer = NOTHING;
  #carried = 0;
  /** The DATA frame being read: payload and padding to come. */
  #inData = false;
  #dataLeft = 0;
  #paddingLeft = 0;
  #padLengthDue = false;
  #stopped = false;
  /** Frames received, DATA with its header: rises as long as the peer makes progress. */
  frames = 0;
  /** The same, for who shares out work: HEADERS count as several. */
  work = 0;

  /** @param maxFrame the SETTINGS_MAX_FRAME_SIZE that we announced. */
  constructor(sink: FrameSink, maxFrame: number) {
    this.#sink = sink;
    this.#maxFrame = maxFrame;
  }

  /** Waits for the rest of a frame that is no DATA. */
  get waiting(): boolean {
    return this.#carried > 0;
  }

  /** What came ended with a whole frame. */
  get isAtRest(): boolean {
    return this.#carried === 0 && !this.#inData && !this.#stopped;
  }

  /** Ignores everything from now on, also the rest of the buffer that is being read. */
  stop(): void {
    this.#stopped = true;
    this.#carry = NOTHING;
    this.#carried = 0;
  }

  /**
   * Takes `buffer[start, end)`, at most about `budget` of `work`.
   * @returns where it stopped: `end` unless the budget was used up
   * @throws ConnectionError
   */
  feed(buffer: Buffer, start: number, end: number, budget: number): number {
    let at = start;
    const last = this.work + budget;
    if (this.#carried > 0) at = this.#resume(buffer, at, end);
    while (at < end && !this.#stopped) {
      if (this.#inData) {
        at = this.#data(buffer, at, end);
        continue;
      }
      const available = end - at;
      if (available < FRAME_HEADER) {
        this.#save(buffer, at, end, FRAME_HEADER);
        return end;
      }
      if (this.work >= last) return at;
      const length = this.#length(buffer, at);
      if (buffer[at + 3] === FrameType.DATA) {
        this.#startData(buffer, at, length);
        at += FRAME_HEADER;
      } else if (available < FRAME_HEADER + length) {
        this.#save(buffer, at, end, FRAME_HEADER + length);
        return end;
      } else {
        const next = at + FRAME_HEADER + length;
        const type = buffer[at + 3]!;
        this.frames++;
        this.work += type === FrameType.HEADERS ? REQUEST_WORK : 1;
        this.#sink.onFrame(type, buffer[at + 4]!, getUint31(buffer, at + 5), buffer, at + FRAME_HEADER, next);
        at = next;
      }
    }
    return end;
  }

  /** The length of the frame at `at`; larger ones than announced are refused before a byte of them is kept (section 4.2). */
  #length(buffer: Buffer, at: number): number {
    const length = (buffer[at]! << 16) | (buffer[at + 1]! << 8) | buffer[at + 2]!;
    if (length > this.#maxFrame) {
      throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, 'frame larger than SETTINGS_MAX_FRAME_SIZE (section 4.2)');
    }
    return length;
  }

  #save(buffer: Buffer, start: number, end: number, total: number): void {
    if (this.#carry.length < total) this.#carry = Buffer.allocUnsafe(total);
    buffer.copy(this.#carry, 0, start, end);
    this.#carried = end - start;
  }

  /** Completes the carried frame from `buffer`. @returns where the rest begins. */
  #resume(buffer: Buffer, start: number, end: number): number {
    let at = start;
    if (this.#carried < FRAME_HEADER) {
      at = this.#fill(buffer, at, end, FRAME_HEADER);
      if (this.#carried < FRAME_HEADER) return at;
    }
    const carry = this.#carry;
    const length = this.#length(carry, 0);
    if (carry[3] === FrameType.DATA) {
      this.#carried = 0;
      this.#startData(carry, 0, length);
      return at;
    }
    const total = FRAME_HEADER + length;
    if (carry.length < total) {
      this.#carry = Buffer.allocUnsafe(total);
      carry.copy(this.#carry, 0, 0, this.#carried);
    }
    at = this.#fill(buffer, at, end, total);
    if (this.#carried < total) return at;
    const whole = this.#carry;
    this.frames++;
    this.work++;
    this.#carried = 0;
    this.#carry = NOTHING;
    this.#sink.onFrame(whole[3]!, whole[4]!, getUint31(whole, 5), whole, FRAME_HEADER, total);
    return at;
  }

  #fill(buffer: Buffer, start: number, end: number, total: number): number {
    const take = Math.min(end - start, total - this.#carried);
    buffer.copy(this.#carry, this.#carried, start, start + take);
    this.#carried += take;
    return start + take;
  }

  #startData(buffer: Buffer, at: number, length: number): void {
    this.frames++;
    this.work++;
    const flags = buffer[at + 4]!;
    const padded = (flags & Flag.PADDED) !== 0;
    if (padded && length === 0) {
      throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, 'padded DATA without a pad length (section 6.1)');
    }
    this.#sink.onDataStart(flags, getUint31(buffer, at + 5), length);
    if (length === 0) {
      this.#sink.onDataPiece(buffer, 0, 0, true);
      return;
    }
    this.#inData = true;
    this.#padLengthDue = padded;
    this.#dataLeft = padded ? length - 1 : length;
    this.#paddingLeft = 0;
  }

  /** Reads on in a DATA frame. @returns where the rest begins. */
  #data(buffer: Buffer, start: number, end: number): number {
    let at = start;
    if (this.#padLengthDue) {
      this.#padLengthDue = false;
      this.#paddingLeft = buffer[at++]!;
      this.#dataLeft -= this.#paddingLeft;
      if (this.#dataLeft < 0) {
        throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, 'padding exceeds the payload (section 6.1)');
      }
      if (this.#dataLeft === 0) this.#sink.onDataPiece(buffer, at, at, true);
    } else if (this.#dataLeft > 0) {
      const take = Math.min(end - at, this.#dataLeft);
      this.#dataLeft -= take;
      if (this.#dataLeft === 0 && this.#paddingLeft === 0) this.#inData = false;
      this.#sink.onDataPiece(buffer, at, at + take, this.#dataLeft === 0);
      return at + take;
    }
    if (this.#dataLeft === 0) {
      const skip = Math.min(end - at, this.#paddingLeft);
      this.#paddingLeft -= skip;
      at += skip;
      if (this.#paddingLeft === 0) this.#inData = false;
    }
    return at;
  }
}
