import type { ServiceError } from '@grpc/grpc-js';
import {
  BadRequest,
  ErrorInfo,
  PreconditionFailure,
  QuotaFailure,
  RetryInfo,
} from '../../generated/google/rpc/error_details.ts';
import { Status } from '../../generated/google/rpc/status.ts';
import { findDetail, STATUS_DETAILS_KEY } from '../grpc/error-details.ts';

/** What the typed details of a status say (google/rpc/error_details.proto). */
export interface StatusDetails {
  readonly info: { readonly reason: string; readonly metadata: Readonly<Record<string, string>> } | undefined;
  readonly fields: readonly { readonly field: string; readonly description: string }[];
  readonly preconditions: readonly { readonly subject: string; readonly description: string }[];
  readonly quotas: readonly { readonly subject: string; readonly description: string }[];
  readonly retryAfterMs: number | undefined;
}

/** The typed details of a status; undefined when there are none, or they cannot be read. */
export function findStatusDetails(error: ServiceError): StatusDetails | undefined {
  const value = error.metadata.get(STATUS_DETAILS_KEY)[0];
  if (!Buffer.isBuffer(value)) return undefined;
  try {
    const status = Status.decode(value);
    const read = <T>(type: string, decoder: { decode(octets: Uint8Array): T }): T | undefined => {
      const octets = findDetail(status, type);
      return octets && decoder.decode(octets);
    };
    const delay = read('google.rpc.RetryInfo', RetryInfo)?.retryDelay;
    return {
      info: read('google.rpc.ErrorInfo', ErrorInfo),
      fields: read('google.rpc.BadRequest', BadRequest)?.fieldViolations ?? [],
      preconditions: read('google.rpc.PreconditionFailure', PreconditionFailure)?.violations ?? [],
      quotas: read('google.rpc.QuotaFailure', QuotaFailure)?.violations ?? [],
      retryAfterMs: delay && delay.seconds * 1000 + delay.nanos / 1e6,
    };
  } catch {
    return undefined;
  }
}
