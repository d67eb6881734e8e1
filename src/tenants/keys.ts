import {
  type ApiKey,
  ApiKey_State,
  type CreateApiKeyRequest,
  type CreateApiKeyResponse,
  type DeleteApiKeyRequest,
  type GetApiKeyRequest,
  type ListApiKeysRequest,
  type ListApiKeysResponse,
  type RotateApiKeyRequest,
  type RotateApiKeyResponse,
  type UpdateApiKeyRequest,
} from '../../generated/tollgate/admin/v1/api_key.ts';
import { durationToMs } from '../contracts/policy.ts';
import type { Document } from '../store/store.ts';
import type { DocumentRegistry } from './document-registry.ts';
import { FailedPrecondition, InvalidArgument, NotFound } from './errors.ts';
import { maskedFields } from './field-mask.ts';
import { hashKey, mintKey } from './key-text.ts';
import { keyContent, keyOf } from './stored.ts';
import { checkKey } from './validate.ts';

const FIELDS = ['name', 'scopes', 'state', 'expire_time', 'limits'] as const;

/** A leap year. */
const MAX_GRACE_MS = 366 * 86_400_000;

export interface KeyUseReader {
  /** Unix milliseconds by the key's id; without those of which nothing is known. */
  read(ids: readonly string[]): Promise<ReadonlyMap<string, number>>;
}

export interface KeyRegistryOptions {
  /** Gives so many unpredictable bytes. */
  readonly random: (bytes: number) => Uint8Array;
  readonly clock: { now(): number };
  readonly uses: KeyUseReader | undefined;
}

/** API keys, in the requests and answers of `tollgate.admin.v1.ApiKeyService`. */
export class KeyRegistry {
  readonly #documents: DocumentRegistry;
  readonly #options: KeyRegistryOptions;

  constructor(documents: DocumentRegistry, options: KeyRegistryOptions) {
    this.#documents = documents;
    this.#options = options;
  }

  /** The answer alone has the key's text. @throws InvalidArgument, NotFound (no such tenant) */
  async create({ tenantId, apiKey }: CreateApiKeyRequest): Promise<CreateApiKeyResponse> {
    if (apiKey === undefined) throw new InvalidArgument('api_key', 'is missing');
    const key: ApiKey = { ...apiKey, id: '', tenantId, state: apiKey.state || ApiKey_State.STATE_ACTIVE };
    checkKey(key);
    const { text, id } = mintKey(key.name, this.#options.random);
    const document = await this.#documents.create(id, keyContent({ ...key, id }, hashKey(text)));
    return { apiKey: keyOf(document), key: text };
  }

  /** @throws NotFound */
  async get({ id }: GetApiKeyRequest): Promise<ApiKey> {
    const [key] = await this.#withUse([keyOf(await this.#documents.get(id))]);
    if (key === undefined) throw new NotFound('api_key', id);
    return key;
  }

  /** @throws InvalidArgument */
  async list(request: ListApiKeysRequest): Promise<ListApiKeysResponse> {
    const { documents, nextPageToken } = await this.#documents.list(request, request.tenantId || undefined);
    return { apiKeys: await this.#withUse(documents.map(keyOf)), nextPageToken };
  }

  /** @throws NotFound, EtagMismatch, InvalidArgument */
  async update({ apiKey, updateMask }: UpdateApiKeyRequest): Promise<ApiKey> {
    if (apiKey === undefined) throw new InvalidArgument('api_key', 'is missing');
    const fields = maskedFields(updateMask, FIELDS);
    // As with tenants: without a mask, a state that is not given stays as it is.
    const named = (field: string) => updateMask?.includes(field) ?? false;
    const document = await this.#documents.update(apiKey.id, apiKey.etag, (current) => {
      const next = keyOf(current);
      if (fields.has('name')) next.name = apiKey.name;
      if (fields.has('scopes')) next.scopes = apiKey.scopes;
      if (fields.has('limits') && (named('limits') || apiKey.limits.length > 0)) next.limits = apiKey.limits;
      if (fields.has('expire_time')) next.expireTime = apiKey.expireTime;
      if (fields.has('state') && (named('state') || apiKey.state !== ApiKey_State.STATE_UNSPECIFIED))
        next.state = apiKey.state;
      checkKey(next);
      return keyContent(next, hashOf(current));
    });
    return keyOf(document);
  }

  /**
   * Both keys are written in one change. What the new one may do, and until when, is what the old one could: who may rotate a
   * key but not make one gains nothing by it.
   * @throws NotFound, EtagMismatch, InvalidArgument, FailedPrecondition (the key is not in force)
   */
  async rotate({ id, etag, grace, expireTime }: RotateApiKeyRequest): Promise<RotateApiKeyResponse> {
    const now = this.#options.clock.now();
    const graceMs = grace === undefined ? 0 : durationToMs(grace);
    if (!(graceMs >= 0 && graceMs <= MAX_GRACE_MS)) throw new InvalidArgument('grace', 'must be 0 s to 366 days');
    if (expireTime !== undefined && !(expireTime.getTime() > now)) {
      throw new InvalidArgument('expire_time', 'must be in the future');
    }
    let key = '';
    const { updated, created } = await this.#documents.updateAndCreate(id, etag, (current) => {
      const old = keyOf(current);
      const end = old.expireTime?.getTime() ?? Number.POSITIVE_INFINITY;
      refuseNotInForce(old, end <= now);
      const minted = mintKey(old.name, this.#options.random);
      key = minted.text;
      const next: ApiKey = { ...old, id: minted.id, expireTime: expireTime ?? old.expireTime };
      const ending: ApiKey = { ...old, expireTime: new Date(Math.min(end, now + graceMs)) };
      return {
        content: keyContent(ending, hashOf(current)),
        id: minted.id,
        created: keyContent(next, hashKey(key)),
      };
    });
    return { apiKey: keyOf(created), key, oldApiKey: keyOf(updated) };
  }

  /** @throws NotFound, EtagMismatch */
  async delete({ id, etag }: DeleteApiKeyRequest): Promise<void> {
    await this.#documents.delete(id, etag);
  }

  async #withUse(keys: readonly ApiKey[]): Promise<ApiKey[]> {
    const uses = await this.#options.uses?.read(keys.map(({ id }) => id));
    return keys.map((key) => {
      const at = uses?.get(key.id);
      return at === undefined ? key : { ...key, lastUseTime: new Date(at) };
    });
  }
}

function refuseNotInForce({ id, state }: ApiKey, expired: boolean): void {
  if (state !== ApiKey_State.STATE_DISABLED && !expired) return;
  const message = `the key "${id}" ${expired ? 'has expired' : 'is disabled'}: make a new one instead`;
  throw new FailedPrecondition(message, { type: 'KEY_NOT_IN_FORCE', subject: `api_keys/${id}` });
}

function hashOf({ id, hash }: Document): string {
  if (hash === undefined) throw new Error(`the stored key ${id} has no hash`);
  return hash;
}
