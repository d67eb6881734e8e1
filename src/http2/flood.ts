import { ErrorCode } from './error-code.ts';
import { ConnectionError } from './errors.ts';
import type { Limits } from './limits.ts';

/** The limits that a peer can break, by the name under which they are counted; `docs/limits.md` says more of each. */
export const FLOOD_KINDS = [
  'rapid_reset',
  'made_you_reset',
  'continuation',
  'header_list',
  'header_memory',
  'streams',
  'ping',
  'settings',
  'priority',
  'window_update',
  'empty_data',
  'closed_stream',
  'other_frames',
  'unread_answers',
  'unread_output',
  'slow_handshake',
  'slow_headers',
  'slow_reader',
  'silent_peer',
  'idle_connection',
  'idle_stream',
  'connections',
  'connections_of_source',
] as const;
export type FloodKind = (typeof FLOOD_KINDS)[number];

/** Shares of the resets that are allowed from which on a connection is suspect, and from which on its requests are held. */
const SUSPECT = 1 / 8;
const HOLD = 1 / 32;

/** Frames of a peer that one frame of ours with a message pays for: its PING, and updates of both windows. */
const CREDIT = 4;

/**
 * Counts what floods are made of. Leaky buckets that a sweep lets out, so that a frame costs an addition and no clock.
 *
 * Peers acknowledge what we send: clients that measure the bandwidth send a PING for nearly every message they get, others an
 * update of both windows. So what we send pays for what comes; only what is beyond that fills the bucket.
 */
export class FloodGuard {
  readonly #limits: Limits;
  readonly #sent: { readonly frames: number };
  #resets = 0;
  #control = 0;
  /** Frames of ours that have paid. */
  #spent = 0;
  /** Answers since the socket took something last, and in the time before that. */
  #answers = 0;
  #answersBefore = 0;

  /** @param sent counts frames of ours that carry messages */
  constructor(limits: Limits, sent: { readonly frames: number }) {
    this.#limits = limits;
    this.#sent = sent;
  }

  /**
   * A stream was reset by the peer ("rapid reset"), or by us for the peer's error ("made you reset").
   * @param weight what it costs us, 1 for an ordinary one
   * @throws ConnectionError when that is too many
   */
  countReset(kind: 'rapid_reset' | 'made_you_reset' | 'header_list', weight = 1): void {
    this.#resets += weight;
    if (this.#resets > this.#limits.resetBurst) {
      throw new ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, 'too many streams reset (section 10.5)', kind);
    }
  }

  /**
   * A frame that brings nothing.
   * @param weight what it costs us, 1 for an ordinary one
   * @throws ConnectionError when that is too many
   */
  countControl(kind: FloodKind, weight = 1): void {
    this.#control += weight;
    if (this.#control <= this.#limits.controlBurst) return;
    const paid = this.#sent.frames - this.#spent;
    this.#spent = this.#sent.frames;
    this.#control = Math.max(weight, this.#control - CREDIT * paid);
    if (this.#control > this.#limits.controlBurst) {
      throw new ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, 'too many frames without use (section 10.5)', kind);
    }
  }

  /** We wrote a frame only because of one of the peer. @throws ConnectionError when too many of them wait to be taken */
  countAnswer(): void {
    if (++this.#answers + this.#answersBefore > this.#limits.maxQueuedAnswers) {
      throw new ConnectionError(
        ErrorCode.ENHANCE_YOUR_CALM,
        'too many answers are not taken (section 10.5)',
        'unread_answers',
      );
    }
  }

  /** The socket took a write: what was counted before the one before is gone. @param all nothing waits any more */
  onTaken(all: boolean): void {
    this.#answersBefore = all ? 0 : this.#answers;
    this.#answers = 0;
  }

  /** More streams were reset than a proper client does, and not yet too many: others are to wait less for this one. */
  get suspects(): boolean {
    return this.#resets > this.#limits.resetBurst * SUSPECT;
  }

  /** Enough streams were reset that the next ones may be as well, and had better be held before anybody works on them. */
  get holds(): boolean {
    return this.#resets > this.#limits.resetBurst * HOLD;
  }

  /** Nothing is counted. */
  get isEmpty(): boolean {
    return this.#resets + this.#control + this.#answers + this.#answersBefore === 0;
  }

  /** Lets out what `elapsedMs` allow; nothing where the clock that is asked late is behind. */
  leak(elapsedMs: number): void {
    const seconds = Math.max(0, elapsedMs) / 1000;
    this.#resets = Math.max(0, this.#resets - this.#limits.resetRate * seconds);
    this.#control = Math.max(0, this.#control - this.#limits.controlRate * seconds);
  }
}
