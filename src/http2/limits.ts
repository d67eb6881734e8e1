import { ErrorCode } from './error-code.ts';
import { ConnectionError } from './errors.ts';

/** What a peer may do to us on one connection. */
export interface Limits {
  /** Octets of one compressed header block, over all its frames. */
  readonly maxHeaderBlock: number;
  /** CONTINUATION frames of one header block. */
  readonly maxContinuations: number;
  /** Fields of one header list. */
  readonly maxHeaderFields: number;
  /** DATA octets that wait for the socket before streams keep theirs to themselves. */
  readonly outputLimit: number;
  /** Octets of any kind that wait for the socket before we stop to read from a peer that does not read from us. */
  readonly outputPause: number;
  /** Streams reset, by the peer or for its errors: so many at once, and so many more a second ("rapid reset", CVE-2023-44487). */
  readonly resetBurst: number;
  readonly resetRate: number;
  /** Frames that cost us and bring nothing (PING, SETTINGS, PRIORITY, empty DATA, ...): so many at once, and a second. */
  readonly controlBurst: number;
  readonly controlRate: number;
  /** Milliseconds for a client's preface, for the first SETTINGS, for the ACK of ours, and between a block's frames. */
  readonly handshakeTimeoutMs: number;
  /** Milliseconds without a stream after which a connection is closed; 0: never. */
  readonly idleTimeoutMs: number;
  /** Milliseconds of silence after which a PING asks whether the peer lives; 0: never. */
  readonly keepaliveMs: number;
  /** Milliseconds that the answer may take. */
  readonly keepaliveTimeoutMs: number;
}

export const DEFAULT_LIMITS: Limits = {
  maxHeaderBlock: 65_536,
  maxContinuations: 8,
  maxHeaderFields: 256,
  outputLimit: 262_144,
  outputPause: 1_048_576,
  resetBurst: 1_000,
  resetRate: 100,
  controlBurst: 10_000,
  controlRate: 10_000,
  handshakeTimeoutMs: 10_000,
  idleTimeoutMs: 0,
  keepaliveMs: 0,
  keepaliveTimeoutMs: 10_000,
};

/** Counts what floods are made of. Leaky buckets that a sweep lets out, so that a frame costs an addition, no clock. */
export class FloodGuard {
  readonly #limits: Limits;
  #resets = 0;
  #control = 0;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** A stream was reset by the peer, or by us for the peer's error. @throws ConnectionError when that is too many. */
  countReset(): void {
    if (++this.#resets > this.#limits.resetBurst) {
      throw new ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, 'too many streams reset (section 10.5)');
    }
  }

  /** A frame that brings nothing. @throws ConnectionError when that is too many. */
  countControl(): void {
    if (++this.#control > this.#limits.controlBurst) {
      throw new ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, 'too many control frames (section 10.5)');
    }
  }

  /** Lets out what `elapsedMs` allow. */
  leak(elapsedMs: number): void {
    this.#resets = Math.max(0, this.#resets - (this.#limits.resetRate * elapsedMs) / 1000);
    this.#control = Math.max(0, this.#control - (this.#limits.controlRate * elapsedMs) / 1000);
  }
}
