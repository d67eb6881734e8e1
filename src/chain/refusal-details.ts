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
  /** Where the id goes. */
  readonly offset: number;
}

/**
 * Encoding takes 12 us, filling in a template 0.3: what a flood of refusals costs. Frozen refusals are shared by many calls:
 * theirs are found by identity, and go with them.
 */
const shared = new WeakMap<Refusal, Template>();
/** Templates of refusals that were built for one call, by what they say: the next call will be told the same. */
const byContent = new Map<string, Template>();
const MAX_BY_CONTENT = 1000;

/** The value of `grpc-status-details-bin` for a refusal: a `google.rpc.Status`, base64 without padding. */
export function refusalDetails(refusal: Refusal, requestId: string): string {
  if (requestId.length !== ID_LENGTH) return encodeBinary(encode(refusal, requestId));
  const { octets, offset } = templateOf(refusal);
  octets.write(requestId, offset, ID_LENGTH, 'utf8');
  // An id with octets that UTF-8 writes in two does not fit.
  if (!isAscii(octets, offset)) return encodeBinary(encode(refusal, requestId));
  return encodeBinary(octets);
}

function templateOf(refusal: Refusal): Template {
  if (Object.isFrozen(refusal)) {
    let template = shared.get(refusal);
    if (template === undefined) {
      template = newTemplate(refusal);
      shared.set(refusal, template);
    }
    return template;
  }
  const content = JSON.stringify(refusal);
  let template = byContent.get(content);
  if (template === undefined) {
    template = newTemplate(refusal);
    if (byContent.size >= MAX_BY_CONTENT) byContent.clear();
    byContent.set(content, template);
  }
  return template;
}

function newTemplate(refusal: Refusal): Template {
  const octets = Buffer.from(encode(refusal, PLACEHOLDER));
  return { octets, offset: octets.indexOf(PLACEHOLDER, 0, 'latin1') };
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
