import type { Duration } from '../../generated/google/protobuf/duration.ts';
import { type BreakerOptions, DEFAULT_BREAKER } from '../breaker/options.ts';
import { durationToMs } from '../contracts/policy.ts';
import { codeOf } from '../grpc/status.ts';
import { DEFAULT_RETRY, type RetryOptions } from '../routing/retries.ts';
import { type Address, parseAddress } from './address.ts';

/** What the configuration's and the admin API's backends have in common; the protos document the defaults. */
export interface BackendMessage {
  readonly endpoints: readonly string[];
  readonly breaker?: BreakerMessage | undefined;
  readonly connectTimeout?: Duration | undefined;
  readonly defaultTimeout?: Duration | undefined;
  readonly maxConnections: number;
  readonly retry?: { readonly maxAttempts?: number | undefined; readonly budgetRatio?: number | undefined } | undefined;
}

export interface BreakerMessage {
  readonly failureRatio?: number | undefined;
  readonly window?: Duration | undefined;
  readonly minCalls?: number | undefined;
  readonly openFor?: Duration | undefined;
  readonly probes?: number | undefined;
  readonly failureStatuses: readonly string[];
}

export interface BackendOptions {
  readonly endpoints: readonly Address[];
  readonly breaker: BreakerOptions;
  readonly connectTimeoutMs: number;
  readonly defaultTimeoutMs: number | undefined;
  /** Per endpoint. */
  readonly maxConnections: number;
  readonly retry: RetryOptions;
}

const DEFAULT_CONNECT_TIMEOUT_MS = 2000;
const DEFAULT_CONNECTIONS = 4;

/** Fills in the defaults. @throws TypeError for an endpoint that is no address */
export function toBackendOptions(backend: BackendMessage): BackendOptions {
  const { connectTimeout, defaultTimeout, maxConnections, retry } = backend;
  return {
    endpoints: backend.endpoints.map(parseAddress),
    breaker: toBreakerOptions(backend.breaker),
    connectTimeoutMs: connectTimeout === undefined ? DEFAULT_CONNECT_TIMEOUT_MS : durationToMs(connectTimeout),
    defaultTimeoutMs: defaultTimeout && durationToMs(defaultTimeout),
    maxConnections: maxConnections === 0 ? DEFAULT_CONNECTIONS : maxConnections,
    retry: {
      maxAttempts: retry?.maxAttempts ?? DEFAULT_RETRY.maxAttempts,
      budgetRatio: retry?.budgetRatio ?? DEFAULT_RETRY.budgetRatio,
    },
  };
}

function toBreakerOptions(breaker: BreakerMessage | undefined): BreakerOptions {
  const codes = (breaker?.failureStatuses ?? []).map(codeOf).filter((code) => code !== undefined);
  return {
    ...DEFAULT_BREAKER,
    failureRatio: breaker?.failureRatio ?? DEFAULT_BREAKER.failureRatio,
    windowMs: breaker?.window === undefined ? DEFAULT_BREAKER.windowMs : durationToMs(breaker.window),
    minCalls: breaker?.minCalls ?? DEFAULT_BREAKER.minCalls,
    openForMs: breaker?.openFor === undefined ? DEFAULT_BREAKER.openForMs : durationToMs(breaker.openFor),
    probes: breaker?.probes ?? DEFAULT_BREAKER.probes,
    failureStatuses: codes.length > 0 ? new Set(codes) : DEFAULT_BREAKER.failureStatuses,
  };
}
