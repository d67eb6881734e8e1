import { Code } from '../grpc/status.ts';

/** What a command ends with, for scripts: the table in docs/cli.md. The numbers are kept. */
export const ExitCode = {
  OK: 0,
  /** Refused as it stands, or a fault: the message says which. */
  FAILED: 1,
  /** The command line itself is wrong. */
  USAGE: 2,
  NOT_FOUND: 3,
  /** Somebody else was faster, or the name is taken: look again, then decide again. */
  CONFLICT: 4,
  /** The credential is missing, wrong, or may not do this. */
  DENIED: 5,
  /** Nothing answers, or not now: the same command may succeed later. */
  UNAVAILABLE: 6,
  /** `apply --dry-run --exit-code` found changes. */
  DIFFERS: 7,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

const BY_STATUS: ReadonlyMap<number, ExitCode> = new Map<number, ExitCode>([
  [Code.NOT_FOUND, ExitCode.NOT_FOUND],
  [Code.ABORTED, ExitCode.CONFLICT],
  [Code.ALREADY_EXISTS, ExitCode.CONFLICT],
  [Code.UNAUTHENTICATED, ExitCode.DENIED],
  [Code.PERMISSION_DENIED, ExitCode.DENIED],
  [Code.UNAVAILABLE, ExitCode.UNAVAILABLE],
  [Code.DEADLINE_EXCEEDED, ExitCode.UNAVAILABLE],
  [Code.RESOURCE_EXHAUSTED, ExitCode.UNAVAILABLE],
]);

/** @param status of a call that failed (gRPC) */
export function exitCodeOf(status: number): ExitCode {
  return BY_STATUS.get(status) ?? ExitCode.FAILED;
}
