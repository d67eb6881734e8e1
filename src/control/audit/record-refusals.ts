import type { Call, Outcome } from '../../chain/call.ts';
import { CONTROL_BACKEND } from '../../contracts/builtin.ts';
import { roleOf } from '../../tenants/roles.ts';
import { changesSomething } from '../changes.ts';
import type { AuditLog } from './audit-log.ts';

/**
 * Told of the end of each call: writes down the changes that the chain refused, for want of a scope or for a limit. Those
 * that got past it are written down where they end.
 */
export function recordRefusals(
  audit: AuditLog,
): (call: Call & { readonly requestId: string }, outcome: Outcome) => void {
  return (call, { refusal, reachedBackend }) => {
    const { method, principal } = call;
    if (refusal === undefined || reachedBackend || method?.backend !== CONTROL_BACKEND || principal === undefined)
      return;
    if (!changesSomething(method.path)) return;
    const { id: principalId, tenantId, scopes } = principal;
    const { requestId, remoteAddress } = call;
    const caller = { principalId, tenantId, scopes, requestId, remoteAddress, role: roleOf(scopes) };
    void audit.refused({ caller, path: method.path, request: undefined }, refusal.status, refusal.message);
  };
}
