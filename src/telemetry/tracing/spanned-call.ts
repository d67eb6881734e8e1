import type { Outcome, StageWait } from '../../chain/call.ts';
import type { PastAttempt } from '../../routing/attempts.ts';
import type { CallTrace } from '../../routing/call-trace.ts';
import type { EndedCall } from '../../routing/exchange-parts.ts';
import type { RequestId } from '../../routing/request-id.ts';
import { countAttempts, tenantOf } from '../ended-call.ts';

const MAX_ATTEMPTS = 100;
const MAX_WAITS = 100;
const NONE: readonly never[] = [];

/**
 * What the spans of a call say, noted at its end for when they are made. It holds neither the call nor its streams: those of a
 * collector that is away would stay in memory with it.
 */
export class SpannedCall {
  /** How many spans it has. */
  readonly count: number;
  readonly method: string | undefined;
  readonly listener: string;
  readonly tenantId: string | undefined;
  readonly keyId: string | undefined;
  readonly remoteAddress: string;
  readonly requestId: RequestId;
  /** Of which its spans' ids are made, and its trace's unless that is the caller's. */
  readonly uuid: RequestId;
  /** 32 and 16 hex digits; undefined: the trace begins with the call. */
  readonly parentTraceId: string | undefined;
  readonly parentSpanId: string | undefined;
  readonly status: number;
  readonly reason: string | undefined;
  readonly cancelled: boolean;
  readonly reachedBackend: boolean;
  /** Monotonic milliseconds. */
  readonly startedAt: number;
  readonly endedAt: number;
  readonly waits: readonly StageWait[];
  readonly past: readonly PastAttempt[];
  /** Of the last attempt, as of `AttemptsMade`. */
  readonly sentAt: number;
  readonly sentTo: string | undefined;
  readonly backend: string | undefined;

  constructor(call: EndedCall, trace: CallTrace, outcome: Outcome) {
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
