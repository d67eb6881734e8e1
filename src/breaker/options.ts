import { Code } from '../grpc/status.ts';

/** When a breaker opens, and how it recovers. */
export interface BreakerOptions {
  /** The share of failed calls within the window that opens it, above 0, up to 1. */
  readonly failureRatio: number;
  /** Milliseconds. */
  readonly windowMs: number;
  /** Fewer calls than this within the window never open it. */
  readonly minCalls: number;
  /** Milliseconds that it stays open before probes are admitted. */
  readonly openForMs: number;
  /** Probes at once in HALF_OPEN; as many have to succeed to close it. */
  readonly probes: number;
  /** gRPC status codes that count as failures. */
  readonly failureStatuses: ReadonlySet<number>;
  /**
   * A call that its deadline ended earlier than this says more of the deadline than of the backend: it does not count.
   * Else one client with deadlines of a millisecond would open the breaker for all.
   */
  readonly minDeadlineMs: number;
  /** A probe that runs longer counts as failed: else a call that hangs would keep the breaker half open for ever. */
  readonly probeTimeoutMs: number;
}

/** Statuses that speak against a backend. The others are the client's fault, or the backend's well-considered answer. */
export const FAILURE_STATUSES: ReadonlySet<number> = new Set([
  Code.UNAVAILABLE,
  Code.DEADLINE_EXCEEDED,
  Code.INTERNAL,
  Code.UNKNOWN,
  Code.DATA_LOSS,
]);

export const DEFAULT_BREAKER: BreakerOptions = {
  failureRatio: 0.5,
  windowMs: 10_000,
  minCalls: 10,
  openForMs: 5000,
  probes: 1,
  failureStatuses: FAILURE_STATUSES,
  minDeadlineMs: 100,
  probeTimeoutMs: 30_000,
};

/** More at once would be no probes any more. */
const MAX_PROBES = 1000;

/** Fills in the defaults; an option that is there as undefined is absent. */
export function withDefaults(options: Partial<BreakerOptions>): BreakerOptions {
  return {
    failureRatio: options.failureRatio ?? DEFAULT_BREAKER.failureRatio,
    windowMs: options.windowMs ?? DEFAULT_BREAKER.windowMs,
    minCalls: options.minCalls ?? DEFAULT_BREAKER.minCalls,
    openForMs: options.openForMs ?? DEFAULT_BREAKER.openForMs,
    probes: Math.min(options.probes ?? DEFAULT_BREAKER.probes, MAX_PROBES),
    failureStatuses: options.failureStatuses ?? DEFAULT_BREAKER.failureStatuses,
    minDeadlineMs: options.minDeadlineMs ?? DEFAULT_BREAKER.minDeadlineMs,
    probeTimeoutMs: options.probeTimeoutMs ?? DEFAULT_BREAKER.probeTimeoutMs,
  };
}
