import { Code } from '../grpc/status.ts';
import type { Refusal } from './call.ts';

// Every refusal is built here, and only here (DESIGN section 6). Those that say nothing of the call are one object each, and
// stages keep those of a limit for the calls to come; both are frozen, and what is derived from a frozen one (see
// refusal-details.ts) is derived once.

/** Why no backend could be reached. */
export type UnavailableWhy = 'breaker_open' | 'no_endpoint' | 'connect_failed' | 'connection_lost' | 'draining';

/** When nothing better is known: a retry after so many milliseconds. */
const DEFAULT_RETRY_MS = 1000;
/** Waits for a backend are rounded up to this, so that a flood is told few different things (see refusal-details.ts). */
const RETRY_STEP_MS = 100;
/** Calls that run end at unknown times; a tenth of a second keeps a waiting client neither idle nor hammering. */
const CONCURRENCY_RETRY_MS = 100;

const CREDENTIAL_INVALID = constant(
  Code.UNAUTHENTICATED,
  'CREDENTIAL_INVALID',
  'No valid credential. Present one, and one only: an API key or a token as metadata `authorization: Bearer ...`, or a key as `x-api-key: tg_...`. If you did, ask for a new one.',
);
const CREDENTIAL_REVOKED = constant(
  Code.UNAUTHENTICATED,
  'CREDENTIAL_REVOKED',
  'The credential was revoked while the call ran, and the call was ended. Parts of it may have been done; ask for a new key.',
);
const CREDENTIAL_EXPIRED = constant(
  Code.UNAUTHENTICATED,
  'CREDENTIAL_EXPIRED',
  'The credential expired while the call ran, and the call was ended. Parts of it may have been done; call again with a new one.',
);
const TENANT_SUSPENDED = constant(
  Code.PERMISSION_DENIED,
  'TENANT_SUSPENDED',
  'Your tenant was suspended while the call ran, and the call was ended. Parts of it may have been done; ask the operator of this gateway.',
);
const METHOD_UNKNOWN = constant(
  Code.UNIMPLEMENTED,
  'METHOD_UNKNOWN',
  'This gateway has no such method for you. Check the service and method name against your contract; server reflection lists what is there.',
);
const DEADLINE_EXCEEDED = constant(
  Code.DEADLINE_EXCEEDED,
  'DEADLINE_EXCEEDED',
  'The deadline passed before the call had ended. The backend may have done the work; allow more time if the method needs it.',
);
const STORE_UNAVAILABLE = constant(
  Code.UNAVAILABLE,
  'STORE_UNAVAILABLE',
  "The gateway's store did not answer. Retry with backoff; if it goes on, the operator should look at the store.",
  DEFAULT_RETRY_MS,
);
const CREDENTIAL_UNVERIFIED = constant(
  Code.UNAVAILABLE,
  'CREDENTIAL_UNVERIFIED',
  "Your token cannot be verified for the moment: its issuer's keys cannot be had, or too many tokens wait. Retry with backoff.",
  DEFAULT_RETRY_MS,
);
const GATEWAY_DRAINING = constant(
  Code.UNAVAILABLE,
  'GATEWAY_DRAINING',
  'The gateway is shutting down and takes no new calls. Retry on a new connection.',
  0,
);
/** Several, so that those who were refused together do not come back together. */
const GATEWAY_OVERLOADED = [1000, 1250, 1500, 1750, 2000].map((retryMs) =>
  constant(
    Code.UNAVAILABLE,
    'GATEWAY_OVERLOADED',
    'The gateway has more to do than it can, and refuses calls of your plan for the moment. Retry with backoff.',
    retryMs,
  ),
);
const GATEWAY_ERROR = constant(
  Code.INTERNAL,
  'GATEWAY_ERROR',
  'The gateway failed on this call. Report it to the operator with the request id.',
);
const UNIFORM = constant(Code.UNAUTHENTICATED, 'REFUSED', 'The call was refused. Ask the operator of this gateway.');

/** No, malformed, unknown, expired or revoked credential: the same text each time, whatever was wrong. */
export function credentialInvalid(): Refusal {
  return CREDENTIAL_INVALID;
}

/** The credential of a call that runs was revoked: told only to who has proven it already. */
export function credentialRevoked(): Refusal {
  return CREDENTIAL_REVOKED;
}

/** The credential of a call that runs has expired. */
export function credentialExpired(): Refusal {
  return CREDENTIAL_EXPIRED;
}

/** The tenant of a call that runs was suspended. */
export function tenantSuspended(): Refusal {
  return TENANT_SUSPENDED;
}

/** The principal lacks a scope that the method's policy requires. */
export function scopeMissing(scope: string): Refusal {
  return {
    status: Code.PERMISSION_DENIED,
    reason: 'SCOPE_MISSING',
    message: `This method requires the scope "${scope}", which your key does not have. Ask for a key with it.`,
    retryAfterMs: undefined,
    violation: undefined,
    metadata: { scope },
  };
}

/** The principal has none of the scopes of which the method's policy requires one. */
export function anyScopeMissing(scopes: readonly string[]): Refusal {
  return {
    status: Code.PERMISSION_DENIED,
    reason: 'SCOPE_MISSING',
    message: `This method requires one of the scopes ${scopes.map((scope) => `"${scope}"`).join(', ')}, and your key has none of them. Ask for a key with one.`,
    retryAfterMs: undefined,
    violation: undefined,
    metadata: { any_scope: scopes.join(' ') },
  };
}

/** No such method, or none that this tenant may see: one answer for both. */
export function methodUnknown(): Refusal {
  return METHOD_UNKNOWN;
}

/**
 * A rate limit's bucket is empty.
 * @param facts `limit`: its name; `retryAfterMs`: until one call conforms; `keyId`: of the key whose limit it is, not the plan's
 */
export function rateLimited(facts: {
  limit: string;
  retryAfterMs: number;
  tenantId: string;
  keyId?: string | undefined;
}): Refusal {
  const ms = Math.max(1, Math.ceil(facts.retryAfterMs));
  const { limit, keyId } = facts;
  const subject = keyId === undefined ? `tenant:${facts.tenantId}` : `api_key:${keyId}`;
  return Object.freeze({
    status: Code.RESOURCE_EXHAUSTED,
    reason: 'RATE_LIMITED',
    message: `The rate limit "${limit}" of your ${keyId === undefined ? 'plan' : 'key'} is used up for the moment. Retry in ${ms} ms, or spread your calls.`,
    retryAfterMs: ms,
    violation: { subject, description: `rate limit "${limit}"` },
    metadata: { limit },
  });
}

/** Too many calls of the tenant at once. @param facts `limit`: how many may run */
export function concurrencyLimited(facts: { limit: number; tenantId: string }): Refusal {
  return Object.freeze({
    status: Code.RESOURCE_EXHAUSTED,
    reason: 'CONCURRENCY_LIMITED',
    message: `${facts.limit} calls of yours are running, which is as many as your plan allows at once. Wait for one to end.`,
    retryAfterMs: CONCURRENCY_RETRY_MS,
    violation: tenantViolation(facts.tenantId, `at most ${facts.limit} calls at once`),
    metadata: { limit: String(facts.limit) },
  });
}

/** The units of a period are used up. @param facts `resetAt`: Unix milliseconds, when the next period starts */
export function quotaExhausted(facts: { metric: string; limit: number; resetAt: number; tenantId: string }): Refusal {
  const resetTime = new Date(facts.resetAt).toISOString();
  return Object.freeze({
    status: Code.RESOURCE_EXHAUSTED,
    reason: 'QUOTA_EXHAUSTED',
    message: `Too few of the ${facts.limit} ${facts.metric} of this period are left for the call. They are renewed at ${resetTime}; until then ask for a larger plan.`,
    retryAfterMs: -1,
    violation: tenantViolation(facts.tenantId, `quota of ${facts.limit} ${facts.metric}, renewed at ${resetTime}`),
    metadata: { metric: facts.metric, limit: String(facts.limit), reset_time: resetTime },
  });
}

const UNAVAILABLE_TEXT: Readonly<Record<UnavailableWhy, string>> = {
  breaker_open: 'has been failing and is given time to recover',
  no_endpoint: 'has no endpoint that is up',
  connect_failed: 'could not be connected to',
  connection_lost: 'closed the connection during the call',
  draining: 'is going away',
};

/** No backend took the call. @param facts `retryAfterMs`: one second when nothing is known */
export function backendUnavailable(facts: {
  backend: string;
  why: UnavailableWhy;
  retryAfterMs?: number | undefined;
}): Refusal {
  return {
    status: Code.UNAVAILABLE,
    reason: 'BACKEND_UNAVAILABLE',
    message: `The backend "${facts.backend}" ${UNAVAILABLE_TEXT[facts.why]}. Retry with backoff; if it goes on, the operator should look at the backend.`,
    retryAfterMs: Math.max(1, Math.ceil((facts.retryAfterMs ?? DEFAULT_RETRY_MS) / RETRY_STEP_MS)) * RETRY_STEP_MS,
    violation: undefined,
    metadata: { backend: facts.backend, why: facts.why },
  };
}

/**
 * The backend answered what is no gRPC, or broke off.
 * @param facts `status`: what the mapping tables of gRPC make of it; `why`: a short clause, nothing a backend said
 */
export function backendProtocolError(facts: { backend: string; status: number; why: string }): Refusal {
  return {
    status: facts.status,
    reason: 'BACKEND_PROTOCOL_ERROR',
    message: `The backend "${facts.backend}" gave no valid gRPC answer: ${facts.why}. The operator should look at the backend.`,
    retryAfterMs: undefined,
    violation: undefined,
    metadata: { backend: facts.backend },
  };
}

/** The deadline of the call, or of its method, has passed. */
export function deadlineExceeded(): Refusal {
  return DEADLINE_EXCEEDED;
}

/** The store that a decision needs does not answer. */
export function storeUnavailable(): Refusal {
  return STORE_UNAVAILABLE;
}

/** Whether a token is valid cannot be told for the moment. */
export function credentialUnverified(): Refusal {
  return CREDENTIAL_UNVERIFIED;
}

/** The gateway is shutting down. */
export function gatewayDraining(): Refusal {
  return GATEWAY_DRAINING;
}

/** The gateway has too much to do. @param turn any whole number from 0: neighbours are told different times to wait */
export function gatewayOverloaded(turn: number): Refusal {
  return GATEWAY_OVERLOADED[turn % GATEWAY_OVERLOADED.length]!;
}

/** Something in the gateway threw: our fault, told without its cause. */
export function gatewayError(): Refusal {
  return GATEWAY_ERROR;
}

/** A request's metadata or messages are malformed. @param field what is wrong, e.g. `grpc-timeout`; @param why a clause */
export function messageMalformed(field: string, why: string): Refusal {
  return {
    status: Code.INVALID_ARGUMENT,
    reason: 'MESSAGE_MALFORMED',
    message: `The request is malformed: ${field} ${why}. Correct it; the same request will fail again.`,
    retryAfterMs: undefined,
    violation: { subject: field, description: why },
    metadata: undefined,
  };
}

/** What a listener with `errors: uniform` answers instead of any refusal. */
export function uniform(): Refusal {
  return UNIFORM;
}

function constant(status: number, reason: string, message: string, retryAfterMs?: number): Refusal {
  return Object.freeze({ status, reason, message, retryAfterMs, violation: undefined, metadata: undefined });
}

function tenantViolation(tenantId: string, description: string): Refusal['violation'] {
  return { subject: `tenant:${tenantId}`, description };
}
