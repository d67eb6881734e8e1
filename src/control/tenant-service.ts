import type { Empty } from '../../generated/google/protobuf/empty.ts';
import type {
  CreateTenantRequest,
  DeleteTenantRequest,
  GetTenantRequest,
  ListTenantsRequest,
  TenantServiceServer,
  UpdateTenantRequest,
} from '../../generated/tollgate/admin/v1/tenant.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { TenantManager } from '../tenants/tenant-manager.ts';
import { checkOwners, tenantFor } from './self-service.ts';
import { createUnaryHandler } from './unary-handler.ts';

const EMPTY: Empty = {};

/** `tollgate.admin.v1.TenantService`. */
export function createTenantService(tenants: TenantManager, log: Logger): TenantServiceServer {
  return {
    createTenant: createUnaryHandler(log, (request: CreateTenantRequest) => tenants.createTenant(request)),
    getTenant: createUnaryHandler(log, ({ id }: GetTenantRequest, caller) =>
      tenants.getTenant({ id: tenantFor(caller, id) }),
    ),
    listTenants: createUnaryHandler(log, (request: ListTenantsRequest) => tenants.listTenants(request)),
    updateTenant: createUnaryHandler(log, (request: UpdateTenantRequest, caller) => {
      checkOwners(caller, 'tenant', request.tenant?.id ?? '');
      return tenants.updateTenant(request);
    }),
    deleteTenant: createUnaryHandler(log, async (request: DeleteTenantRequest) => {
      await tenants.deleteTenant(request);
      return EMPTY;
    }),
  };
}
