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
