import type { Empty } from '../../generated/google/protobuf/empty.ts';
import {
  type CreateTenantRequest,
  type DeleteTenantRequest,
  type GetTenantRequest,
  type ListTenantsRequest,
  TenantServiceService as Methods,
  type TenantServiceServer,
  type UpdateTenantRequest,
} from '../../generated/tollgate/admin/v1/tenant.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { TenantManager } from '../tenants/tenant-manager.ts';
import type { Changes } from './changes.ts';
import { Evidence, type EvidenceSource } from './decision/evidence.ts';
import { checkOwners, tenantFor } from './self-service.ts';
import { createUnaryHandler } from './unary-handler.ts';

const EMPTY: Empty = {};

/** `tollgate.admin.v1.TenantService`. */
export function createTenantService(
  tenants: TenantManager,
  changes: Changes,
  evidence: EvidenceSource,
  log: Logger,
): TenantServiceServer {
  const found = new Evidence(evidence);
  return {
    createTenant: changes.handler(Methods.createTenant, {
      run: (request: CreateTenantRequest, _caller, own) => own.createTenant(request),
      repeat: ({ tenantId }) => tenants.getTenant({ id: tenantId }),
    }),
    getTenant: createUnaryHandler(log, ({ id }: GetTenantRequest, caller) =>
      tenants.getTenant({ id: tenantFor(caller, id) }),
    ),
    listTenants: createUnaryHandler(log, (request: ListTenantsRequest) => tenants.listTenants(request)),
    updateTenant: changes.handler(Methods.updateTenant, {
      async run(request: UpdateTenantRequest, caller, own) {
        checkOwners(caller, 'tenant', request.tenant?.id ?? '');
        const tenant = await own.updateTenant(request);
        if (!request.validateOnly) return tenant;
        const { tenants: known, plans } = evidence.sync.current;
        const [before, after] = [plans.get(known.get(tenant.id)?.plan ?? ''), plans.get(tenant.plan)];
        if (before === undefined || after === undefined || before === after) return tenant;
        return { ...tenant, evidence: await found.ofPlan(before, after, (tenantId) => tenantId === tenant.id) };
      },
      repeat: ({ tenant }) => tenants.getTenant({ id: tenant?.id ?? '' }),
    }),
    deleteTenant: changes.handler(Methods.deleteTenant, {
      async run(request: DeleteTenantRequest, _caller, own) {
        await own.deleteTenant(request);
        return EMPTY;
      },
      repeat: () => EMPTY,
    }),
  };
}
