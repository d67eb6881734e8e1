import type { Tenant as TenantMessage } from '../../generated/tollgate/admin/v1/tenant.ts';
import { tenantFromDocument } from '../sync/from-document.ts';
import type { Snapshot } from '../sync/snapshot.ts';
import { FailedPrecondition } from './errors.ts';
import { tenantContent } from './stored.ts';

/**
 * Refuses tenants whose issuers or client certificates would be another one's too, had they been written.
 * @param snapshot the state before; @param tenants as they are to be, all that change together
 * @throws FailedPrecondition
 */
export function refuseTaken(snapshot: Snapshot, tenants: readonly TenantMessage[]): void {
  const after = tenants.map((tenant) => tenantFromDocument({ id: tenant.id, body: tenantContent(tenant).body }));
  const before = after.map(({ id }) => snapshot.tenants.get(id)).filter((tenant) => tenant !== undefined);
  const identities = snapshot.identities.change(before, after);
  if (identities === snapshot.identities) return;
  for (const tenant of after) {
    const conflict = identities.conflictOf(tenant);
    if (conflict === undefined) continue;
    const subject = `tenants/${tenant.id}/${conflict.list}[${conflict.index}]`;
    throw new FailedPrecondition(`${conflict.message}; ${conflict.hint}`, { type: 'IDENTITY_TAKEN', subject });
  }
}
