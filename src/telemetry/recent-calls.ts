import type { Outcome, Refusal, StageWait } from '../chain/call.ts';
import { Code } from '../grpc/status.ts';
import type { PastAttempt } from '../routing/attempts.ts';
import type { EndedCall } from '../routing/exchange-parts.ts';
import { RequestId } from '../routing/request-id.ts';
import { traceIdOf } from '../routing/trace-context.ts';
import { tenantOf } from './ended-call.ts';
import { isServerError } from './server-error.ts';

/**
 * What is remembered of a call. Its fields are overwritten by a later call: whoever asks reads it at once. The outcome's are
 * copied: a list that keeps the outcomes themselves has V8 allocate every one of them where only major collections look.
 */
export class CallRecord {
  /** The words of the request's id, and the client's own. */
  #a = 0;
  #b = 0;
  #c = 0;
  #d = 0;
  #own = '';
  #isTraced = false;
  #otherTraceId: string | undefined = undefined;
  listener = '';
  tenantId = '';
  principalId = '';
  method = '';
  /** As of the call's `Outcome`. */
  status: number = Code.UNKNOWN;
  refusal: Refusal | undefined = undefined;
  reachedBackend = false;
  cancelled = false;
  durationMs = 0;
  backendMs: number | undefined = undefined;
  requestOctets = 0;
  responseOctets = 0;
  /** Monotonic milliseconds. */
  startedAt = 0;
  waits: readonly StageWait[] | undefined = undefined;
  backend = '';
  remoteAddress = '';
  #past: readonly PastAttempt[] | undefined = undefined;
  #sentTo: string | undefined = undefined;
  /** Milliseconds of the call's time at which the last attempt was sent. */
  #sentAfter = 0;

  fill(call: EndedCall, outcome: Outcome): void {
    const { attempts, principal, id, trace } = call;
    this.#a = id.a;
    this.#b = id.b;
    this.#c = id.c;
    this.#d = id.d;
    this.#own = id.own;
    this.#isTraced = trace !== undefined;
    this.#otherTraceId = trace?.otherTraceId;
    this.listener = call.listener.name;
    this.tenantId = tenantOf(call) ?? '';
    this.principalId = principal?.id ?? '';
    this.method = call.method?.name ?? '';
    this.status = outcome.status;
    this.refusal = outcome.refusal;
    this.reachedBackend = outcome.reachedBackend;
    this.cancelled = outcome.cancelled;
    this.durationMs = outcome.durationMs;
    this.backendMs = outcome.backendMs;
    this.requestOctets = outcome.traffic?.requestOctets ?? 0;
    this.responseOctets = outcome.traffic?.responseOctets ?? 0;
    this.startedAt = call.startedAt;
    this.waits = call.waits;
    this.backend = attempts?.backendName ?? '';
    this.remoteAddress = call.remoteAddress;
    this.#past = attempts?.past;
    this.#sentTo = attempts?.sentTo;
    this.#sentAfter = attempts === undefined ? 0 : attempts.sentAt - call.startedAt;
  }

  get requestId(): string {
    return new RequestId(this.#a, this.#b, this.#c, this.#d, this.#own).text;
  }

  /** Whether the call has this id. @param text of it @param words the same, read: there are thousands to compare it with */
  hasId(text: string, words: RequestId): boolean {
    if (this.#own !== '') return this.#own === text;
    return words.own === '' && words.d === this.#d && words.c === this.#c && words.b === this.#b && words.a === this.#a;
  }

  /** Empty when there was no tracing. */
  get traceId(): string {
    return this.#isTraced ? (this.#otherTraceId ?? traceIdOf(this.requestId)) : '';
  }

  get attempts(): PastAttempt[] {
    const past = this.#past ?? [];
    if (this.#sentTo === undefined) return [...past];
    const last = {
      endpoint: this.#sentTo,
      startedAt: this.#sentAfter,
      endedAt: this.durationMs,
      status: this.status,
      unprocessed: !this.reachedBackend,
    };
    return [...past, last];
  }
}

/** Calls that are remembered: those that went well, of strangers, and of tenants that failed, were refused or slow. */
const ORDINARY = 2048;
const STRANGERS = 1024;
const REMARKABLE = 4096;
const SLOW_MS = 1000;

/**
 * The last calls, in three rings, so that neither what goes well nor what strangers send pushes out the calls that people ask
 * for. Records are used again: a call costs some writes and no allocation.
 */
export class RecentCalls {
  readonly #ordinary = new Ring(ORDINARY);
  readonly #strangers = new Ring(STRANGERS);
  readonly #remarkable = new Ring(REMARKABLE);

  /** A subscriber of the end of calls. */
  readonly onEnd = (call: EndedCall, outcome: Outcome): void => {
    const isFine = outcome.refusal === undefined && !isServerError(outcome.status) && outcome.durationMs < SLOW_MS;
    const ring = isFine ? this.#ordinary : call.principal === undefined ? this.#strangers : this.#remarkable;
    ring.next().fill(call, outcome);
  };

  /** The call with this request id, the last one if there are several. */
  find(requestId: string): CallRecord | undefined {
    return this.#remarkable.find(requestId) ?? this.#strangers.find(requestId) ?? this.#ordinary.find(requestId);
  }
}

class Ring {
  readonly #records: CallRecord[] = [];
  readonly #size: number;
  #next = 0;

  constructor(size: number) {
    this.#size = size;
  }

  /** The oldest record, to be filled anew. */
  next(): CallRecord {
    let record = this.#records[this.#next];
    if (record === undefined) {
      record = new CallRecord();
      this.#records[this.#next] = record;
    }
    this.#next = this.#next + 1 === this.#size ? 0 : this.#next + 1;
    return record;
  }

  find(requestId: string): CallRecord | undefined {
    const count = this.#records.length;
    const words = RequestId.parse(requestId);
    for (let back = 1; back <= count; back++) {
      const record = this.#records[(this.#next - back + count) % count];
      if (record?.hasId(requestId, words)) return record;
    }
    return undefined;
  }
}
