/** Frame types (RFC 9113 section 6). */
export const FrameType = {
  DATA: 0x0,
  HEADERS: 0x1,
  PRIORITY: 0x2,
  RST_STREAM: 0x3,
  SETTINGS: 0x4,
  PUSH_PROMISE: 0x5,
  PING: 0x6,
  GOAWAY: 0x7,
  WINDOW_UPDATE: 0x8,
  CONTINUATION: 0x9,
} as const;

/** Flags of frames (RFC 9113 section 6). ACK and END_STREAM share a bit. */
export const Flag = {
  END_STREAM: 0x1,
  ACK: 0x1,
  END_HEADERS: 0x4,
  PADDED: 0x8,
  PRIORITY: 0x20,
} as const;

/** Octets of a frame header (RFC 9113 section 4.1). */
export const FRAME_HEADER = 9;

/** The payload every endpoint must take, and the largest that this engine sends (RFC 9113 section 4.2). */
export const DEFAULT_MAX_FRAME = 16_384;

/** The largest flow-control window (RFC 9113 section 6.9.1), and the largest stream id. */
export const MAX_WINDOW = 0x7fffffff;
export const MAX_STREAM_ID = 0x7fffffff;

/** Windows before any SETTINGS (RFC 9113 section 6.9.2). */
export const DEFAULT_WINDOW = 65_535;

/** What a client sends first (RFC 9113 section 3.4). */
export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

/** Writes a frame header. Byte stores, since `writeUInt32BE` and its range checks show in profiles. */
export function putFrameHeader(
  target: Buffer,
  at: number,
  length: number,
  type: number,
  flags: number,
  id: number,
): void {
  target[at] = length >>> 16;
  target[at + 1] = length >>> 8;
  target[at + 2] = length;
  target[at + 3] = type;
  target[at + 4] = flags;
  putUint32(target, at + 5, id);
}

/** Writes 32 bits, big endian. */
export function putUint32(target: Buffer, at: number, value: number): void {
  target[at] = value >>> 24;
  target[at + 1] = value >>> 16;
  target[at + 2] = value >>> 8;
  target[at + 3] = value;
}

/** Reads 32 bits, big endian, unsigned. */
export function getUint32(source: Buffer, at: number): number {
  return getUint31(source, at) + (source[at]! >= 0x80 ? 0x80000000 : 0);
}

/** Reads 32 bits, big endian, without the reserved bit: stream ids and window increments. */
export function getUint31(source: Buffer, at: number): number {
  return ((source[at]! & 0x7f) << 24) | (source[at + 1]! << 16) | (source[at + 2]! << 8) | source[at + 3]!;
}
