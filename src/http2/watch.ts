import type { Connection } from './connection.ts';
import { ErrorCode } from './error-code.ts';
import { ConnectionError } from './errors.ts';
import type { FrameReader } from './frame-reader.ts';

const TOO_SLOW = new ConnectionError(ErrorCode.SETTINGS_TIMEOUT, 'the handshake takes too long', 'slow_handshake');
const STALLED = new ConnectionError(
  ErrorCode.ENHANCE_YOUR_CALM,
  'a frame or header block takes too long',
  'slow_headers',
);

/** Milliseconds without a stream after which a connection gives up its caches; if nothing came either, it is dormant. */
const IDLE_AFTER_MS = 5_000;

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
  #begun = 0;
  #mark = 0;
  #taken = 0;
  #takenAt: number;
  #streamsAt: number;
  #lingerMs = 0;
  #lingerUntil = 0;
  #drainingSince = 0;

  /**
   * @param now milliseconds of the owner's clock
   * @param readAt, busyAt the last read, and the last stream, on the same clock
   */
  constructor(connection: Connection, reader: FrameReader, now: number, readAt: number, busyAt: number) {
    this.#connection = connection;
    this.#reader = reader;
    this.#openedAt = this.#sweptAt = this.#progressAt = this.#takenAt = this.#streamsAt = now;
    this.#readAt = readAt;
    this.#busyAt = busyAt;
    this.#begun = connection.begun;
  }

  sawPingAck(): void {
    this.#pingedAt = 0;
  }

  /** Destroys the connection at the first sweep after `ms`; 0 takes that back. */
  closeWithin(ms: number): void {
    this.#lingerMs = ms;
    this.#lingerUntil = 0;
  }

  /** @param now milliseconds of the clock that gave the constructor's. */
  sweep(now: number): void {
    const connection = this.#connection;
    connection.flood.leak(now - this.#sweptAt);
    this.#sweptAt = now;
    if (this.#lingerMs > 0) this.#linger(now);
    else if (this.#isSlow(now)) connection.fail(TOO_SLOW);
    else if (this.#isStalled(now)) connection.fail(STALLED);
    else if (this.#isBlocked(now)) {
      connection.reportFlood('slow_reader'); // It would not read a GOAWAY either.
      connection.destroy();
    } else {
      this.#checkAlive(now);
      this.#checkIdle(now);
      this.#checkStreams(now);
      if (connection.state === 'draining') this.#checkDrain(now);
      else if (connection.retireAt !== undefined && now >= connection.retireAt) connection.drain();
      else if (this.#isQuiet(now)) connection.keeper?.onIdle(this.#readAt, this.#busyAt);
    }
  }

  /** A client that never acknowledges the PING of a drain has had time enough to see the GOAWAY before it. */
  #checkDrain(now: number): void {
    if (this.#drainingSince === 0) this.#drainingSince = now;
    else if (now - this.#drainingSince > this.#connection.limits.keepaliveTimeoutMs) this.#connection.goaway.confirm();
  }

  #linger(now: number): void {
    if (this.#lingerUntil === 0) this.#lingerUntil = now + this.#lingerMs;
    else if (now >= this.#lingerUntil) this.#connection.destroy();
  }

  /** The begin of a frame or of a header block and no end: the whole block counts, or it could be dripped frame by frame. */
  #isStalled(now: number): boolean {
    const { receiver, limits, paused } = this.#connection;
    const block = receiver.openBlock;
    const waiting = (this.#reader.waiting || block !== 0) && !paused;
    const mark = block === 0 ? this.#reader.frames : -block;
    if (!waiting || this.#mark !== mark) this.#progressAt = now;
    this.#mark = mark;
    return now - this.#progressAt > limits.handshakeTimeoutMs;
  }

  /** No preface, no SETTINGS, or no ACK of ours (section 6.5.3). */
  #isSlow(now: number): boolean {
    const { receiver, limits } = this.#connection;
    return !(receiver.settled && receiver.acknowledged) && now - this.#openedAt > limits.handshakeTimeoutMs;
  }

  /** Something waits for the peer, and its kernel takes nothing. */
  #isBlocked(now: number): boolean {
    const { taken, unsent, limits } = this.#connection;
    if (unsent === 0 || taken !== this.#taken) this.#takenAt = now;
    this.#taken = taken;
    return limits.writeTimeoutMs > 0 && now - this.#takenAt > limits.writeTimeoutMs;
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
      if (now - this.#pingedAt <= keepaliveTimeoutMs) return;
      this.#connection.reportFlood('silent_peer');
      this.#connection.destroy();
    } else if (now - this.#readAt >= keepaliveMs) {
      this.#pingedAt = now;
      this.#connection.ping();
    }
  }

  #checkIdle(now: number): void {
    const { limits, streams, state, begun } = this.#connection;
    const busy = streams.count > 0 || begun !== this.#begun;
    this.#begun = begun;
    if (busy) this.#busyAt = now;
    else if (now - this.#busyAt > IDLE_AFTER_MS) this.#connection.trim();
    if (limits.idleTimeoutMs > 0 && now - this.#busyAt > limits.idleTimeoutMs && state === 'open') {
      this.#connection.reportFlood('idle_connection');
      this.#connection.drain();
    }
  }

  /** Nothing has come for a while, and nothing is waited for. */
  #isQuiet(now: number): boolean {
    return this.#pingedAt === 0 && now - Math.max(this.#busyAt, this.#readAt) > IDLE_AFTER_MS;
  }

  /** Looks at the streams twice in the time that one may be idle: all of them at every sweep would be dear. */
  #checkStreams(now: number): void {
    const { limits, streams } = this.#connection;
    const period = limits.streamIdleTimeoutMs / 2;
    if (period === 0 || now - this.#streamsAt < period) return;
    this.#streamsAt = now;
    if (streams.count === 0) return;
    for (const stream of streams.list()) if (++stream.quiet > 2) this.#connection.endIdle(stream);
  }
}
