import { ServerInterceptingCall, type ServerInterceptor } from '@grpc/grpc-js';
import { SELF_SERVICE, TOLLGATE_CONTRACT } from '../contracts/builtin.ts';
import { Code } from '../grpc/status.ts';
import type { Logger } from '../telemetry/logger.ts';
import { type Caller, readCaller } from './caller.ts';
import { ControlError } from './control-error.ts';
import { toErrorStatus } from './error-status.ts';
import type { ContractSource } from './visible-contracts.ts';

/** Health and reflection are for all. */
const ADMINISTRATION = /^\/(tollgate|grpc\.channelz)\./;

/**
 * Refuses callers without a role all that is not for tenants themselves. The chain has refused those who lack the scopes of
 * the method's policy; this is for the method whose policy somebody forgot: what is not in `SELF_SERVICE` is nobody's by
 * being authenticated alone.
 */
export function createAccessInterceptor(contracts: ContractSource, log: Logger): ServerInterceptor {
  const methods = contracts.get(TOLLGATE_CONTRACT)?.methods ?? [];
  const anyScopes = new Map(methods.map(({ path, policy }) => [path, policy.anyScopes]));
  const isAdmitted = (path: string, { role, scopes }: Caller): boolean => {
    if (role !== undefined || SELF_SERVICE.has(path)) return true;
    return anyScopes.get(path)?.some((scope) => scopes.has(scope)) ?? false;
  };
  return (method, call) => {
    if (!ADMINISTRATION.test(method.path)) return new ServerInterceptingCall(call);
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata(metadata, nextMetadata) {
            const caller = readCaller(metadata);
            if (isAdmitted(method.path, caller)) return nextMetadata(metadata);
            const message = 'this method is for administrators: it takes one of the roles owner, operator and viewer';
            const error = new ControlError(Code.PERMISSION_DENIED, 'ROLE_MISSING', message);
            call.sendStatus(toErrorStatus(error, caller.requestId, log));
          },
        }),
    });
  };
}
