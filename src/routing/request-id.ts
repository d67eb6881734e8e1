import { WrittenField } from '../http2/index.ts';
import { viewOf, writeHalf, writeOctet, writeWord } from './hex.ts';

/** The name of the field. */
export const REQUEST_ID = 'x-request-id';
/** Characters of an id of ours. */
export const ID_LENGTH = 36;
const DASH = 0x2d;
/** Random octets of an id. */
const RANDOM = 10;
const POOL = 4096;
const CLIENT_ID = /^[A-Za-z0-9._~-]{8,128}$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const TEXT = Buffer.alloc(ID_LENGTH);

/**
 * The id of a request, and the field that tells it to the backend. One of ours is a UUID, kept as its four words: nearly every
 * call ends without anybody having asked for its text, and to make that cost more than all else that an id does.
 */
export class RequestId extends WrittenField {
  /** 32 bits each, as signed numbers. */
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
  /** The client's own; empty when the id is ours. */
  readonly own: string;

  constructor(a: number, b: number, c: number, d: number, own = '') {
    super();
    this.a = a;
    this.b = b;
    this.c = c;
    this.d = d;
    this.own = own;
  }

  /** A client's id, which is kept as it is. */
  static ofClient(text: string): RequestId {
    return new RequestId(0, 0, 0, 0, text);
  }

  /** What `text` makes of a UUID; of all else the client's own. */
  static parse(text: string): RequestId {
    if (!UUID.test(text)) return RequestId.ofClient(text);
    const octets = Buffer.from(text.replaceAll('-', ''), 'hex');
    const [a, b, c, d] = [0, 4, 8, 12].map((at) => octets.readInt32BE(at));
    return new RequestId(a!, b!, c!, d!);
  }

  get name(): string {
    return REQUEST_ID;
  }

  get length(): number {
    return this.own === '' ? ID_LENGTH : this.own.length;
  }

  /** Made anew each time that it is asked for. */
  get text(): string {
    if (this.own !== '') return this.own;
    this.writeValue(TEXT, 0);
    return TEXT.latin1Slice(0, ID_LENGTH);
  }

  writeValue(target: Buffer, at: number): void {
    if (this.own !== '') {
      target.latin1Write(this.own, at);
      return;
    }
    const { a, b, c, d } = this;
    const view = viewOf(target);
    writeWord(a, view, at);
    view.setUint8(at + 8, DASH);
    writeHalf(b >>> 16, view, at + 9);
    view.setUint8(at + 13, DASH);
    writeHalf(b, view, at + 14);
    view.setUint8(at + 18, DASH);
    writeHalf(c >>> 16, view, at + 19);
    view.setUint8(at + 23, DASH);
    writeHalf(c, view, at + 24);
    writeWord(d, view, at + 28);
  }

  /** Writes the 32 digits without dashes: the id of a trace that begins with this request. */
  writeTraceId(target: DataView, at: number): void {
    writeWord(this.a, target, at);
    writeWord(this.b, target, at + 8);
    writeWord(this.c, target, at + 16);
    writeWord(this.d, target, at + 24);
  }

  /**
   * Writes the id of a span of the call, 16 digits: the last 8 octets of a UUID, the first of them replaced by the span's number, so
   * that the spans of a call need no random numbers of their own.
   * @param index 0 is the call, n its nth attempt, at most 254
   */
  writeSpanId(index: number, target: DataView, at: number): void {
    writeOctet(index + 1, target, at);
    writeOctet(this.c >>> 16, target, at + 2);
    writeHalf(this.c, target, at + 4);
    writeWord(this.d, target, at + 8);
  }
}

/**
 * Copies the 32 digits of an id of ours from where `writeValue` has written it, `from`: half of what writing them costs. As doubles go
 * eight at a time, and keep their bits: digits are never those of a NaN.
 */
export function copyTraceId(view: DataView, from: number, to: number): void {
  view.setFloat64(to, view.getFloat64(from));
  view.setUint32(to + 8, view.getUint32(from + 9));
  view.setUint32(to + 12, view.getUint32(from + 14));
  view.setUint32(to + 16, view.getUint32(from + 19));
  view.setUint32(to + 20, view.getUint32(from + 24));
  view.setFloat64(to + 24, view.getFloat64(from + 28));
}

/** Likewise what `writeSpanId` writes. */
export function copySpanId(index: number, view: DataView, from: number, to: number): void {
  writeOctet(index + 1, view, to);
  view.setUint16(to + 2, view.getUint16(from + 21));
  view.setUint32(to + 4, view.getUint32(from + 24));
  view.setFloat64(to + 8, view.getFloat64(from + 28));
}

/** Writes the octets of an id of ours, 16: the id of a trace. */
export function writeTraceOctets({ a, b, c, d }: RequestId, target: DataView, at: number): void {
  target.setInt32(at, a);
  target.setInt32(at + 4, b);
  target.setInt32(at + 8, c);
  target.setInt32(at + 12, d);
}

/** Writes what `writeSpanId` writes, as octets, 8. */
export function writeSpanOctets({ c, d }: RequestId, index: number, target: DataView, at: number): void {
  target.setInt32(at, ((index + 1) << 24) | (c & 0xff_ffff));
  target.setInt32(at + 4, d);
}

/** Sources of a `RequestIds`; arguments so that tests can fix them. */
export interface RequestIdSources {
  /** Unix milliseconds. */
  now(): number;
  /** Fills the buffer with random octets from a cryptographic source. */
  fillRandom(buffer: Uint8Array): void;
}

/** Makes UUIDs of version 7 (RFC 9562 section 5.7): 48 bits of Unix milliseconds, then 74 random bits. */
export class RequestIds {
  readonly #sources: RequestIdSources;
  /** Random octets are drawn in bulk: a draw per id costs ten times the id. */
  readonly #random = new Uint8Array(POOL);
  #used = POOL;
  #lastMs = -1;
  /** The time's upper 32 bits, and its lower 16 with the version behind them. */
  #a = 0;
  #b = 0;

  constructor(sources: RequestIdSources) {
    this.#sources = sources;
  }

  next(): RequestId {
    if (this.#used + RANDOM > POOL) {
      this.#sources.fillRandom(this.#random);
      this.#used = 0;
    }
    this.#readTime();
    const random = this.#random;
    const at = this.#used;
    this.#used += RANDOM;
    const b = this.#b | ((random[at]! & 0x0f) << 8) | random[at + 1]!;
    const c =
      0x8000_0000 |
      ((random[at + 2]! & 0x3f) << 24) |
      (random[at + 3]! << 16) |
      (random[at + 4]! << 8) |
      random[at + 5]!;
    const d = (random[at + 6]! << 24) | (random[at + 7]! << 16) | (random[at + 8]! << 8) | random[at + 9]!;
    return new RequestId(this.#a, b, c, d);
  }

  /** Kept for as long as the millisecond lasts. */
  #readTime(): void {
    const now = this.#sources.now();
    if (now === this.#lastMs) return;
    this.#lastMs = now;
    this.#a = Math.floor(now / 0x1_0000) | 0;
    this.#b = ((now % 0x1_0000) << 16) | 0x7000;
  }
}

/** Whether a client's own id may be kept: 8 to 128 unreserved characters, so that it is harmless in logs and headers. */
export function isRequestId(text: string): boolean {
  return CLIENT_ID.test(text);
}
