import {
  type ApiKey,
  ApiKey_State,
  type CreateApiKeyRequest,
  type CreateApiKeyResponse,
  type DeleteApiKeyRequest,
  type GetApiKeyRequest,
  type ListApiKeysRequest,
  type ListApiKeysResponse,
  type UpdateApiKeyRequest,
} from '../../generated/tollgate/admin/v1/api_key.ts';
import type { Document } from '../store/store.ts';
import type { DocumentRegistry } from './document-registry.ts';
import { InvalidArgument } from './errors.ts';
import { maskedFields } from './field-mask.ts';
import { hashKey, mintKey } from './key-text.ts';
import { keyContent, keyOf } from './stored.ts';
import { checkKey } from './validate.ts';

const FIELDS = ['name', 'scopes', 'state', 'expire_time'] as const;

/** API keys, in the requests and answers of `tollgate.admin.v1.ApiKeyService`. */
export class KeyRegistry {
  readonly #documents: DocumentRegistry;
  readonly #random: (bytes: number) => Uint8Array;

  /** @param random unpredictable bytes */
  constructor(documents: DocumentRegistry, random: (bytes: number) => Uint8Array) {
    this.#documents = documents;
    this.#random = random;
  }

  /** The answer alone has the key's text. @throws InvalidArgument, NotFound (no such tenant) */
  async create({ tenantId, apiKey }: CreateApiKeyRequest): Promise<CreateApiKeyResponse> {
    if (apiKey === undefined) throw new InvalidArgument('api_key', 'is missing');
    const key: ApiKey = { ...apiKey, id: '', tenantId, state: apiKey.state || ApiKey_State.STATE_ACTIVE };
    checkKey(key);
    const { text, id } = mintKey(key.name, this.#random);
    const document = await this.#documents.create(id, keyContent({ ...key, id }, hashKey(text)));
    return { apiKey: keyOf(document), key: text };
  }

  /** @throws NotFound */
  async get({ id }: GetApiKeyRequest): Promise<ApiKey> {
    return keyOf(await this.#documents.get(id));
  }

  /** @throws InvalidArgument */
  async list(request: ListApiKeysRequest): Promise<ListApiKeysResponse> {
    const { documents, nextPageToken } = await this.#documents.list(request, request.tenantId || undefined);
    return { apiKeys: documents.map(keyOf), nextPageToken };
  }

  /** @throws NotFound, EtagMismatch, InvalidArgument */
  async update({ apiKey, updateMask }: UpdateApiKeyRequest): Promise<ApiKey> {
    if (apiKey === undefined) throw new InvalidArgument('api_key', 'is missing');
    const fields = maskedFields(updateMask, FIELDS);
    // As with tenants: without a mask, a state that is not given stays as it is.
    const named = updateMask?.includes('state') ?? false;
    const document = await this.#documents.update(apiKey.id, apiKey.etag, (current) => {
      const next = keyOf(current);
      if (fields.has('name')) next.name = apiKey.name;
      if (fields.has('scopes')) next.scopes = apiKey.scopes;
      if (fields.has('expire_time')) next.expireTime = apiKey.expireTime;
      if (fields.has('state') && (named || apiKey.state !== ApiKey_State.STATE_UNSPECIFIED)) next.state = apiKey.state;
      checkKey(next);
      return keyContent(next, hashOf(current));
    });
    return keyOf(document);
  }

  /** @throws NotFound, EtagMismatch */
  async delete({ id, etag }: DeleteApiKeyRequest): Promise<void> {
    await this.#documents.delete(id, etag);
  }
}

function hashOf({ id, hash }: Document): string {
  if (hash === undefined) throw new Error(`the stored key ${id} has no hash`);
  return hash;
}
