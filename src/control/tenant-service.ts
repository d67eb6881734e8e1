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
import type { TenantRegistry } from '../tenants/tenants.ts';
import { createUnaryHandler } from './unary-handler.ts';

const EMPTY: Empty = {};

/** `tollgate.admin.v1.TenantService`. */
export function createTenantService(tenants: TenantRegistry, log: Logger): TenantServiceServer {
  return {
    createTenant: createUnaryHandler(log, (request: CreateTenantRequest) => tenants.create(request)),
    getTenant: createUnaryHandler(log, (request: GetTenantRequest) => tenants.get(request)),
    listTenants: createUnaryHandler(log, (request: ListTenantsRequest) => tenants.list(request)),
    updateTenant: createUnaryHandler(log, (request: UpdateTenantRequest) => tenants.update(request)),
    deleteTenant: createUnaryHandler(log, async (request: DeleteTenantRequest) => {
      await tenants.delete(request);
      return EMPTY;
    }),
  };
}
