/** Where a call comes from, by its `traceparent` (W3C Trace Context, level 2). */
export interface TraceParent {
  /** 32 hex digits. */
  readonly traceId: string;
  /** 16 hex digits: the caller's span. */
  readonly spanId: string;
  readonly sampled: boolean;
}

/** `version-traceid-parentid-flags`; a later version may say more behind them. */
const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const NO_TRACE = '0'.repeat(32);
const NO_SPAN = '0'.repeat(16);
const SAMPLED = 1;
/** W3C Baggage, section 3.3.2: what must be passed on at least; there is no reason for more. */
const MAX_BAGGAGE = 8192;

/** Reads a `traceparent`. @returns undefined when it is none (section 3.2.2): then the trace begins here */
export function parseTraceparent(text: string): TraceParent | undefined {
  const match = TRACEPARENT.exec(text);
  if (match === null) return undefined;
  const [, version, traceId = NO_TRACE, spanId = NO_SPAN, flags = '00', more] = match;
  if (version === 'ff' || (version === '00' && more !== undefined)) return undefined;
  if (traceId === NO_TRACE || spanId === NO_SPAN) return undefined;
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & SAMPLED) !== 0 };
}

export function formatTraceparent(traceId: string, spanId: string, sampled: boolean): string {
  return `00-${traceId}-${spanId}-0${sampled ? '1' : '0'}`;
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

/**
 * The id of a call's span: the last 8 octets of a UUID, the first of them replaced by the span's number, so that the spans of a
 * call need no random numbers of their own.
 * @param uuid made for this call alone; @param index 0 is the call, n its nth attempt, at most 255
 */
export function spanIdOf(uuid: string, index: number): string {
  return (index + 1).toString(16).padStart(2, '0').slice(-2) + uuid.slice(21, 23) + uuid.slice(24, 36);
}

const ZERO = 0x30;

/** The number that 8 lower-case hex digits of an id are. @param at where they begin */
export function hexNumber(text: string, at: number): number {
  let number = 0;
  for (let i = at; i < at + 8; i++) {
    const unit = text.charCodeAt(i);
    number = number * 16 + (unit < 0x40 ? unit - ZERO : unit - 0x57);
  }
  return number;
}

const TEXT = Buffer.from(`00-${NO_TRACE}-${NO_SPAN}-00`);
const TRACE_AT = 3;
const SPAN_AT = 36;
const FLAG_AT = 54;

/**
 * What `formatTraceparent` makes of `traceIdOf` and `spanIdOf`, in one piece: joined of slices it would cost three times as much,
 * and again when it is written.
 * @param traceId of the caller's trace; undefined: the trace begins with the call
 */
export function newTraceparent(traceId: string | undefined, uuid: string, index: number, sampled: boolean): string {
  if (traceId !== undefined) TEXT.latin1Write(traceId, TRACE_AT);
  else {
    // Without the dashes: 8-4-4-4-12.
    copyUnits(uuid, 0, 8, TRACE_AT);
    copyUnits(uuid, 9, 13, TRACE_AT + 8);
    copyUnits(uuid, 14, 18, TRACE_AT + 12);
    copyUnits(uuid, 19, 23, TRACE_AT + 16);
    copyUnits(uuid, 24, 36, TRACE_AT + 20);
  }
  const number = index + 1;
  TEXT[SPAN_AT] = digit((number >> 4) & 15);
  TEXT[SPAN_AT + 1] = digit(number & 15);
  copyUnits(uuid, 21, 23, SPAN_AT + 2);
  copyUnits(uuid, 24, 36, SPAN_AT + 4);
  TEXT[FLAG_AT] = sampled ? ZERO + 1 : ZERO;
  return TEXT.latin1Slice(0, 55);
}

function copyUnits(text: string, from: number, end: number, at: number): void {
  for (let i = from; i < end; i++) TEXT[at + i - from] = text.charCodeAt(i);
}

function digit(value: number): number {
  return value < 10 ? ZERO + value : 0x57 + value;
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
