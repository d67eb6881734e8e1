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

/** A question that is waited for. */
export interface Question {
  readonly askedAt: number;
  /** Told once, when it is waited for no longer. */
  giveUp(error: unknown): void;
}

export interface LaneParts {
  readonly noAnswer: (ms: number) => Error;
  /** Heard again after it was late: after so many milliseconds without a word. */
  readonly onHeard: (ms: number) => void;
  /** Not heard for long. */
  readonly onSilent: () => void;
  /** All times are so many times longer. */
  readonly patience: number;
}

/**
 * The questions on one connection to a store. Answers come in the order of questions: a store that answers others is at
 * work on ours, and is waited for; one from which nothing comes is late, and all that wait are told.
 */
export class Lane {
  readonly #parts: LaneParts;
  readonly #lateMs: number;
  readonly #betweenMs: number;
  readonly #slowMs: number;
  readonly #silentMs: number;
  readonly #questions = new Set<Question>();
  /** Nothing was heard since; of use while there are questions. */
  #quietSince = 0;
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

  ask(question: Question): void {
    if (this.#underWay++ === 0) this.#quietSince = question.askedAt;
    this.#questions.add(question);
    if (this.#timer === undefined) this.#wake(this.#lateMs);
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
    const ms = performance.now() - this.#quietSince;
    for (const question of this.#questions) question.giveUp(this.#parts.noAnswer(ms));
    this.#questions.clear();
  }

  /** The store was heard by somebody else. */
  begin(): void {
    this.#late = false;
    this.#quietSince = performance.now();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #wasHeard(): void {
    const now = performance.now();
    if (this.#late) this.#parts.onHeard(now - this.#quietSince);
    this.#late = false;
    this.#quietSince = now;
  }

  /** One timer for all questions, which runs on when they are answered: to set one for each costs a microsecond. */
  #wake(ms: number): void {
    this.#timer = setTimeout(this.#onTimer, ms).unref();
  }

  readonly #onTimer = (): void => {
    const now = performance.now();
    // A busy event loop fires the timer before it reads the answer that has long been there. It is read now; what comes
    // while this turn goes on is not, so the turn does not count.
    setImmediate(() => {
      if (this.#timer === undefined) return;
      this.#timer = undefined;
      this.#look(now);
    });
  };

  /** @param now until when everything that came was heard */
  #look(now: number): void {
    const [oldest] = this.#questions;
    if (this.#late) {
      if (now - this.#quietSince >= this.#silentMs) this.#parts.onSilent();
      else this.#wake(this.#silentMs - (now - this.#quietSince));
      return;
    }
    if (oldest === undefined) return;
    const left = Math.max(oldest.askedAt + this.#lateMs, this.#quietSince + this.#betweenMs) - now;
    if (left <= 0) {
      this.#late = true;
      this.giveUpAll();
      this.#wake(Math.max(1, this.#silentMs - (now - this.#quietSince)));
      return;
    }
    for (const question of this.#questions) {
      if (now - question.askedAt < this.#slowMs) break;
      this.#questions.delete(question);
      question.giveUp(this.#parts.noAnswer(this.#slowMs));
    }
    this.#wake(Math.max(1, left));
  }
}
