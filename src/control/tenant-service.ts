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
import { checkOwners, tenantFor } from './self-service.ts';
import { createUnaryHandler } from './unary-handler.ts';

const EMPTY: Empty = {};

/** `tollgate.admin.v1.TenantService`. */
export function createTenantService(tenants: TenantManager, changes: Changes, log: Logger): TenantServiceServer {
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
      run(request: UpdateTenantRequest, caller, own) {
        checkOwners(caller, 'tenant', request.tenant?.id ?? '');
        return own.updateTenant(request);
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
