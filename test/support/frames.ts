// HTTP/2 frames by hand (RFC 9113 section 4), for peers that misbehave on purpose. Shares nothing with src/http2: a mistake
// there must not hide here.

export const FrameType = {
  DATA: 0,
  HEADERS: 1,
  RST_STREAM: 3,
  SETTINGS: 4,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;

export const Flag = { ACK: 1, END_STREAM: 1, END_HEADERS: 4 } as const;

export interface RawFrame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** @param length what the header claims; by default the truth */
export function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Buffer = Buffer.alloc(0),
  length?: number,
): Buffer {
  const header = Buffer.alloc(9);
  header.writeUIntBE(length ?? payload.length, 0, 3);
  header[3] = type;
  header[4] = flags;
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, payload]);
}

/** Literals without indexing and without Huffman (RFC 7541 section 6.2.2): no state, any text. */
export function headerBlock(fields: readonly (readonly [name: string, value: string])[]): Buffer {
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]));
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1');
  return Buffer.concat([integer(bytes.length, 7), bytes]);
}

/** RFC 7541 section 5.1, with the bits before the prefix 0. */
function integer(value: number, prefix: number): Buffer {
  const most = (1 << prefix) - 1;
  if (value < most) return Buffer.from([value]);
  const bytes = [most];
  for (let rest = value - most; ; rest >>>= 7) {
    if (rest < 128) return Buffer.from([...bytes, rest]);
    bytes.push((rest & 127) | 128);
  }
}

export function headers(
  stream: number,
  fields: readonly (readonly [string, string])[],
  flags: number = Flag.END_HEADERS,
): Buffer {
  return frame(FrameType.HEADERS, flags, stream, headerBlock(fields));
}

export function data(stream: number, payload: Buffer, flags = 0): Buffer {
  return frame(FrameType.DATA, flags, stream, payload);
}

export function rstStream(stream: number, code: number): Buffer {
  return frame(FrameType.RST_STREAM, 0, stream, uint32(code));
}

export function goaway(lastStream: number, code: number): Buffer {
  return frame(FrameType.GOAWAY, 0, 0, Buffer.concat([uint32(lastStream), uint32(code)]));
}

export function windowUpdate(stream: number, octets: number): Buffer {
  return frame(FrameType.WINDOW_UPDATE, 0, stream, uint32(octets));
}

/** A gRPC message with its 5-byte prefix. */
export function grpcMessage(payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0]), uint32(payload.length), payload]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

/** Cuts a byte stream into frames. */
export class FrameCutter {
  #rest: Buffer = Buffer.alloc(0);
  #prefaceLeft: number;

  /** @param preface the bytes come from a client and begin with the connection preface */
  constructor(preface: boolean) {
    this.#prefaceLeft = preface ? PREFACE.length : 0;
  }

  push(chunk: Buffer): RawFrame[] {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    if (this.#rest.length < this.#prefaceLeft) return [];
    this.#rest = this.#rest.subarray(this.#prefaceLeft);
    this.#prefaceLeft = 0;
    const frames: RawFrame[] = [];
    while (this.#rest.length >= 9) {
      const end = 9 + this.#rest.readUIntBE(0, 3);
      if (this.#rest.length < end) break;
      frames.push({
        type: this.#rest[3]!,
        flags: this.#rest[4]!,
        stream: this.#rest.readUInt32BE(5) & 0x7fffffff,
        payload: this.#rest.subarray(9, end),
      });
      this.#rest = this.#rest.subarray(end);
    }
    return frames;
  }
}
