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
import { codeName } from '../grpc/status.ts';

/** What a failed call says, in lines for people: status and message, then each detail, then what to do next. */
export function describeServiceError(error: ServiceError): string {
  const details = readDetails(error);
  const lines = [`${codeName(error.code)}: ${error.details}`];
  if (details) lines.push(...describeDetails(details));
  const advice = adviceFor(error, details);
  if (advice) lines.push(advice);
  return lines.join('\n');
}

function describeDetails(details: Details): string[] {
  return [
    ...details.fields.map(({ field, description }) => `  ${field}: ${description}`),
    ...details.preconditions.map(({ subject, description }) => `  ${subject}: ${description}`),
    ...details.quotas.map(({ subject, description }) => `  ${subject}: ${description}`),
  ];
}

function adviceFor(error: ServiceError, details: Details | undefined): string | undefined {
  const { reason, metadata } = details?.info ?? { reason: '', metadata: {} };
  if (metadata.etag) return `It was changed in between. Look at it again, then repeat with --etag '${metadata.etag}'.`;
  if (details?.retryAfterMs !== undefined) return `Try again in ${Math.ceil(details.retryAfterMs / 1000)} s.`;
  switch (codeName(error.code)) {
    case 'UNAUTHENTICATED':
      return 'The admin key was not accepted: is TOLLGATE_ADMIN_KEY (or --key) the whole key, and of this gateway?';
    case 'PERMISSION_DENIED':
      return 'The key is valid but lacks the scope: admin commands need a role: tollgate.owner, tollgate.operator or tollgate.viewer.';
    case 'UNIMPLEMENTED':
      return reason === 'METHOD_UNKNOWN'
        ? 'Is this the admin listener? --address must name the one that shows the contract "tollgate" (default 127.0.0.1:7401).'
        : undefined;
    default:
      return metadata.request_id ? `Request id: ${metadata.request_id}` : undefined;
  }
}

interface Details {
  readonly info: { readonly reason: string; readonly metadata: Readonly<Record<string, string>> } | undefined;
  readonly fields: readonly { readonly field: string; readonly description: string }[];
  readonly preconditions: readonly { readonly subject: string; readonly description: string }[];
  readonly quotas: readonly { readonly subject: string; readonly description: string }[];
  readonly retryAfterMs: number | undefined;
}

/** The typed details of a status; undefined when there are none, or they cannot be read. */
function readDetails(error: ServiceError): Details | undefined {
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
