import type { Call } from '../chain/call.ts';
import { type ExtraField, Field, Indexing } from '../http2/index.ts';
import { Kind } from './header-names.ts';
import type { RequestHead } from './request-head.ts';
import type { RequestId, RequestIds } from './request-id.ts';
import { AttemptTraceparent, filterBaggage, TraceId } from './trace-context.ts';

/** What a sampling decision looks at. */
export interface TracedCall extends Pick<Call, 'method' | 'tenant'> {
  /** The last 32 bits of the trace's id, which are random, as a number. */
  readonly randomBits: number;
  /** The caller's decision; undefined when the trace begins here. */
  readonly parentSampled: boolean | undefined;
}

/** What decides which calls are traced. */
export interface TracePolicy {
  /** Asked once a call: when it is sent to a backend, or else at its end. */
  sample(call: TracedCall): boolean;
  /** Keys of `baggage` that are passed on. */
  readonly baggage: ReadonlySet<string>;
}

const NONE: readonly Field[] = [];

/** What a call knows of itself that its trace is made of. */
export interface TraceableCall extends Pick<Call, 'tenant'> {
  readonly id: RequestId;
  readonly sampled: boolean;
}

/**
 * The trace that a call belongs to, and what its backend is told of it. There is one of calls that are part of a caller's trace, of
 * those that are sent again, and of those whose spans are kept; of all others the request's id says everything.
 */
export class CallTrace {
  readonly #call: TraceableCall;
  readonly #head: RequestHead;
  readonly #baggage: ReadonlySet<string>;
  /** Made by us for this call: of it come the ids of its spans, and of its trace unless that is the caller's. */
  readonly uuid: RequestId;

  /**
   * @param baggage keys that are passed on
   * @param ids for a request id that is the client's, and may come twice
   */
  constructor(call: TraceableCall, head: RequestHead, baggage: ReadonlySet<string>, ids: RequestIds) {
    this.#call = call;
    this.#head = head;
    this.#baggage = baggage;
    this.uuid = call.id.own === '' ? call.id : ids.next();
  }

  get id(): TraceId {
    return new TraceId(this.foreignTraceId, this.uuid);
  }

  /** 32 hex digits. */
  get traceId(): string {
    return this.id.text;
  }

  /** That of the caller, where the trace is his. */
  get foreignTraceId(): string | undefined {
    return this.#head.traceParent?.traceId;
  }

  /** The caller's span. */
  get parentSpanId(): string | undefined {
    return this.#head.traceParent?.spanId;
  }

  /** The `traceparent` of the nth attempt. */
  parentField(attempt: number): ExtraField {
    const { foreignTraceId, uuid } = this;
    return new AttemptTraceparent({ foreignTraceId, uuid, index: attempt, sampled: this.#call.sampled });
  }

  /** What else of the caller's trace the backend is told. */
  passedFields(): readonly Field[] {
    const head = this.#head;
    if (head.traceFields.length === 0) return NONE;
    // The state belongs to the parent: without one that is valid, it is nobody's (section 3.3).
    const state = this.parentSpanId === undefined ? NONE : head.traceFieldsOf(Kind.TRACESTATE);
    return [...state, ...this.#passedBaggage(head.traceFieldsOf(Kind.BAGGAGE))];
  }

  /** A stranger's baggage is nobody's business. */
  #passedBaggage(baggage: readonly Field[]): readonly Field[] {
    if (baggage.length === 0 || this.#call.tenant === undefined) return NONE;
    const passed = filterBaggage(baggage.map(({ value }) => value).join(','), this.#baggage);
    return passed === undefined ? NONE : [new Field('baggage', passed, Kind.BAGGAGE, Indexing.SKIP)];
  }
}
