import type { ApiKey } from '../../generated/tollgate/admin/v1/api_key.ts';
import { Code } from '../grpc/status.ts';
import { NotFound } from '../tenants/errors.ts';
import { ADMIN_PLAN, ADMIN_TENANT } from '../tenants/reserved.ts';
import { isOwnersScope } from '../tenants/roles.ts';
import type { Caller } from './caller.ts';
import { ControlError } from './control-error.ts';

// What callers may ask for beyond the scopes that a method's policy names: a tenant about itself alone, and nobody gives
// rights that are not his to give.

/**
 * The tenant that a request is about. For a caller without a role it is its own, named or not.
 * @throws NotFound for any other, as for one that does not exist: whether it does is not looked at
 */
export function tenantFor(caller: Caller, asked: string): string {
  if (caller.role !== undefined) return asked;
  if (asked !== '' && asked !== caller.tenantId) throw new NotFound('tenant', asked);
  return caller.tenantId;
}

/**
 * A key that was asked for by its id.
 * @throws NotFound when it is another tenant's and the caller has no role, as for one that does not exist
 */
export function keyFor(caller: Caller, key: ApiKey): ApiKey {
  if (caller.role === undefined && key.tenantId !== caller.tenantId) throw new NotFound('api_key', key.id);
  return key;
}

/**
 * Whether the caller may give these scopes to a key, or have to do with a key that has them: one that changes a key, or is
 * shown its text, could use it.
 * @param field where they stand, for the refusal
 * @throws ControlError PERMISSION_DENIED
 */
export function checkScopes(caller: Caller, scopes: readonly string[], field: string): void {
  if (caller.role === 'owner') return;
  for (const scope of scopes) {
    if (caller.role === undefined ? caller.scopes.has(scope) : !isOwnersScope(scope)) continue;
    const why =
      caller.role === undefined
        ? `your credential does not have the scope "${scope}" itself`
        : `the scope "${scope}" is an owner's to give and take`;
    throw notPermitted(field, why);
  }
}

/** The tenant and the plan of the owners: who changes them could lock the owners out. @throws ControlError */
export function checkOwners(caller: Caller, kind: 'tenant' | 'plan', id: string): void {
  if (caller.role === 'owner' || id !== (kind === 'tenant' ? ADMIN_TENANT : ADMIN_PLAN)) return;
  throw notPermitted(`${kind}.id`, `the ${kind} "${id}" is the owners' and theirs to change`);
}

/** A field that the caller's role may not set is refused, not passed over. @param why a clause */
export function notPermitted(field: string, why: string): ControlError {
  return new ControlError(Code.PERMISSION_DENIED, 'FIELD_NOT_PERMITTED', `${field}: ${why}`, { metadata: { field } });
}
