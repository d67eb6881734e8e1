import type { Refusal, StageWait } from '../chain/call.ts';
import type { PastAttempt } from '../routing/attempts.ts';

/** What is remembered of a call. */
export interface CallRecord {
  readonly requestId: string;
  /** 32 hex digits; empty when there was no tracing. */
  readonly traceId: string;
  readonly listener: string;
  readonly tenantId: string;
  readonly principalId: string;
  readonly method: string;
  /** As of the call's `Outcome`. */
  readonly status: number;
  readonly refusal: Refusal | undefined;
  readonly cancelled: boolean;
  readonly durationMs: number;
  readonly backendMs: number | undefined;
  readonly requestOctets: number;
  readonly responseOctets: number;
  /** Monotonic milliseconds. */
  readonly startedAt: number;
  readonly waits: readonly StageWait[] | undefined;
  readonly backend: string;
  readonly attempts: readonly PastAttempt[];
  readonly remoteAddress: string;
}
