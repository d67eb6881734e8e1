import type { Empty } from '../../generated/google/protobuf/empty.ts';
import type {
  ApiKeyServiceServer,
  CreateApiKeyRequest,
  DeleteApiKeyRequest,
  GetApiKeyRequest,
  ListApiKeysRequest,
  UpdateApiKeyRequest,
} from '../../generated/tollgate/admin/v1/api_key.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { TenantManager } from '../tenants/tenant-manager.ts';
import { createUnaryHandler } from './unary-handler.ts';

const EMPTY: Empty = {};

/** `tollgate.admin.v1.ApiKeyService`. */
export function createApiKeyService(tenants: TenantManager, log: Logger): ApiKeyServiceServer {
  return {
    createApiKey: createUnaryHandler(log, (request: CreateApiKeyRequest) => tenants.createApiKey(request)),
    getApiKey: createUnaryHandler(log, (request: GetApiKeyRequest) => tenants.getApiKey(request)),
    listApiKeys: createUnaryHandler(log, (request: ListApiKeysRequest) => tenants.listApiKeys(request)),
    updateApiKey: createUnaryHandler(log, (request: UpdateApiKeyRequest) => tenants.updateApiKey(request)),
    deleteApiKey: createUnaryHandler(log, async (request: DeleteApiKeyRequest) => {
      await tenants.deleteApiKey(request);
      return EMPTY;
    }),
  };
}
