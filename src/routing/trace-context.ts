import { WrittenField } from '../http2/index.ts';
import { viewOf } from './hex.ts';
import { copySpanId, copyTraceId, REQUEST_ID, type RequestId } from './request-id.ts';

/** Where a call comes from, by its `traceparent` (W3C Trace Context, level 2). */
export interface TraceParent {
  /** 32 hex digits. */
  readonly traceId: string;
  /** 16 hex digits: the caller's span. */
  readonly spanId: string;
  readonly sampled: boolean;
}

/** `version-traceid-parentid-flags`; a later version may say more behind them. */
const FORM = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const NO_TRACE = '0'.repeat(32);
const NO_SPAN = '0'.repeat(16);
const SAMPLED = 1;
/** W3C Baggage, section 3.3.2: what must be passed on at least; there is no reason for more. */
const MAX_BAGGAGE = 8192;

/** Reads a `traceparent`. @returns undefined when it is none (section 3.2.2): then the trace begins here */
export function parseTraceparent(text: string): TraceParent | undefined {
  const match = FORM.exec(text);
  if (match === null) return undefined;
  const [, version, traceId = NO_TRACE, spanId = NO_SPAN, flags = '00', more] = match;
  if (version === 'ff' || (version === '00' && more !== undefined)) return undefined;
  if (traceId === NO_TRACE || spanId === NO_SPAN) return undefined;
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & SAMPLED) !== 0 };
}

/**
 * The trace that begins with a request of ours: its id without dashes, so that one is found by the other. A UUID of version 7
 * has 62 random bits at its end, and of a trace id only the last 56 have to be (W3C Trace Context level 2, section 3.2.2.3.1).
 * @param requestId a UUID
 */
export function traceIdOf(requestId: string): string {
  return (
    requestId.slice(0, 8) +
    requestId.slice(9, 13) +
    requestId.slice(14, 18) +
    requestId.slice(19, 23) +
    requestId.slice(24, 36)
  );
}

/** The id of a trace, a text only when somebody asks for it. Of the call it keeps nothing else. */
export class TraceId {
  readonly #foreign: string | undefined;
  readonly #uuid: RequestId;

  /** @param foreign the caller's; undefined: the trace begins with the call @param uuid made for the call */
  constructor(foreign: string | undefined, uuid: RequestId) {
    this.#foreign = foreign;
    this.#uuid = uuid;
  }

  /** 32 hex digits. */
  get text(): string {
    return this.#foreign ?? traceIdOf(this.#uuid.text);
  }
}

const TRACEPARENT = 'traceparent';
const TRACEPARENT_LENGTH = 55;
/** As HPACK counts it (RFC 7541 section 4.1). */
const TRACEPARENT_SIZE = TRACEPARENT.length + TRACEPARENT_LENGTH + 32;
const TRACE_AT = 3;
const SPAN_AT = 36;
const FLAGS_AT = 53;
/** Two digits each, ASCII. */
const VERSION = 0x3030;
const NO_FLAG = 0x3030;
const FLAG_SAMPLED = 0x3031;
const DASH = 0x2d;

abstract class TraceparentField extends WrittenField {
  get name(): string {
    return TRACEPARENT;
  }

  get length(): number {
    return TRACEPARENT_LENGTH;
  }

  /** Each block adds up its fields' sizes: worked out each time it was a seventh of what a `traceparent` costs. */
  override get size(): number {
    return TRACEPARENT_SIZE;
  }
}

/** What a `traceparent` says of an attempt of a call. */
export interface AttemptSpan {
  /** Of the caller's trace; undefined: the trace begins with the call. */
  readonly foreignTraceId: string | undefined;
  /** Made for this call alone. */
  readonly uuid: RequestId;
  /** Of the span: see `RequestId.writeSpanId`. */
  readonly index: number;
  readonly sampled: boolean;
}

/** The `traceparent` of any attempt, written where it is sent. */
export class AttemptTraceparent extends TraceparentField {
  readonly #span: AttemptSpan;

  constructor(span: AttemptSpan) {
    super();
    this.#span = span;
  }

  writeValue(target: Buffer, at: number): void {
    const { foreignTraceId, uuid, index, sampled } = this.#span;
    const view = viewOf(target);
    writeFrame(view, at, sampled);
    if (foreignTraceId === undefined) uuid.writeTraceId(view, at + TRACE_AT);
    else target.latin1Write(foreignTraceId, at + TRACE_AT);
    uuid.writeSpanId(index, view, at + SPAN_AT);
  }
}

/** The span of a first attempt. */
const FIRST = 1;

/**
 * The `traceparent` of the first attempt of a call that begins its trace: all of it comes of the request's id before it. So it is
 * the same object for all calls, and nothing is made for a call that is not sampled.
 */
class OwnTraceparent extends TraceparentField {
  readonly #sampled: boolean;

  constructor(sampled: boolean) {
    super();
    this.#sampled = sampled;
  }

  override writeValue(target: Buffer, at: number, last?: WrittenField, lastAt = 0): void {
    // By name: `instanceof` walks up the prototypes, for each call.
    if (last?.name !== REQUEST_ID) throw new Error('a traceparent is sent without the request id that it is made of');
    const view = viewOf(target);
    writeFrame(view, at, this.#sampled);
    copyTraceId(view, lastAt, at + TRACE_AT);
    copySpanId(FIRST, view, lastAt, at + SPAN_AT);
  }
}

/** @param sampled whether its spans are recorded */
export function ownTraceparent(sampled: boolean): WrittenField {
  return sampled ? OWN_SAMPLED : OWN;
}

const OWN = new OwnTraceparent(false);
const OWN_SAMPLED = new OwnTraceparent(true);

/** All but the ids. */
function writeFrame(view: DataView, at: number, sampled: boolean): void {
  view.setUint16(at, VERSION);
  view.setUint8(at + TRACE_AT - 1, DASH);
  view.setUint8(at + SPAN_AT - 1, DASH);
  view.setUint8(at + FLAGS_AT - 1, DASH);
  view.setUint16(at + FLAGS_AT, sampled ? FLAG_SAMPLED : NO_FLAG);
}

/**
 * Of `baggage` what may pass (W3C Baggage).
 * @param allowed keys
 * @returns undefined when nothing may
 */
export function filterBaggage(text: string, allowed: ReadonlySet<string>): string | undefined {
  if (allowed.size === 0 || text.length > MAX_BAGGAGE) return undefined;
  const members = text.split(',').filter((member) => {
    const end = member.search(/[=;]/);
    return end > 0 && member[end] === '=' && allowed.has(member.slice(0, end).trim());
  });
  return members.length === 0 ? undefined : members.map((member) => member.trim()).join(',');
}
