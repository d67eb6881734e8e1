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
import type { KeyRegistry } from '../tenants/keys.ts';
import { createUnaryHandler } from './unary-handler.ts';

const EMPTY: Empty = {};

/** `tollgate.admin.v1.ApiKeyService`. */
export function createApiKeyService(keys: KeyRegistry, log: Logger): ApiKeyServiceServer {
  return {
    createApiKey: createUnaryHandler(log, (request: CreateApiKeyRequest) => keys.create(request)),
    getApiKey: createUnaryHandler(log, (request: GetApiKeyRequest) => keys.get(request)),
    listApiKeys: createUnaryHandler(log, (request: ListApiKeysRequest) => keys.list(request)),
    updateApiKey: createUnaryHandler(log, (request: UpdateApiKeyRequest) => keys.update(request)),
    deleteApiKey: createUnaryHandler(log, async (request: DeleteApiKeyRequest) => {
      await keys.delete(request);
      return EMPTY;
    }),
  };
}
