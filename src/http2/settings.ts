import { ErrorCode } from './error-code.ts';
import { ConnectionError } from './errors.ts';
import { DEFAULT_MAX_FRAME, DEFAULT_WINDOW, getUint32, MAX_WINDOW, putUint32 } from './frame.ts';
import { shareLast } from './share-last.ts';

/** Identifiers of settings (RFC 9113 section 6.5.2). */
export const SettingId = {
  HEADER_TABLE_SIZE: 0x1,
  ENABLE_PUSH: 0x2,
  MAX_CONCURRENT_STREAMS: 0x3,
  INITIAL_WINDOW_SIZE: 0x4,
  MAX_FRAME_SIZE: 0x5,
  MAX_HEADER_LIST_SIZE: 0x6,
} as const;

/** What we announce, and the window of the connection, which is no setting but belongs here. Octets where not said otherwise. */
export interface LocalSettings {
  /** HPACK table that the peer's encoder may use. */
  readonly headerTableSize: number;
  /** Streams that the peer may have open at once (a server's limit). */
  readonly maxConcurrentStreams: number;
  /** What a peer may send on one stream before it is given back. */
  readonly initialWindowSize: number;
  /** What a peer may send on all streams together before it is given back. */
  readonly connectionWindowSize: number;
  readonly maxHeaderListSize: number;
}

/**
 * Defaults of a listener: a client may hold 1 MiB of our memory with uploads that nobody takes, and, by the streams that it
 * may have and their windows in `CLIENT_SETTINGS`, 12.5 MiB with responses that it does not take.
 */
export const SERVER_SETTINGS: LocalSettings = {
  headerTableSize: 4096,
  maxConcurrentStreams: 200,
  initialWindowSize: 131_072,
  connectionWindowSize: 1_048_576,
  maxHeaderListSize: 32_768,
};

/**
 * Defaults of a client: the connection is shared by many callers, and a slow one must not stop the others. The window of a
 * stream is what we hold of a response that its caller does not take.
 */
export const CLIENT_SETTINGS: LocalSettings = {
  headerTableSize: 4096,
  maxConcurrentStreams: 0,
  initialWindowSize: 65_535,
  connectionWindowSize: 16_777_216,
  maxHeaderListSize: 32_768,
};

/** What the peer announced. */
export interface PeerSettings {
  readonly headerTableSize: number;
  readonly maxConcurrentStreams: number;
  readonly initialWindowSize: number;
  readonly maxFrameSize: number;
}

/** What holds before the peer announced anything (RFC 9113 section 6.5.2). */
export const INITIAL_SETTINGS: PeerSettings = {
  headerTableSize: 4096,
  maxConcurrentStreams: Number.POSITIVE_INFINITY,
  initialWindowSize: DEFAULT_WINDOW,
  maxFrameSize: DEFAULT_MAX_FRAME,
};

/** Clients of one kind announce the same. */
const shareSettings = shareLast(INITIAL_SETTINGS);

/**
 * What holds after `before` and the payload of a SETTINGS frame.
 * @throws ConnectionError for values out of range (RFC 9113 section 6.5.2)
 */
export function applySettings(
  before: PeerSettings,
  payload: Buffer,
  start: number,
  end: number,
  fromServer: boolean,
): PeerSettings {
  if (start === end) return before;
  const after = { ...before };
  for (let at = start; at < end; at += 6) {
    applyOne(after, (payload[at]! << 8) | payload[at + 1]!, getUint32(payload, at + 2), fromServer);
  }
  return shareSettings(after);
}

function applyOne(
  settings: { -readonly [Name in keyof PeerSettings]: PeerSettings[Name] },
  id: number,
  value: number,
  fromServer: boolean,
): void {
  switch (id) {
    case SettingId.HEADER_TABLE_SIZE:
      settings.headerTableSize = value;
      break;
    case SettingId.ENABLE_PUSH:
      if (value > 1 || (fromServer && value !== 0)) {
        throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, 'invalid SETTINGS_ENABLE_PUSH (section 6.5.2)');
      }
      break;
    case SettingId.MAX_CONCURRENT_STREAMS:
      settings.maxConcurrentStreams = value;
      break;
    case SettingId.INITIAL_WINDOW_SIZE:
      if (value > MAX_WINDOW) {
        throw new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, 'invalid SETTINGS_INITIAL_WINDOW_SIZE (section 6.5.2)');
      }
      settings.initialWindowSize = value;
      break;
    case SettingId.MAX_FRAME_SIZE:
      if (value < DEFAULT_MAX_FRAME || value > 0xffffff) {
        throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, 'invalid SETTINGS_MAX_FRAME_SIZE (section 6.5.2)');
      }
      settings.maxFrameSize = value;
      break;
    default: // Unknown settings, and those that are advice only, are ignored (section 6.5.2).
  }
}

/** The payload of our SETTINGS frame. Push is off in both roles (RFC 9113 section 8.4: a client may refuse it). */
export function encodeSettings(settings: LocalSettings, server: boolean): Buffer {
  const pairs: [number, number][] = [
    [SettingId.HEADER_TABLE_SIZE, settings.headerTableSize],
    [SettingId.INITIAL_WINDOW_SIZE, settings.initialWindowSize],
    [SettingId.MAX_HEADER_LIST_SIZE, settings.maxHeaderListSize],
    server ? [SettingId.MAX_CONCURRENT_STREAMS, settings.maxConcurrentStreams] : [SettingId.ENABLE_PUSH, 0],
  ];
  const payload = Buffer.alloc(pairs.length * 6);
  pairs.forEach(([id, value], index) => {
    payload.writeUInt16BE(id, index * 6);
    putUint32(payload, index * 6 + 2, value);
  });
  return payload;
}
