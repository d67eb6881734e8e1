/** What a peer may do to us on one connection. The reasons of the values are in `docs/limits.md`. */
export interface Limits {
  /** Octets of one compressed header block, over all its frames. */
  readonly maxHeaderBlock: number;
  /** CONTINUATION frames of one header block. */
  readonly maxContinuations: number;
  /** Fields of one header list. */
  readonly maxHeaderFields: number;
  /** Octets, roughly, that the headers of all open streams together may keep alive. */
  readonly maxHeaderMemory: number;
  /** DATA octets that wait for the socket before streams keep theirs to themselves. */
  readonly outputLimit: number;
  /** Octets of any kind that wait for the socket before we stop to read from a peer that does not read from us. */
  readonly outputPause: number;
  /** Octets of any kind that wait for the socket before the connection is given up. */
  readonly outputMax: number;
  /** Streams reset, by the peer or for its errors: so many at once, and so many more a second ("rapid reset", CVE-2023-44487). */
  readonly resetBurst: number;
  readonly resetRate: number;
  /** Frames that cost us and bring nothing (PING, SETTINGS, PRIORITY, empty DATA, ...): so many at once, and a second. */
  readonly controlBurst: number;
  readonly controlRate: number;
  /** Answers to such frames that may wait to be taken. */
  readonly maxQueuedAnswers: number;
  /** Frames (HEADERS count as eight) and octets of one connection that are worked on before others have their turn. */
  readonly turnFrames: number;
  readonly turnOctets: number;
  /** Milliseconds for a client's preface, for the first SETTINGS, for the ACK of ours, for a frame and for a header block. */
  readonly handshakeTimeoutMs: number;
  /** Milliseconds in which the peer takes nothing of what waits for it, before the connection is given up; 0: no limit. */
  readonly writeTimeoutMs: number;
  /** Milliseconds without a stream after which a connection is closed; 0: never. */
  readonly idleTimeoutMs: number;
  /** Milliseconds without a message in either direction after which a stream is reset; 0: never. */
  readonly streamIdleTimeoutMs: number;
  /** Milliseconds of silence after which a PING asks whether the peer lives; 0: never. */
  readonly keepaliveMs: number;
  /** Milliseconds that the answer may take. */
  readonly keepaliveTimeoutMs: number;
}

/** Defaults of a listener: anyone may connect. */
export const DEFAULT_LIMITS: Limits = {
  maxHeaderBlock: 61_440,
  maxContinuations: 8,
  maxHeaderFields: 256,
  maxHeaderMemory: 2_097_152,
  outputLimit: 262_144,
  outputPause: 1_048_576,
  outputMax: 4_194_304,
  resetBurst: 500,
  resetRate: 100,
  controlBurst: 900,
  controlRate: 1_000,
  maxQueuedAnswers: 1_000,
  turnFrames: 960,
  turnOctets: 1_048_576,
  handshakeTimeoutMs: 9_000,
  writeTimeoutMs: 60_000,
  idleTimeoutMs: 600_000,
  streamIdleTimeoutMs: 3_600_000,
  keepaliveMs: 0,
  keepaliveTimeoutMs: 10_000,
};

/**
 * Defaults of a client: there are few connections, to peers of our choice, and streams end with those of the listener. One
 * connection brings the answers to many callers: to cut its turns short would only make more, and smaller, writes of them. (Octets:
 * what libuv reads at most before it looks at others, 32 buffers. With less a call of 256 KiB each way cost a tenth more.)
 */
export const CLIENT_LIMITS: Limits = {
  ...DEFAULT_LIMITS,
  turnFrames: 16_384,
  turnOctets: 2_097_152,
  idleTimeoutMs: 0,
  streamIdleTimeoutMs: 0,
};
