import type { Empty } from '../../generated/google/protobuf/empty.ts';
import {
  type ApiKey,
  type ApiKeyServiceServer,
  type CreateApiKeyRequest,
  type DeleteApiKeyRequest,
  type GetApiKeyRequest,
  type ListApiKeysRequest,
  ApiKeyServiceService as Methods,
  type RotateApiKeyRequest,
  type UpdateApiKeyRequest,
} from '../../generated/tollgate/admin/v1/api_key.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { TenantManager } from '../tenants/tenant-manager.ts';
import type { Caller } from './caller.ts';
import type { Changes } from './changes.ts';
import { checkScopes, keyFor, tenantFor } from './self-service.ts';
import { createUnaryHandler } from './unary-handler.ts';

const EMPTY: Empty = {};
const SCOPES = 'api_key.scopes';

/** `tollgate.admin.v1.ApiKeyService`. */
export function createApiKeyService(tenants: TenantManager, changes: Changes, log: Logger): ApiKeyServiceServer {
  const find = async (caller: Caller, id: string): Promise<ApiKey> => keyFor(caller, await tenants.getApiKey({ id }));
  /** One that the caller may change: whose tenant it is never changes, and scopes only by those who may. */
  const findOwn = async (caller: Caller, id: string): Promise<ApiKey> => {
    const key = await find(caller, id);
    checkScopes(caller, key.scopes, SCOPES);
    return key;
  };
  return {
    createApiKey: changes.handler(Methods.createApiKey, {
      async run(request: CreateApiKeyRequest, caller, own) {
        const tenantId = tenantFor(caller, request.tenantId);
        tenantFor(caller, request.apiKey?.tenantId ?? '');
        checkScopes(caller, request.apiKey?.scopes ?? [], SCOPES);
        const created = await own.createApiKey({ ...request, tenantId });
        // Of a key that was not made there is no text to show.
        return request.validateOnly ? { ...created, key: '' } : created;
      },
      // The text was shown once.
      repeat: async (_request, caller, id) => ({ apiKey: await find(caller, id), key: '' }),
    }),
    getApiKey: createUnaryHandler(log, ({ id }: GetApiKeyRequest, caller) => find(caller, id)),
    listApiKeys: createUnaryHandler(log, (request: ListApiKeysRequest, caller) =>
      tenants.listApiKeys({ ...request, tenantId: tenantFor(caller, request.tenantId) }),
    ),
    updateApiKey: changes.handler(Methods.updateApiKey, {
      async run(request: UpdateApiKeyRequest, caller, own) {
        await findOwn(caller, request.apiKey?.id ?? '');
        tenantFor(caller, request.apiKey?.tenantId ?? '');
        checkScopes(caller, request.apiKey?.scopes ?? [], SCOPES);
        return own.updateApiKey(request);
      },
      repeat: ({ apiKey }, caller) => find(caller, apiKey?.id ?? ''),
    }),
    rotateApiKey: changes.handler(Methods.rotateApiKey, {
      async run(request: RotateApiKeyRequest, caller, own) {
        await findOwn(caller, request.id);
        const rotated = await own.rotateApiKey(request);
        return request.validateOnly ? { ...rotated, key: '' } : rotated;
      },
      repeat: async ({ id }, caller, successor) => ({
        apiKey: await find(caller, successor),
        key: '',
        oldApiKey: await find(caller, id),
      }),
    }),
    deleteApiKey: changes.handler(Methods.deleteApiKey, {
      async run(request: DeleteApiKeyRequest, caller, own) {
        const key = await find(caller, request.id);
        // A tenant takes any of its keys out of use: it may have been stolen.
        if (caller.role !== undefined) checkScopes(caller, key.scopes, SCOPES);
        await own.deleteApiKey(request);
        return EMPTY;
      },
      repeat: () => EMPTY,
    }),
  };
}
