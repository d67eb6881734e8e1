import { FailedPrecondition } from './errors.ts';

/** The gateway's own tenant: its keys administer the gateway. */
export const ADMIN_TENANT = 'tollgate-admin';
/** The plan that it has; without limits unless somebody gives it some. */
export const ADMIN_PLAN = 'unlimited';
export const ADMIN_SCOPES: readonly string[] = ['tollgate.admin', 'tollgate.metrics'];

/** Whoever suspends or deletes the admin tenant locks everybody out, himself first. @throws FailedPrecondition */
export function refuseReserved(tenantId: string, what: string): void {
  if (tenantId !== ADMIN_TENANT) return;
  const message = `the tenant "${ADMIN_TENANT}" holds the keys to this gateway and cannot be ${what}`;
  throw new FailedPrecondition(message, { type: 'TENANT_RESERVED', subject: `tenants/${tenantId}` });
}
