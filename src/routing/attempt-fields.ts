import { formatTimeout } from '../grpc/timeout.ts';
import type { ExtraField } from '../http2/index.ts';
import { Field, Indexing } from '../http2/index.ts';
import type { AttemptedCall } from './attempts.ts';
import { Kind } from './header-names.ts';
import type { RequestHead } from './request-head.ts';

/** A call is told to the backend as tried before only up to here (gRFC A6 has 5 as the most). */
const MAX_PREVIOUS = 99;

export interface AttemptFacts {
  /** Monotonic milliseconds. */
  readonly now: number;
  /** 1 is the first. */
  readonly number: number;
  /** Attempts before it that failed, and that the backend may have processed. */
  readonly failed: number;
}

/**
 * The fields that differ from attempt to attempt: they stand behind the block, which encoders know.
 * @param caller who calls, where the block does not say it
 * @returns a list of the caller's own
 */
export function attemptFields(
  call: AttemptedCall,
  { traceFields, previousAttempts }: RequestHead,
  caller: readonly [Field, Field] | undefined,
  { now, number, failed }: AttemptFacts,
): ExtraField[] {
  const { id, deadlineAt } = call;
  const left = deadlineAt === 0 ? undefined : Math.max(deadlineAt - now, 0.001);
  const timeout =
    left === undefined ? left : new Field('grpc-timeout', formatTimeout(left), Kind.TIMEOUT, Indexing.SKIP);
  const fields = listOf(caller, id, timeout, call.traceparent(number));
  if (traceFields.length > 0) fields.push(...(call.trace?.passedFields() ?? traceFields));
  if (failed > 0) {
    const count = Math.min(
      MAX_PREVIOUS,
      failed + (previousAttempts === undefined ? 0 : Number(previousAttempts.value)),
    );
    fields.push(new Field('grpc-previous-rpc-attempts', String(count), Kind.PREVIOUS_ATTEMPTS, Indexing.SKIP));
  } else if (previousAttempts !== undefined) fields.push(previousAttempts);
  return fields;
}

/** Tells the gateway's own services where a call comes from. */
export function remoteAddressField(address: string): Field {
  return new Field('x-tollgate-remote-address', address, Kind.RESERVED, Indexing.SKIP);
}

/** One list of the right length: a push would make room for sixteen. */
function listOf(
  caller: readonly [Field, Field] | undefined,
  id: ExtraField,
  timeout: ExtraField | undefined,
  parent: ExtraField | undefined,
): ExtraField[] {
  if (caller === undefined) {
    if (timeout === undefined) return parent === undefined ? [id] : [id, parent];
    return parent === undefined ? [id, timeout] : [id, timeout, parent];
  }
  const [tenant, principal] = caller;
  if (timeout === undefined) return parent === undefined ? [tenant, principal, id] : [tenant, principal, id, parent];
  return parent === undefined ? [tenant, principal, id, timeout] : [tenant, principal, id, timeout, parent];
}
