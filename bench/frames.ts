/** The little of HTTP/2 framing (RFC 9113 section 4) that the echo backend and the load driver need: no engine of ours is in them. */
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

export const Flag = { ACK: 1, END_STREAM: 1, END_HEADERS: 4, PADDED: 8 } as const;

export const Setting = {
  HEADER_TABLE_SIZE: 1,
  ENABLE_PUSH: 2,
  MAX_CONCURRENT_STREAMS: 3,
  INITIAL_WINDOW_SIZE: 4,
} as const;

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
export const FRAME_HEADER = 9;
export const MAX_FRAME = 16_384;

/** Writes a frame's header at `at`; @returns the offset behind it. */
export function writeFrameHeader(
  out: Buffer,
  at: number,
  length: number,
  type: number,
  flags: number,
  id: number,
): number {
  out.writeUIntBE(length, at, 3);
  out[at + 3] = type;
  out[at + 4] = flags;
  out.writeUInt32BE(id, at + 5);
  return at + FRAME_HEADER;
}

/** A whole frame. */
export function frame(type: number, flags: number, id: number, payload: Buffer): Buffer {
  const out = Buffer.alloc(FRAME_HEADER + payload.length);
  payload.copy(out, writeFrameHeader(out, 0, payload.length, type, flags, id));
  return out;
}

/** A SETTINGS frame of (identifier, value) pairs. */
export function settingsFrame(pairs: readonly (readonly [number, number])[]): Buffer {
  const payload = Buffer.alloc(pairs.length * 6);
  for (const [index, [id, value]] of pairs.entries()) {
    payload.writeUInt16BE(id, index * 6);
    payload.writeUInt32BE(value, index * 6 + 2);
  }
  return frame(FrameType.SETTINGS, 0, 0, payload);
}

export function windowUpdate(id: number, octets: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(octets);
  return frame(FrameType.WINDOW_UPDATE, 0, id, payload);
}

/** Takes a frame: its payload is `buffer[start, end)`, valid during the call. */
export type OnFrame = (type: number, flags: number, id: number, buffer: Buffer, start: number, end: number) => void;

/** Cuts what arrives into frames. */
export class FrameSplitter {
  #rest: Buffer | undefined;

  push(chunk: Buffer, onFrame: OnFrame): void {
    const buffer = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    while (buffer.length - at >= FRAME_HEADER) {
      const end = at + FRAME_HEADER + buffer.readUIntBE(at, 3);
      if (end > buffer.length) break;
      const id = buffer.readUInt32BE(at + 5) & 0x7fffffff;
      onFrame(buffer[at + 3]!, buffer[at + 4]!, id, buffer, at + FRAME_HEADER, end);
      at = end;
    }
    this.#rest = at === buffer.length ? undefined : buffer.subarray(at);
  }
}

/** The payload of a DATA or HEADERS frame without its padding: [start, end). */
export function unpadded(flags: number, buffer: Buffer, start: number, end: number): [number, number] {
  return (flags & Flag.PADDED) === 0 ? [start, end] : [start + 1, end - buffer[start]!];
}

/** Collects frames until they are written in one go. */
export class OutputBuffer {
  #buffer = Buffer.allocUnsafe(64 * 1024);
  #length = 0;

  /** Room for `size` octets, at `offset`, in `buffer`: the buffer may change with every call. */
  reserve(size: number): { buffer: Buffer; offset: number } {
    if (this.#length + size > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#length + size));
      this.#buffer.copy(larger, 0, 0, this.#length);
      this.#buffer = larger;
    }
    const offset = this.#length;
    this.#length += size;
    return { buffer: this.#buffer, offset };
  }

  /** Takes back the last `size` octets of what was reserved and not used. */
  giveBack(size: number): void {
    this.#length -= size;
  }

  append(octets: Buffer): void {
    const { buffer, offset } = this.reserve(octets.length);
    octets.copy(buffer, offset);
  }

  frame(type: number, flags: number, id: number, payload: Buffer): void {
    const { buffer, offset } = this.reserve(FRAME_HEADER + payload.length);
    payload.copy(buffer, writeFrameHeader(buffer, offset, payload.length, type, flags, id));
  }

  /** What was collected, as a buffer of the caller's own; undefined when there is nothing. */
  take(): Buffer | undefined {
    if (this.#length === 0) return undefined;
    const taken = Buffer.from(this.#buffer.subarray(0, this.#length));
    this.#length = 0;
    return taken;
  }
}
