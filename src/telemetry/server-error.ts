import { Code } from '../grpc/status.ts';

/** Statuses that are a server's fault (OpenTelemetry semantic conventions, gRPC); of a client's span all but OK are errors. */
const SERVER_ERRORS: readonly number[] = [
  Code.UNKNOWN,
  Code.DEADLINE_EXCEEDED,
  Code.UNIMPLEMENTED,
  Code.INTERNAL,
  Code.UNAVAILABLE,
  Code.DATA_LOSS,
];
/** A bit for each: it is asked several times a call. */
const BITS = SERVER_ERRORS.reduce((bits, code) => bits | (1 << code), 0);

export function isServerError(status: number): boolean {
  return ((BITS >>> status) & 1) === 1;
}
