import type { Empty } from '../../generated/google/protobuf/empty.ts';
import type {
  ApiKey,
  ApiKeyServiceServer,
  CreateApiKeyRequest,
  DeleteApiKeyRequest,
  GetApiKeyRequest,
  ListApiKeysRequest,
  UpdateApiKeyRequest,
} from '../../generated/tollgate/admin/v1/api_key.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { TenantManager } from '../tenants/tenant-manager.ts';
import type { Caller } from './caller.ts';
import { checkScopes, keyFor, tenantFor } from './self-service.ts';
import { createUnaryHandler } from './unary-handler.ts';

const EMPTY: Empty = {};
const SCOPES = 'api_key.scopes';

/** `tollgate.admin.v1.ApiKeyService`. */
export function createApiKeyService(tenants: TenantManager, log: Logger): ApiKeyServiceServer {
  const find = async (caller: Caller, id: string): Promise<ApiKey> => keyFor(caller, await tenants.getApiKey({ id }));
  /** One that the caller may change: whose tenant it is never changes, and scopes only by those who may. */
  const findOwn = async (caller: Caller, id: string): Promise<ApiKey> => {
    const key = await find(caller, id);
    checkScopes(caller, key.scopes, SCOPES);
    return key;
  };
  return {
    createApiKey: createUnaryHandler(log, (request: CreateApiKeyRequest, caller) => {
      const tenantId = tenantFor(caller, request.tenantId);
      tenantFor(caller, request.apiKey?.tenantId ?? '');
      checkScopes(caller, request.apiKey?.scopes ?? [], SCOPES);
      return tenants.createApiKey({ ...request, tenantId });
    }),
    getApiKey: createUnaryHandler(log, ({ id }: GetApiKeyRequest, caller) => find(caller, id)),
    listApiKeys: createUnaryHandler(log, (request: ListApiKeysRequest, caller) =>
      tenants.listApiKeys({ ...request, tenantId: tenantFor(caller, request.tenantId) }),
    ),
    updateApiKey: createUnaryHandler(log, async (request: UpdateApiKeyRequest, caller) => {
      await findOwn(caller, request.apiKey?.id ?? '');
      tenantFor(caller, request.apiKey?.tenantId ?? '');
      checkScopes(caller, request.apiKey?.scopes ?? [], SCOPES);
      return tenants.updateApiKey(request);
    }),
    deleteApiKey: createUnaryHandler(log, async (request: DeleteApiKeyRequest, caller) => {
      const key = await find(caller, request.id);
      // A tenant takes any of its keys out of use: it may have been stolen.
      if (caller.role !== undefined) checkScopes(caller, key.scopes, SCOPES);
      await tenants.deleteApiKey(request);
      return EMPTY;
    }),
  };
}
