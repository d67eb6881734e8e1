import { Code } from '../grpc/status.ts';
import { UnknownGateway } from '../metrics/fleet-reports.ts';
import { StoreUnavailable } from '../store/store.ts';
import { AlreadyExists, EtagMismatch, FailedPrecondition, InvalidArgument, NotFound } from '../tenants/errors.ts';
import { ControlError } from './control-error.ts';

/** What an error of another part means to a caller; undefined when nobody expected it. */
export function fromForeignError(error: unknown): ControlError | undefined {
  if (error instanceof ControlError) return error;
  if (error instanceof NotFound) {
    return new ControlError(Code.NOT_FOUND, 'NOT_FOUND', error.message, { metadata: { [error.kind]: error.id } });
  }
  if (error instanceof UnknownGateway) {
    return new ControlError(Code.NOT_FOUND, 'NOT_FOUND', error.message, { metadata: { gateway: error.id } });
  }
  if (error instanceof AlreadyExists) {
    return new ControlError(Code.ALREADY_EXISTS, 'ALREADY_EXISTS', error.message, {
      metadata: { [error.kind]: error.id },
    });
  }
  if (error instanceof EtagMismatch) {
    return new ControlError(Code.ABORTED, 'ETAG_MISMATCH', error.message, { metadata: { etag: error.current } });
  }
  if (error instanceof FailedPrecondition) {
    return new ControlError(Code.FAILED_PRECONDITION, error.violation.type, error.message, {
      preconditions: [{ ...error.violation, description: error.message }],
    });
  }
  if (error instanceof InvalidArgument) {
    return new ControlError(Code.INVALID_ARGUMENT, 'INVALID_REQUEST', error.message, { fields: error.faults });
  }
  if (error instanceof StoreUnavailable) {
    const message =
      "the fleet's store (Redis) does not answer: try again. A change that was asked for may have been made all the same";
    return new ControlError(Code.UNAVAILABLE, 'STORE_UNAVAILABLE', message);
  }
  return undefined;
}
