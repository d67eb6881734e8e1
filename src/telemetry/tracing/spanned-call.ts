import type { Outcome, StageWait } from '../../chain/call.ts';
import type { PastAttempt } from '../../routing/attempts.ts';
import type { CallTrace } from '../../routing/call-trace.ts';
import type { EndedCall } from '../../routing/exchange-parts.ts';
import { RequestId } from '../../routing/request-id.ts';
import { countAttempts, tenantOf } from '../ended-call.ts';

const MAX_ATTEMPTS = 100;
const MAX_WAITS = 100;
const NONE: readonly never[] = [];
const NO_ID = RequestId.ofClient('');

/** What spans are told of the trace that they are of. */
export type SpannedTrace = Pick<CallTrace, 'uuid' | 'foreignTraceId' | 'parentSpanId'>;

/**
 * What the spans of a call say, noted at its end for when they are made, a moment later. It holds neither the call nor its streams, and
 * is filled anew for one call after the other.
 */
export class SpannedCall {
  /** How many spans it has. */
  count = 0;
  method: string | undefined = undefined;
  listener = '';
  tenantId: string | undefined = undefined;
  keyId: string | undefined = undefined;
  remoteAddress = '';
  requestId = NO_ID;
  /** Of which its spans' ids are made, and its trace's unless that is the caller's. */
  uuid = NO_ID;
  /** 32 and 16 hex digits; undefined: the trace begins with the call. */
  parentTraceId: string | undefined = undefined;
  parentSpanId: string | undefined = undefined;
  status = 0;
  reason: string | undefined = undefined;
  cancelled = false;
  reachedBackend = false;
  /** Monotonic milliseconds. */
  startedAt = 0;
  endedAt = 0;
  waits: readonly StageWait[] = NONE;
  past: readonly PastAttempt[] = NONE;
  /** Of the last attempt, as of `AttemptsMade`. */
  sentAt = 0;
  sentTo: string | undefined = undefined;
  backend: string | undefined = undefined;

  note(call: EndedCall, trace: SpannedTrace, outcome: Outcome): void {
    const { attempts, principal, waits } = call;
    this.method = call.method?.name;
    this.listener = call.listener.name;
    this.tenantId = tenantOf(call);
    this.keyId = principal?.id;
    this.remoteAddress = call.remoteAddress;
    this.requestId = call.id;
    this.uuid = trace.uuid;
    this.parentTraceId = trace.foreignTraceId;
    this.parentSpanId = trace.parentSpanId;
    this.status = outcome.status;
    this.reason = outcome.refusal?.reason;
    this.cancelled = outcome.cancelled;
    this.reachedBackend = outcome.reachedBackend;
    this.startedAt = call.startedAt;
    this.endedAt = call.startedAt + outcome.durationMs;
    this.waits = waits === undefined ? NONE : waits.slice(0, MAX_WAITS);
    this.past = attempts?.past?.slice(0, MAX_ATTEMPTS) ?? NONE;
    this.sentAt = attempts?.sentAt ?? 0;
    this.sentTo = attempts?.sentTo;
    this.backend = attempts?.backendName;
    this.count = 1 + this.waits.length + this.attempts;
  }

  /** How often it was sent to a backend. */
  get attempts(): number {
    return countAttempts(this);
  }
}
