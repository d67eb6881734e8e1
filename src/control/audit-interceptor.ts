import { ServerInterceptingCall, type ServerInterceptor } from '@grpc/grpc-js';
import { Code, codeName } from '../grpc/status.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { AuditLog } from './audit/audit-log.ts';
import { type Caller, readCaller } from './caller.ts';
import { changesSomething } from './changes.ts';

/**
 * One line for the end of each control call: who (tenant, key id, request id), which method, which status; at `info` for what
 * changes something. A change that is refused goes into the audit log before the caller is told.
 */
export function createAuditInterceptor(audit: AuditLog, log: Logger): ServerInterceptor {
  return (method, call) => {
    let caller: Caller | undefined;
    let request: unknown;
    const isChange = changesSomething(method.path);
    const level = isChange ? 'info' : 'debug';
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata(metadata, nextMetadata) {
            caller = readCaller(metadata);
            nextMetadata(metadata);
          },
          onReceiveMessage(message: unknown, nextMessage) {
            if (isChange) request = message;
            nextMessage(message);
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
        if (!isChange || status.code === Code.OK || caller === undefined) return next(status);
        const attempt = { caller, path: method.path, request };
        void audit.refused(attempt, status.code, status.details ?? '').finally(() => next(status));
      },
    });
  };
}
