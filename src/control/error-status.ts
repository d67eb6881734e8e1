import { Metadata, type StatusObject } from '@grpc/grpc-js';
import { ERROR_DOMAIN } from '../chain/refusal-details.ts';
import { badRequest, encodeStatus, errorInfo, preconditionFailure, STATUS_DETAILS_KEY } from '../grpc/error-details.ts';
import { Code } from '../grpc/status.ts';
import type { Logger } from '../telemetry/logger.ts';
import { ControlError } from './control-error.ts';
import { fromForeignError } from './foreign-error.ts';

/**
 * The status that tells a caller of an error, with its details (`google.rpc.Status` in `grpc-status-details-bin`). An
 * error that nobody expected is logged with its cause and told as "internal error" without it.
 */
export function toErrorStatus(error: unknown, requestId: string, log: Logger): StatusObject {
  const known = fromForeignError(error);
  if (known) return encodeError(known, requestId);
  log.error({ err: error, request_id: requestId }, 'a control call failed unexpectedly');
  return encodeError(new ControlError(Code.INTERNAL, 'INTERNAL', 'internal error'), requestId);
}

function encodeError(error: ControlError, requestId: string): StatusObject {
  const { fields, preconditions = [] } = error.details;
  const about = requestId === '' ? error.details.metadata : { request_id: requestId, ...error.details.metadata };
  const details = [errorInfo(error.reason, ERROR_DOMAIN, about ?? {})];
  if (fields) details.push(badRequest(fields));
  for (const { type, subject, description } of preconditions) {
    details.push(preconditionFailure(type, subject, description));
  }
  const metadata = new Metadata();
  metadata.set(STATUS_DETAILS_KEY, Buffer.from(encodeStatus(error.code, error.message, details)));
  return { code: error.code, details: error.message, metadata };
}
