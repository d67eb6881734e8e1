import { Code } from './status.ts';

/**
 * The status of a call whose peer answered with an HTTP status and no `grpc-status`
 * (grpc/doc/http-grpc-status-mapping.md). A peer that speaks gRPC answers 200: that, too, is UNKNOWN without `grpc-status`.
 */
export function codeOfHttpStatus(status: number): Code {
  switch (status) {
    case 400:
      return Code.INTERNAL;
    case 401:
      return Code.UNAUTHENTICATED;
    case 403:
      return Code.PERMISSION_DENIED;
    case 404:
      return Code.UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
      return Code.UNAVAILABLE;
    default:
      return Code.UNKNOWN;
  }
}

/** HTTP statuses by code, as google/rpc/code.proto gives them. */
const HTTP_STATUSES: readonly number[] = [
  200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401,
];

/** The HTTP status for callers that do not speak gRPC; 500 for a number that is no code. */
export function httpStatusOfCode(code: number): number {
  return HTTP_STATUSES[code] ?? 500;
}

// Error codes of HTTP/2 that the tables below name (RFC 9113 section 7). This folder imports nothing of ours.
const INTERNAL_ERROR = 0x2;
const REFUSED_STREAM = 0x7;
const CANCEL = 0x8;
const ENHANCE_YOUR_CALM = 0xb;
const INADEQUATE_SECURITY = 0xc;

/**
 * The status of a call that ended by RST_STREAM (gRPC over HTTP/2, "Errors"). Codes that are in no table are INTERNAL, as
 * RFC 9113 section 7 wants unknown ones treated as INTERNAL_ERROR.
 */
export function codeOfResetCode(errorCode: number): Code {
  switch (errorCode) {
    case REFUSED_STREAM:
      return Code.UNAVAILABLE;
    case CANCEL:
      return Code.CANCELLED;
    case ENHANCE_YOUR_CALM:
      return Code.RESOURCE_EXHAUSTED;
    case INADEQUATE_SECURITY:
      return Code.PERMISSION_DENIED;
    default:
      return Code.INTERNAL;
  }
}

/**
 * The HTTP/2 error code to reset a stream with when a status can no longer be sent in trailers. UNAVAILABLE is not
 * REFUSED_STREAM: that would promise that the request was not processed, and clients would repeat it unasked.
 */
export function resetCodeOf(code: number): number {
  switch (code) {
    case Code.CANCELLED:
    case Code.DEADLINE_EXCEEDED:
      return CANCEL;
    case Code.RESOURCE_EXHAUSTED:
      return ENHANCE_YOUR_CALM;
    case Code.PERMISSION_DENIED:
      return INADEQUATE_SECURITY;
    default:
      return INTERNAL_ERROR;
  }
}
