import type { Metadata } from '@grpc/grpc-js';
import { BadRequest, ErrorInfo, PreconditionFailure } from '../../generated/google/rpc/error_details.ts';
import { Status } from '../../generated/google/rpc/status.ts';
import { findDetail, STATUS_DETAILS_KEY } from '../../src/grpc/error-details.ts';

/** What a client learns from `grpc-status-details-bin`. */
export function readDetails(metadata: Metadata) {
  const value = metadata.get(STATUS_DETAILS_KEY)[0];
  if (!Buffer.isBuffer(value)) throw new Error('no details');
  const status = Status.decode(value);
  const info = findDetail(status, 'google.rpc.ErrorInfo');
  const bad = findDetail(status, 'google.rpc.BadRequest');
  const failed = findDetail(status, 'google.rpc.PreconditionFailure');
  return {
    code: status.code,
    message: status.message,
    info: info && ErrorInfo.decode(info),
    fields: bad ? BadRequest.decode(bad).fieldViolations.map(({ field, description }) => ({ field, description })) : [],
    preconditions: failed ? PreconditionFailure.decode(failed).violations : [],
  };
}
