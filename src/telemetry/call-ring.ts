import type { Outcome, Refusal, StageWait } from '../chain/call.ts';
import type { PastAttempt } from '../routing/attempts.ts';
import type { EndedCall } from '../routing/exchange-parts.ts';
import { RequestId } from '../routing/request-id.ts';
import { traceIdOf } from '../routing/trace-context.ts';
import type { CallRecord } from './call-record.ts';
import { tenantOf } from './ended-call.ts';

// The numbers of a call: doubles, and behind them the words of its request's id and one of flags.
const STARTED_AT = 0;
const DURATION = 1;
/** Not a number: it reached none. */
const BACKEND_TIME = 2;
/** Milliseconds of the call's time at which the last attempt was sent. */
const SENT_AFTER = 3;
const REQUEST_OCTETS = 4;
const RESPONSE_OCTETS = 5;
const DOUBLES = 9;
const WORDS = 2 * DOUBLES;
const ID = 2 * (RESPONSE_OCTETS + 1);
const FLAGS = ID + 4;

// Flags, above the octet with the status.
const STATUS = 0xff;
const CANCELLED = 0x100;
const REACHED_BACKEND = 0x200;

// What is said of it in words.
const METHOD = 0;
const TENANT = 1;
const PRINCIPAL = 2;
const LISTENER = 3;
const BACKEND = 4;
const SENT_TO = 5;
const REMOTE = 6;
const TEXTS = 7;

/** What few calls have. */
interface More {
  /** The client's own request id; empty when it is ours. */
  readonly own: string;
  /** Undefined where the trace has the request's id. */
  readonly traceId: string | undefined;
  readonly refusal: Refusal | undefined;
  readonly waits: readonly StageWait[] | undefined;
  readonly past: readonly PastAttempt[] | undefined;
}

/**
 * The last calls, so many. Each is some numbers and texts that are written down one behind the other, in arrays that are there from the
 * start: as objects they were scattered over three times the memory, none of it in the processor's cache. What is written is copied: a
 * list that keeps the outcomes themselves has V8 allocate every one of them where only major collections look.
 */
export class CallRing {
  readonly #size: number;
  readonly #traced: boolean;
  readonly #doubles: Float64Array;
  readonly #words: Int32Array;
  readonly #texts: (string | undefined)[];
  readonly #more: (More | undefined)[];
  /** Calls ever put. */
  #calls = 0;

  /** @param traced tracing is on */
  constructor(size: number, traced: boolean) {
    this.#size = size;
    this.#traced = traced;
    this.#doubles = new Float64Array(size * DOUBLES);
    this.#words = new Int32Array(this.#doubles.buffer);
    this.#texts = new Array(size * TEXTS).fill('');
    this.#more = new Array(size).fill(undefined);
  }

  /** Remembers a call in the place of the oldest. */
  put(call: EndedCall, outcome: Outcome): void {
    const place = this.#calls++ % this.#size;
    const { attempts, id, startedAt } = call;
    this.#putNumbers(place * DOUBLES, startedAt, outcome, attempts === undefined ? 0 : attempts.sentAt - startedAt);
    const words = this.#words;
    const at = place * WORDS;
    words[at + ID] = id.a;
    words[at + ID + 1] = id.b;
    words[at + ID + 2] = id.c;
    words[at + ID + 3] = id.d;
    words[at + FLAGS] = flagsOf(outcome);
    this.#putTexts(place * TEXTS, call);
    const { own } = id;
    const traceId = call.otherTraceId;
    const { refusal } = outcome;
    const { waits } = call;
    const past = attempts?.past;
    const isPlain =
      own === '' && traceId === undefined && refusal === undefined && waits === undefined && past === undefined;
    this.#more[place] = isPlain ? undefined : { own, traceId, refusal, waits, past };
  }

  /** The call with this request id, the last one if there are several. */
  find(requestId: string): CallRecord | undefined {
    const first = Math.max(0, this.#calls - this.#size);
    const id = RequestId.parse(requestId);
    for (let call = this.#calls - 1; call >= first; call--) {
      const place = call % this.#size;
      if (this.#hasId(place, requestId, id)) return this.#read(place, requestId);
    }
    return undefined;
  }

  #putNumbers(at: number, startedAt: number, outcome: Outcome, sentAfter: number): void {
    const doubles = this.#doubles;
    const { durationMs, backendMs, traffic } = outcome;
    doubles[at + STARTED_AT] = startedAt;
    doubles[at + DURATION] = durationMs;
    doubles[at + BACKEND_TIME] = backendMs === undefined ? Number.NaN : backendMs;
    doubles[at + SENT_AFTER] = sentAfter;
    doubles[at + REQUEST_OCTETS] = traffic === undefined ? 0 : traffic.requestOctets;
    doubles[at + RESPONSE_OCTETS] = traffic === undefined ? 0 : traffic.responseOctets;
  }

  #putTexts(at: number, call: EndedCall): void {
    const texts = this.#texts;
    const { attempts } = call;
    texts[at + METHOD] = call.method?.name ?? '';
    texts[at + TENANT] = tenantOf(call) ?? '';
    texts[at + PRINCIPAL] = call.principal?.id ?? '';
    texts[at + LISTENER] = call.listener.name;
    texts[at + BACKEND] = attempts?.backendName ?? '';
    texts[at + SENT_TO] = attempts?.sentTo;
    texts[at + REMOTE] = call.remoteAddress;
  }

  /** Whether the call has this id. @param id what `text` comes to: there are thousands to compare it with */
  #hasId(place: number, text: string, { a, b, c, d, own }: RequestId): boolean {
    const ofClient = this.#more[place]?.own ?? '';
    if (ofClient !== '') return ofClient === text;
    const words = this.#words;
    const at = place * WORDS + ID;
    return own === '' && words[at + 3] === d && words[at + 2] === c && words[at + 1] === b && words[at] === a;
  }

  #read(place: number, requestId: string): CallRecord {
    const more = this.#more[place];
    const flags = this.#words[place * WORDS + FLAGS]!;
    const number = (which: number) => this.#doubles[place * DOUBLES + which]!;
    const text = (which: number) => this.#texts[place * TEXTS + which] ?? '';
    const backendMs = number(BACKEND_TIME);
    return {
      requestId,
      traceId: more?.traceId ?? (this.#traced ? traceIdOf(requestId) : ''),
      listener: text(LISTENER),
      tenantId: text(TENANT),
      principalId: text(PRINCIPAL),
      method: text(METHOD),
      status: flags & STATUS,
      refusal: more?.refusal,
      cancelled: (flags & CANCELLED) !== 0,
      durationMs: number(DURATION),
      backendMs: Number.isNaN(backendMs) ? undefined : backendMs,
      requestOctets: number(REQUEST_OCTETS),
      responseOctets: number(RESPONSE_OCTETS),
      startedAt: number(STARTED_AT),
      waits: more?.waits,
      backend: text(BACKEND),
      attempts: this.#attemptsOf(place),
      remoteAddress: text(REMOTE),
    };
  }

  #attemptsOf(place: number): PastAttempt[] {
    const past = this.#more[place]?.past ?? [];
    const endpoint = this.#texts[place * TEXTS + SENT_TO];
    if (endpoint === undefined) return [...past];
    const flags = this.#words[place * WORDS + FLAGS]!;
    const at = place * DOUBLES;
    const last = {
      endpoint,
      startedAt: this.#doubles[at + SENT_AFTER]!,
      endedAt: this.#doubles[at + DURATION]!,
      status: flags & STATUS,
      unprocessed: (flags & REACHED_BACKEND) === 0,
    };
    return [...past, last];
  }
}

function flagsOf({ status, cancelled, reachedBackend }: Outcome): number {
  return (status & STATUS) | (cancelled ? CANCELLED : 0) | (reachedBackend ? REACHED_BACKEND : 0);
}
