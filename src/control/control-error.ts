import type { Code } from '../grpc/status.ts';

/** What a control service answers instead of a response: a status, and the details that go with it. */
export class ControlError extends Error {
  readonly code: Code;
  /** Stable, upper snake case: `google.rpc.ErrorInfo.reason`. */
  readonly reason: string;
  readonly details: ControlErrorDetails;

  /** @param message for people; it is sent as it stands */
  constructor(code: Code, reason: string, message: string, details: ControlErrorDetails = {}) {
    super(message);
    this.name = 'ControlError';
    this.code = code;
    this.reason = reason;
    this.details = details;
  }
}

export interface ControlErrorDetails {
  /** More of `google.rpc.ErrorInfo.metadata`. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** `google.rpc.BadRequest`. */
  readonly fields?: readonly FieldViolation[];
  /** `google.rpc.PreconditionFailure`. */
  readonly preconditions?: readonly PreconditionViolation[];
}

/** `field` is the path within the request, in the names of the proto file. */
export interface FieldViolation {
  readonly field: string;
  readonly description: string;
}

export interface PreconditionViolation {
  /** Stable, upper snake case. */
  readonly type: string;
  /** What stands in the way, such as `plans/free`. */
  readonly subject: string;
  readonly description: string;
}
