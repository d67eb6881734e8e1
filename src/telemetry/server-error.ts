import { Code } from '../grpc/status.ts';

/** Statuses that are a server's fault (OpenTelemetry semantic conventions, gRPC); of a client's span all but OK are errors. */
const SERVER_ERRORS: ReadonlySet<number> = new Set([
  Code.UNKNOWN,
  Code.DEADLINE_EXCEEDED,
  Code.UNIMPLEMENTED,
  Code.INTERNAL,
  Code.UNAVAILABLE,
  Code.DATA_LOSS,
]);

export function isServerError(status: number): boolean {
  return SERVER_ERRORS.has(status);
}
