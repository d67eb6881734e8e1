import { nextTick } from 'node:process';

/**
 * A question is waited for so long, and then for as long as others are answered with no more time between them than that: a
 * decision has 20 ms for a silent store, timers and turns included.
 */
const LATE_MS = 14;
const BETWEEN_MS = 4;
/** No answer is waited for longer than this, though others come. */
const SLOW_MS = 100;
/** A store that has not been heard for so long is silent. */
const SILENT_MS = 60;
/**
 * While questions wait, the sockets are looked at so often, and a look counts for no more than the second: where looks come
 * later, this machine had no time for us, and likely none for a store that runs on it, either.
 */
const LOOK_EVERY_MS = 4;
const LOOK_COUNTS_MS = 5;

/** A question that is waited for. */
export interface Question {
  /** Told once, when it is waited for no longer. */
  giveUp(error: unknown): void;
}

export interface LaneParts {
  readonly noAnswer: (ms: number) => Error;
  /** Heard again after it was late: after so many milliseconds without a word. */
  readonly onHeard: (ms: number) => void;
  /** Not heard for long: for so many milliseconds. */
  readonly onSilent: (ms: number) => void;
  /** All times are so many times longer. */
  readonly patience: number;
}

/**
 * The questions on one connection to a store. Answers come in the order of questions: a store that answers others is at
 * work on ours, and is waited for; one from which nothing comes is late, and all that wait are told.
 *
 * Its time is that of a clock of its own, which runs from look to look (`LOOK_COUNTS_MS`).
 */
export class Lane {
  readonly #parts: LaneParts;
  readonly #lateMs: number;
  readonly #betweenMs: number;
  readonly #slowMs: number;
  readonly #silentMs: number;
  /** That are waited for, and when each was written to the socket, by our clock; not a number before. */
  readonly #questions = new Map<Question, number>();
  /** Those of this turn, which are not written yet. */
  #unsent: Question[] = [];
  /** Our clock at the last look, and when that was: monotonic milliseconds. */
  #clock = 0;
  #lookedAt = 0;
  /** Nothing was heard since, by our clock and by everybody's; of use while there are questions. */
  #quietSince = 0;
  #quietAt = 0;
  #late = false;
  /** Questions that were given up may still be answered. */
  #underWay = 0;
  #timer: NodeJS.Timeout | undefined = undefined;

  constructor(parts: LaneParts) {
    this.#parts = parts;
    this.#lateMs = LATE_MS * parts.patience;
    this.#betweenMs = BETWEEN_MS * parts.patience;
    this.#slowMs = SLOW_MS * parts.patience;
    this.#silentMs = SILENT_MS * parts.patience;
  }

  /** Questions are under way, and nothing is heard. */
  get late(): boolean {
    return this.#late;
  }

  /** To be called before the question is written. */
  ask(question: Question): void {
    this.#underWay++;
    this.#questions.set(question, Number.NaN);
    // Commands are written when this turn's work is done (`OneWrite`), which may be thousands of calls: no time of the store's.
    if (this.#unsent.push(question) === 1) nextTick(this.#onSent);
  }

  /** An answer came. @returns whether it is still waited for */
  heard(question: Question): boolean {
    this.#underWay--;
    this.#wasHeard();
    return this.#questions.delete(question);
  }

  /** The connection broke, or the store answered with an error. @returns whether it is still waited for */
  failed(question: Question): boolean {
    if (--this.#underWay === 0) this.#wasHeard();
    return this.#questions.delete(question);
  }

  giveUpAll(): void {
    const ms = performance.now() - this.#quietAt;
    for (const question of this.#questions.keys()) question.giveUp(this.#parts.noAnswer(ms));
    this.#questions.clear();
  }

  /** The store was heard by somebody else. */
  begin(): void {
    this.#late = false;
    this.#beginQuiet(performance.now());
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  readonly #onSent = (): void => {
    const sent = this.#unsent;
    this.#unsent = [];
    const now = performance.now();
    if (this.#timer === undefined) {
      this.#lookedAt = now;
      this.#wake(LOOK_EVERY_MS);
    }
    // Nothing else is under way: whatever was, or was not, heard before is no matter.
    if (this.#underWay <= sent.length) this.#beginQuiet(now);
    const time = this.#timeAt(now);
    for (const question of sent) if (this.#questions.has(question)) this.#questions.set(question, time);
  };

  #timeAt(now: number): number {
    return this.#clock + Math.min(now - this.#lookedAt, LOOK_COUNTS_MS);
  }

  #beginQuiet(now: number): void {
    this.#quietSince = this.#timeAt(now);
    this.#quietAt = now;
  }

  #wasHeard(): void {
    const now = performance.now();
    if (this.#late) this.#parts.onHeard(now - this.#quietAt);
    this.#late = false;
    this.#beginQuiet(now);
  }

  /** One timer for all questions, which runs on when they are answered: to set one for each costs a microsecond. */
  #wake(ms: number): void {
    this.#timer = setTimeout(this.#onTimer, Math.max(1, Math.min(ms, LOOK_EVERY_MS))).unref();
  }

  readonly #onTimer = (): void => {
    const now = performance.now();
    // A busy event loop fires the timer before it reads the answer that has long been there. It is read now; what comes
    // while this turn goes on is not, so the turn does not count.
    setImmediate(() => {
      if (this.#timer === undefined) return;
      this.#timer = undefined;
      this.#clock = this.#timeAt(now);
      this.#lookedAt = now;
      this.#look(now);
    });
  };

  /** @param now until when everything that came was heard */
  #look(now: number): void {
    const clock = this.#clock;
    const quiet = clock - this.#quietSince;
    if (this.#late) {
      if (quiet >= this.#silentMs) this.#parts.onSilent(now - this.#quietAt);
      else this.#wake(this.#silentMs - quiet);
      return;
    }
    const [oldest] = this.#questions.values();
    if (oldest === undefined) return;
    const left = Math.max(oldest + this.#lateMs, this.#quietSince + this.#betweenMs) - clock;
    if (left <= 0) {
      this.#late = true;
      this.giveUpAll();
      this.#wake(this.#silentMs - quiet);
      return;
    }
    for (const [question, sentAt] of this.#questions) {
      if (clock - sentAt < this.#slowMs) break;
      this.#questions.delete(question);
      question.giveUp(this.#parts.noAnswer(this.#slowMs));
    }
    this.#wake(left);
  }
}
