import type { Any } from '../../generated/google/protobuf/any.ts';
import { badRequest, encodeStatus, errorInfo, quotaFailure, retryInfo } from '../grpc/error-details.ts';
import { encodeBinary } from '../grpc/metadata.ts';
import { Code } from '../grpc/status.ts';
import type { Refusal } from './call.ts';

/** `google.rpc.ErrorInfo.domain` of all refusals. */
export const ERROR_DOMAIN = 'tollgate';

/** The length of a UUID as text: nearly all request ids have it. */
const ID_LENGTH = 36;
const PLACEHOLDER = '\u0001'.repeat(ID_LENGTH);

/** A refusal's encoded status with room for the request id. */
interface Template {
  readonly octets: Buffer;
  /** Where the id goes; -1 when its place could not be told. */
  readonly offset: number;
}

/**
 * Templates of refusals that are used again and again. Held weakly: a refusal that was built for one call takes its template
 * with it. Encoding takes about 4 us, filling in a template 0.4: what a flood of refusals costs.
 */
const templates = new WeakMap<Refusal, Template>();

/** The value of `grpc-status-details-bin` for a refusal: a `google.rpc.Status`, base64 without padding. */
export function refusalDetails(refusal: Refusal, requestId: string): string {
  if (requestId.length !== ID_LENGTH) return encodeBinary(encode(refusal, requestId));
  let template = templates.get(refusal);
  if (template === undefined) {
    const octets = Buffer.from(encode(refusal, PLACEHOLDER));
    template = { octets, offset: octets.indexOf(PLACEHOLDER, 0, 'latin1') };
    templates.set(refusal, template);
  }
  const { octets, offset } = template;
  // An id with octets that UTF-8 writes in two would not fit: then the octets written differ from the length.
  if (offset < 0 || octets.write(requestId, offset, ID_LENGTH, 'utf8') !== ID_LENGTH || !isAscii(octets, offset)) {
    templates.delete(refusal);
    return encodeBinary(encode(refusal, requestId));
  }
  return encodeBinary(octets);
}

/** The value of `grpc-retry-pushback-ms` (gRFC A6): whole milliseconds, -1 for "do not retry"; undefined for no such field. */
export function retryPushback(refusal: Refusal): string | undefined {
  const ms = refusal.retryAfterMs;
  if (ms === undefined) return undefined;
  return ms < 0 ? '-1' : String(Math.ceil(ms));
}

/** The details of a refusal as messages: ErrorInfo always, QuotaFailure, BadRequest and RetryInfo where they say something. */
export function detailsOf(refusal: Refusal, requestId: string): Any[] {
  const { violation, retryAfterMs } = refusal;
  const details = [errorInfo(refusal.reason, ERROR_DOMAIN, { request_id: requestId, ...refusal.metadata })];
  if (violation !== undefined) {
    const { subject, description } = violation;
    const wrongRequest = refusal.status === Code.INVALID_ARGUMENT;
    details.push(wrongRequest ? badRequest([{ field: subject, description }]) : quotaFailure(subject, description));
  }
  if (retryAfterMs !== undefined && retryAfterMs >= 0) details.push(retryInfo(retryAfterMs));
  return details;
}

function encode(refusal: Refusal, requestId: string): Uint8Array {
  return encodeStatus(refusal.status, refusal.message, detailsOf(refusal, requestId));
}

function isAscii(octets: Buffer, offset: number): boolean {
  for (let i = offset; i < offset + ID_LENGTH; i++) if (octets[i]! > 0x7e) return false;
  return true;
}
