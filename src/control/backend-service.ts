import type { Empty } from '../../generated/google/protobuf/empty.ts';
import {
  type BackendServiceServer,
  type CreateBackendRequest,
  type DeleteBackendRequest,
  type GetBackendRequest,
  type ListBackendsRequest,
  BackendServiceService as Methods,
  type UpdateBackendRequest,
} from '../../generated/tollgate/admin/v1/backend.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { TenantManager } from '../tenants/tenant-manager.ts';
import type { Changes } from './changes.ts';
import { createUnaryHandler } from './unary-handler.ts';

const EMPTY: Empty = {};

/** `tollgate.admin.v1.BackendService`. */
export function createBackendService(tenants: TenantManager, changes: Changes, log: Logger): BackendServiceServer {
  return {
    createBackend: changes.handler(Methods.createBackend, {
      run: (request: CreateBackendRequest, _caller, own) => own.backends.create(request),
      repeat: ({ backendId }) => tenants.backends.get({ id: backendId }),
    }),
    getBackend: createUnaryHandler(log, (request: GetBackendRequest) => tenants.backends.get(request)),
    listBackends: createUnaryHandler(log, (request: ListBackendsRequest) => tenants.backends.list(request)),
    updateBackend: changes.handler(Methods.updateBackend, {
      run: (request: UpdateBackendRequest, _caller, own) => own.backends.update(request),
      repeat: ({ backend }) => tenants.backends.get({ id: backend?.id ?? '' }),
    }),
    deleteBackend: changes.handler(Methods.deleteBackend, {
      async run(request: DeleteBackendRequest, _caller, own) {
        await own.backends.delete(request);
        return EMPTY;
      },
      repeat: () => EMPTY,
    }),
  };
}
