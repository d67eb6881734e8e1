import type { Connection } from './connection.ts';
import { ErrorCode } from './error-code.ts';
import { ConnectionError } from './errors.ts';
import type { FrameReader } from './frame-reader.ts';

/**
 * The timeouts of one connection. No timers: a sweep of the owner looks at all connections about once a second, so a
 * timeout may be late by that.
 */
export class Watch {
  /** Something was read since the last sweep. */
  sawRead = false;
  readonly #connection: Connection;
  readonly #reader: FrameReader;
  readonly #openedAt: number;
  #sweptAt: number;
  #readAt: number;
  #pingedAt = 0;
  #busyAt: number;
  #progressAt: number;
  #frames = 0;
  #lingerMs = 0;
  #lingerUntil = 0;

  constructor(connection: Connection, reader: FrameReader, now: number) {
    this.#connection = connection;
    this.#reader = reader;
    this.#openedAt = this.#sweptAt = this.#readAt = this.#busyAt = this.#progressAt = now;
  }

  sawPingAck(): void {
    this.#pingedAt = 0;
  }

  /** Destroys the connection at the first sweep after `ms`. */
  closeWithin(ms: number): void {
    this.#lingerMs = ms;
  }

  /** @param now milliseconds of the clock that gave the constructor's. */
  sweep(now: number): void {
    const connection = this.#connection;
    connection.flood.leak(now - this.#sweptAt);
    this.#sweptAt = now;
    if (this.#lingerMs > 0) this.#linger(now);
    else if (this.#isStalled(now)) {
      connection.fail(new ConnectionError(ErrorCode.SETTINGS_TIMEOUT, 'the peer stalls the handshake or a frame'));
    } else {
      this.#checkAlive(now);
      this.#checkIdle(now);
    }
  }

  #linger(now: number): void {
    if (this.#lingerUntil === 0) this.#lingerUntil = now + this.#lingerMs;
    else if (now >= this.#lingerUntil) this.#connection.destroy();
  }

  /** No preface, no SETTINGS, no ACK of ours (section 6.5.3), or the begin of a frame or header block and no more. */
  #isStalled(now: number): boolean {
    const { receiver, limits } = this.#connection;
    const waiting = (this.#reader.waiting || receiver.midBlock) && !this.#connection.paused;
    if (!waiting || this.#frames !== this.#reader.frames) this.#progressAt = now;
    this.#frames = this.#reader.frames;
    if (now - this.#progressAt > limits.handshakeTimeoutMs) return true;
    return !(receiver.settled && receiver.acknowledged) && now - this.#openedAt > limits.handshakeTimeoutMs;
  }

  #checkAlive(now: number): void {
    const { keepaliveMs, keepaliveTimeoutMs } = this.#connection.limits;
    if (this.sawRead) {
      this.sawRead = false;
      this.#readAt = now;
      this.#pingedAt = 0;
    }
    if (keepaliveMs === 0) return;
    if (this.#pingedAt > 0) {
      if (now - this.#pingedAt > keepaliveTimeoutMs) this.#connection.destroy();
    } else if (now - this.#readAt >= keepaliveMs) {
      this.#pingedAt = now;
      this.#connection.ping();
    }
  }

  #checkIdle(now: number): void {
    const { limits, streams } = this.#connection;
    if (streams.count > 0) this.#busyAt = now;
    else if (limits.idleTimeoutMs > 0 && now - this.#busyAt > limits.idleTimeoutMs) this.#connection.drain();
  }
}
