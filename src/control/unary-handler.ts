import type { handleUnaryCall, Metadata } from '@grpc/grpc-js';
import type { Logger } from '../telemetry/logger.ts';
import { type Caller, readCaller } from './caller.ts';
import { toErrorStatus } from './error-status.ts';

/** A unary method as the services write it: gives the response, or throws. */
export type UnaryMethod<Request, Response> = (
  request: Request,
  caller: Caller,
  metadata: Metadata,
) => Response | Promise<Response>;

/** Makes a grpc-js handler of a method: what it throws becomes a status with details. */
export function createUnaryHandler<Request, Response>(
  log: Logger,
  method: UnaryMethod<Request, Response>,
): handleUnaryCall<Request, Response> {
  return (call, callback) => {
    const caller = readCaller(call.metadata);
    Promise.try(method, call.request, caller, call.metadata).then(
      (response) => callback(null, response),
      (error: unknown) => callback(toErrorStatus(error, caller.requestId, log)),
    );
  };
}
