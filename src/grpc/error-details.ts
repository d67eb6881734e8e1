import type { Any } from '../../generated/google/protobuf/any.ts';
import {
  BadRequest,
  ErrorInfo,
  PreconditionFailure,
  QuotaFailure,
  RetryInfo,
} from '../../generated/google/rpc/error_details.ts';
import { Status } from '../../generated/google/rpc/status.ts';
import { decodeBinary, encodeBinary } from './metadata.ts';

/** The metadata key under which a `google.rpc.Status` travels in trailers. */
export const STATUS_DETAILS_KEY = 'grpc-status-details-bin';

const TYPE_PREFIX = 'type.googleapis.com/';

/** What of a generated message's functions is needed to pack it. */
interface Encoder<T> {
  encode(message: T): { finish(): Uint8Array };
}

/** Packs a message as `google.protobuf.Any`. @param type full name, e.g. `google.rpc.ErrorInfo` */
export function packAny<T>(type: string, encoder: Encoder<T>, message: T): Any {
  return { typeUrl: TYPE_PREFIX + type, value: Buffer.from(encoder.encode(message).finish()) };
}

/** The cause of an error: a stable reason (UPPER_SNAKE_CASE) within a domain. */
export function errorInfo(reason: string, domain: string, metadata: Readonly<Record<string, string>>): Any {
  return packAny('google.rpc.ErrorInfo', ErrorInfo, { reason, domain, metadata });
}

/** When a retry makes sense. @param delayMs milliseconds, 0 or more */
export function retryInfo(delayMs: number): Any {
  const seconds = Math.floor(delayMs / 1000);
  const nanos = Math.min(999_999_999, Math.round((delayMs - seconds * 1000) * 1e6));
  return packAny('google.rpc.RetryInfo', RetryInfo, { retryDelay: { seconds, nanos } });
}

/** Which limit was hit, by whom. */
export function quotaFailure(subject: string, description: string): Any {
  const violation = QuotaFailure.fromPartial({ violations: [{ subject, description }] });
  return packAny('google.rpc.QuotaFailure', QuotaFailure, violation);
}

/** Which fields of a request are wrong, and why. */
export function badRequest(violations: readonly { readonly field: string; readonly description: string }[]): Any {
  const fieldViolations = violations.map(({ field, description }) => ({ field, description }));
  return packAny('google.rpc.BadRequest', BadRequest, BadRequest.fromPartial({ fieldViolations }));
}

/** Why the state of things forbids a change. */
export function preconditionFailure(type: string, subject: string, description: string): Any {
  const failure = PreconditionFailure.fromPartial({ violations: [{ type, subject, description }] });
  return packAny('google.rpc.PreconditionFailure', PreconditionFailure, failure);
}

/** Encodes a `google.rpc.Status`. */
export function encodeStatus(code: number, message: string, details: readonly Any[]): Uint8Array {
  return Status.encode({ code, message, details: [...details] }).finish();
}

/** The value of `grpc-status-details-bin`: a `google.rpc.Status` as base64 without padding. */
export function encodeStatusDetails(code: number, message: string, details: readonly Any[]): string {
  return encodeBinary(encodeStatus(code, message, details));
}

/** Decodes the value of `grpc-status-details-bin`; undefined when it is no `google.rpc.Status`. */
export function decodeStatusDetails(value: string): Status | undefined {
  const octets = decodeBinary(value);
  if (octets === undefined) return undefined;
  try {
    return Status.decode(octets);
  } catch {
    return undefined;
  }
}

/** The octets of the first detail of a type (full name); undefined when there is none. */
export function findDetail(status: Status, type: string): Buffer | undefined {
  return status.details.find((detail) => detail.typeUrl.endsWith(`/${type}`))?.value;
}
