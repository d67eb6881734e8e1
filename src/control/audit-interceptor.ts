import { ServerInterceptingCall, type ServerInterceptor } from '@grpc/grpc-js';
import { codeName } from '../grpc/status.ts';
import type { Logger } from '../telemetry/logger.ts';
import { type Caller, readCaller } from './caller.ts';

/** Writes say who did what, at `info`; everything else is of interest only to those who look for it. */
const WRITES = /^\/tollgate\.admin\.v1\.\w+\/(Create|Update|Delete|Restore)/;

/** One line for the end of each control call: who (tenant, key id, request id), which method, which status. */
export function createAuditInterceptor(log: Logger): ServerInterceptor {
  return (method, call) => {
    let caller: Caller | undefined;
    const level = WRITES.test(method.path) ? 'info' : 'debug';
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata(metadata, nextMetadata) {
            caller = readCaller(metadata);
            nextMetadata(metadata);
          },
        }),
      sendStatus(status, next) {
        log[level](
          {
            method: method.path.slice(1),
            status: codeName(status.code),
            tenant: caller?.tenantId,
            principal: caller?.principalId,
            request_id: caller?.requestId,
          },
          'control call',
        );
        next(status);
      },
    });
  };
}
