import type { CodeName } from '../grpc/status.ts';

/** A row of the README's table of refusals. */
export interface RefusalRow {
  readonly reason: string;
  readonly status: CodeName;
  readonly when: string;
  /** Messages in `grpc-status-details-bin`, beside `google.rpc.ErrorInfo`. */
  readonly details: readonly ('QuotaFailure' | 'RetryInfo' | 'BadRequest')[];
  /** `grpc-retry-pushback-ms`: milliseconds to wait, -1 for never, or absent. */
  readonly pushback: 'ms' | '-1' | undefined;
}

/** Every refusal there is (DESIGN section 6). The README's table is tested against it, and so is `refusal.ts`. */
export const REFUSALS: readonly RefusalRow[] = [
  row(
    'CREDENTIAL_INVALID',
    'UNAUTHENTICATED',
    'no, malformed, unknown, expired or revoked credential, or more than one; suspended tenant',
  ),
  row('CREDENTIAL_REVOKED', 'UNAUTHENTICATED', 'the key was revoked, or the tenant deleted, while the call ran'),
  row('CREDENTIAL_EXPIRED', 'UNAUTHENTICATED', 'the credential expired while the call ran'),
  row('TENANT_SUSPENDED', 'PERMISSION_DENIED', 'the tenant was suspended while the call ran'),
  row('SCOPE_MISSING', 'PERMISSION_DENIED', 'the key lacks a scope that the method requires'),
  row('METHOD_UNKNOWN', 'UNIMPLEMENTED', 'no such method, or none that the tenant may see'),
  row(
    'RATE_LIMITED',
    'RESOURCE_EXHAUSTED',
    'a rate limit is used up for the moment',
    ['QuotaFailure', 'RetryInfo'],
    'ms',
  ),
  row('CONCURRENCY_LIMITED', 'RESOURCE_EXHAUSTED', 'too many calls at once', ['QuotaFailure', 'RetryInfo'], 'ms'),
  row('QUOTA_EXHAUSTED', 'RESOURCE_EXHAUSTED', 'the units of the period are used up', ['QuotaFailure'], '-1'),
  row(
    'BACKEND_UNAVAILABLE',
    'UNAVAILABLE',
    'breaker open, no endpoint that is up, no connection, or it was lost',
    ['RetryInfo'],
    'ms',
  ),
  row(
    'BACKEND_PROTOCOL_ERROR',
    'INTERNAL',
    'the backend answered what is no gRPC (UNKNOWN or UNAVAILABLE where gRPC maps its HTTP status so)',
  ),
  row('DEADLINE_EXCEEDED', 'DEADLINE_EXCEEDED', "the call's deadline, or the method's, has passed"),
  row('MESSAGE_MALFORMED', 'INVALID_ARGUMENT', 'malformed metadata or message', ['BadRequest']),
  row('STORE_UNAVAILABLE', 'UNAVAILABLE', "the gateway's store does not answer", ['RetryInfo'], 'ms'),
  row(
    'CREDENTIAL_UNVERIFIED',
    'UNAVAILABLE',
    "the keys of a token's issuer cannot be had, or too many tokens wait to be verified",
    ['RetryInfo'],
    'ms',
  ),
  row('GATEWAY_DRAINING', 'UNAVAILABLE', 'the gateway is shutting down', ['RetryInfo'], 'ms'),
  row(
    'GATEWAY_OVERLOADED',
    'UNAVAILABLE',
    'the gateway has too much to do; plans of lower priority are refused first',
    ['RetryInfo'],
    'ms',
  ),
  row('GATEWAY_ERROR', 'INTERNAL', 'a fault of the gateway'),
  row('REFUSED', 'UNAUTHENTICATED', 'any of these, where the listener says `errors: uniform`'),
];

function row(
  reason: string,
  status: CodeName,
  when: string,
  details: RefusalRow['details'] = [],
  pushback?: RefusalRow['pushback'],
): RefusalRow {
  return { reason, status, when, details, pushback };
}
