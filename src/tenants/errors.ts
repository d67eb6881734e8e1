/** Whatever the registry refuses; `code` is stable, and what the control plane maps to a gRPC status. */
export abstract class RegistryError extends Error {
  abstract readonly code: 'not_found' | 'already_exists' | 'etag_mismatch' | 'failed_precondition' | 'invalid_argument';
}

/** There is no such tenant, plan, key, backend or contract. */
export class NotFound extends RegistryError {
  readonly code = 'not_found';
  readonly kind: string;
  readonly id: string;

  constructor(kind: string, id: string) {
    super(`there is no ${kind} "${id}"`);
    this.name = 'NotFound';
    this.kind = kind;
    this.id = id;
  }
}

/** The id, or the key's text, is taken. */
export class AlreadyExists extends RegistryError {
  readonly code = 'already_exists';
  readonly kind: string;
  readonly id: string;

  constructor(kind: string, id: string) {
    super(`there is already a ${kind} "${id}"`);
    this.name = 'AlreadyExists';
    this.kind = kind;
    this.id = id;
  }
}

/** Somebody else was faster: read again, and decide again. */
export class EtagMismatch extends RegistryError {
  readonly code = 'etag_mismatch';
  /** The etag of the document as it is. */
  readonly current: string;

  constructor(kind: string, id: string, current: string) {
    super(
      `${kind} "${id}" has changed meanwhile: its etag is now "${current}"; read it again, then repeat your change`,
    );
    this.name = 'EtagMismatch';
    this.current = current;
  }
}

/** The state of other things stands against it. */
export class FailedPrecondition extends RegistryError {
  readonly code = 'failed_precondition';
  /** What stands against it, for `google.rpc.PreconditionFailure`: its type, and the resource meant. */
  readonly violation: { readonly type: string; readonly subject: string };

  constructor(message: string, violation: { type: string; subject: string }) {
    super(message);
    this.name = 'FailedPrecondition';
    this.violation = violation;
  }
}

/** The request itself is wrong. */
export class InvalidArgument extends RegistryError {
  readonly code = 'invalid_argument';
  /** Path of the field as protobuf names it (`tenant.plan`, `page_token`), for `google.rpc.BadRequest`. */
  readonly field: string;
  /** That, and what else is wrong. */
  readonly faults: readonly FieldFault[];

  constructor(field: string, message: string, others: readonly FieldFault[] = []) {
    const faults = [{ field, description: message }, ...others];
    super(faults.map((fault) => `${fault.field}: ${fault.description}`).join('; '));
    this.name = 'InvalidArgument';
    this.field = field;
    this.faults = faults;
  }
}

/** What is wrong with a field of a request. */
export interface FieldFault {
  readonly field: string;
  readonly description: string;
}
