import type { Refusal } from '../chain/call.ts';
import { backendProtocolError, backendUnavailable } from '../chain/refusal.ts';
import { codeOfHttpStatus, codeOfResetCode } from '../grpc/http-status.ts';
import { Code } from '../grpc/status.ts';
import { ResetCause } from '../http2/index.ts';
import type { ResponseHead } from './response-head.ts';

/** What is wrong with a response's headers; undefined when they may be passed on. */
export function faultOfHeaders(backend: string, head: ResponseHead, endStream: boolean): Refusal | undefined {
  if (head.httpStatus !== 200 && head.grpcStatus === undefined) {
    const why = `it answered HTTP status ${head.httpStatus}`;
    return backendProtocolError({ backend, status: codeOfHttpStatus(head.httpStatus), why });
  }
  if (!head.isGrpc) return backendProtocolError({ backend, status: Code.UNKNOWN, why: 'its answer is not gRPC' });
  return endStream && head.grpcStatus === undefined ? statusMissing(backend, head) : undefined;
}

/** A response that ended without `grpc-status`, or with one that nobody can read (statuscodes.md: UNKNOWN). */
export function statusMissing(backend: string, head?: ResponseHead): Refusal {
  if (head?.hasStatus === true) {
    return backendProtocolError({ backend, status: Code.UNKNOWN, why: 'its status cannot be read' });
  }
  return backendProtocolError({ backend, status: Code.INTERNAL, why: 'it ended the call without a status' });
}

/** What a reset of the backend's stream means to the caller (gRPC over HTTP/2, "Errors"). */
export function faultOfReset(backend: string, code: number, cause: ResetCause): Refusal {
  switch (cause) {
    case ResetCause.UNPROCESSED:
      return backendUnavailable({ backend, why: 'connect_failed' });
    case ResetCause.CONNECTION:
      return backendUnavailable({ backend, why: 'connection_lost' });
    case ResetCause.PROTOCOL:
      return backendProtocolError({ backend, status: Code.INTERNAL, why: 'its answer was malformed' });
    case ResetCause.PEER: {
      const why = `it reset the call with HTTP/2 error code ${code}`;
      return backendProtocolError({ backend, status: codeOfResetCode(code), why });
    }
  }
}
