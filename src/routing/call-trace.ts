import type { Call } from '../chain/call.ts';
import { type ExtraField, Field, Indexing } from '../http2/index.ts';
import { Kind } from './header-names.ts';
import type { RequestHead } from './request-head.ts';
import type { RequestId, RequestIds } from './request-id.ts';
import { filterBaggage, type TraceParent, TraceparentField, traceIdOf } from './trace-context.ts';

/** What decides which calls are traced. */
export interface TracePolicy {
  /** Asked once a call: when it is sent to a backend, or else at its end. */
  sample(call: TracedCall): boolean;
  /** Keys of `baggage` that are passed on. */
  readonly baggage: ReadonlySet<string>;
}

/** What a sampling decision may look at. */
export interface TracedCall extends Pick<Call, 'method' | 'tenant'> {
  readonly traceId: string;
  /** Its last 32 bits, which are random, as a number. */
  readonly randomBits: number;
  /** The caller's decision; undefined when the trace begins here. */
  readonly parentSampled: boolean | undefined;
}

const NONE: readonly Field[] = [];

/**
 * The trace that a call belongs to, and what its backend is told of it: it is itself the `traceparent` of the first attempt, for an
 * object less of each call. There is one while tracing is on; nothing of it is computed before somebody asks. What is asked at the end of
 * a call is in it: the call's other objects are out of the processor's cache by then.
 */
export class CallTrace extends TraceparentField implements TracedCall {
  readonly #call: Pick<Call, 'method' | 'tenant'>;
  readonly #head: RequestHead;
  readonly #policy: TracePolicy;
  /** Made by us for this call. */
  readonly uuid: RequestId;
  readonly #parent: TraceParent | undefined;
  /** It is the request's id, too. */
  readonly #hasOwnId: boolean;
  #sampled: boolean | undefined = undefined;

  /** @param ids for a request id that is the client's, and may come twice */
  constructor(
    call: Pick<Call, 'method' | 'tenant'>,
    head: RequestHead,
    policy: TracePolicy,
    requestId: RequestId,
    ids: RequestIds,
  ) {
    super();
    this.#call = call;
    this.#head = head;
    this.#parent = head.traceParent;
    this.#policy = policy;
    this.#hasOwnId = requestId.own === '';
    this.uuid = this.#hasOwnId ? requestId : ids.next();
  }

  get method(): Call['method'] {
    return this.#call.method;
  }

  get tenant(): Call['tenant'] {
    return this.#call.tenant;
  }

  /** 32 hex digits. */
  get traceId(): string {
    return this.#parent?.traceId ?? traceIdOf(this.uuid.text);
  }

  /** The trace's id, where it is not the request's own without dashes. */
  get otherTraceId(): string | undefined {
    const parent = this.#parent;
    if (parent !== undefined) return parent.traceId;
    return this.#hasOwnId ? undefined : this.traceId;
  }

  get randomBits(): number {
    const parent = this.#parent;
    return parent === undefined ? this.uuid.d >>> 0 : Number.parseInt(parent.traceId.slice(24), 16);
  }

  get parentSampled(): boolean | undefined {
    return this.#parent?.sampled;
  }

  /** The caller's span. */
  get parentSpanId(): string | undefined {
    return this.#parent?.spanId;
  }

  /** Whether its spans are recorded whatever becomes of it. Decided when first asked. */
  get sampled(): boolean {
    this.#sampled ??= this.#policy.sample(this);
    return this.#sampled;
  }

  get foreignTraceId(): string | undefined {
    return this.#parent?.traceId;
  }

  get index(): number {
    return 1;
  }

  /** The `traceparent` of the nth attempt. */
  parentField(attempt: number): ExtraField {
    return attempt === 1 ? this : new LaterAttempt(this, attempt);
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
    if (baggage.length === 0 || this.tenant === undefined) return NONE;
    const passed = filterBaggage(baggage.map(({ value }) => value).join(','), this.#policy.baggage);
    return passed === undefined ? NONE : [new Field('baggage', passed, Kind.BAGGAGE, Indexing.SKIP)];
  }
}

class LaterAttempt extends TraceparentField {
  readonly #trace: CallTrace;
  readonly index: number;

  constructor(trace: CallTrace, index: number) {
    super();
    this.#trace = trace;
    this.index = index;
  }

  get foreignTraceId(): string | undefined {
    return this.#trace.foreignTraceId;
  }

  get uuid(): RequestId {
    return this.#trace.uuid;
  }

  get sampled(): boolean {
    return this.#trace.sampled;
  }
}
