import { ApiKey, ApiKey_State } from '../../generated/tollgate/admin/v1/api_key.ts';
import { Plan } from '../../generated/tollgate/admin/v1/plan.ts';
import { Tenant, Tenant_State } from '../../generated/tollgate/admin/v1/tenant.ts';
import { type DocumentStore, HashTaken, type Write } from '../store/store.ts';
import type { ConfigSync } from '../sync/config-sync.ts';
import { fileKeyId } from './apply-file.ts';
import { sameContent } from './document-registry.ts';
import { FailedPrecondition, InvalidArgument } from './errors.ts';
import { hashKey, isPlausibleKey, mintKey } from './key-text.ts';
import { ADMIN_PLAN, ADMIN_SCOPES, ADMIN_TENANT } from './reserved.ts';
import { keyContent, keyOf, planContent, tenantContent } from './stored.ts';

/** The key from the environment: there is one of it, so a new text takes the place of the old, which is thereby revoked. */
const ENV_KEY = 'env';
const MINTED_KEY = 'admin';
const PAGE = 100;

export interface AdminKeyOptions {
  readonly documents: DocumentStore;
  readonly sync: ConfigSync;
  /** The text of the key, from TOLLGATE_ADMIN_KEY. */
  readonly text: string | undefined;
  readonly random: (bytes: number) => Uint8Array;
  /** Unix milliseconds. */
  readonly now: () => number;
}

/**
 * Sees to it that somebody can administer the gateway: the admin tenant, and a key to it. Without a text, one is minted unless
 * there is a usable one already.
 * @returns the text of a key that was minted, to be shown once
 * @throws InvalidArgument when the given text is too weak to be a key
 */
export async function ensureAdminKey(options: AdminKeyOptions): Promise<string | undefined> {
  const { documents, sync, text } = options;
  if (text !== undefined && !isPlausibleKey(text)) {
    throw new InvalidArgument(
      'TOLLGATE_ADMIN_KEY',
      'must be 22 to 256 visible ASCII characters without spaces, chosen at random (such as `openssl rand -hex 24`)',
    );
  }
  const writes = await tenantWrites(documents);
  let minted: string | undefined;
  if (text !== undefined) {
    const id = fileKeyId(ADMIN_TENANT, ENV_KEY);
    writes.push(...(await keyWrites(documents, adminKey(id, ENV_KEY), hashKey(text))));
  } else if (!(await hasUsableKey(options))) {
    const key = mintKey(MINTED_KEY, options.random);
    writes.push(...(await keyWrites(documents, adminKey(key.id, MINTED_KEY), hashKey(key.text))));
    minted = key.text;
  }
  if (writes.length > 0) await commit(sync, writes);
  return minted;
}

async function tenantWrites(documents: DocumentStore): Promise<Write[]> {
  if ((await documents.get('tenant', ADMIN_TENANT)) !== undefined) return [];
  const tenant = { id: ADMIN_TENANT, displayName: 'Administrators of this gateway', plan: ADMIN_PLAN };
  const content = tenantContent(Tenant.fromPartial({ ...tenant, state: Tenant_State.STATE_ACTIVE }));
  const writes: Write[] = [{ op: 'put', kind: 'tenant', id: ADMIN_TENANT, expected: 0, ...content }];
  if ((await documents.get('plan', ADMIN_PLAN)) === undefined) {
    const plan = planContent(Plan.fromPartial({ id: ADMIN_PLAN }));
    writes.push({ op: 'put', kind: 'plan', id: ADMIN_PLAN, expected: 0, ...plan });
  }
  return writes;
}

/** What makes the store have this key; nothing when it has it. */
async function keyWrites(documents: DocumentStore, key: ApiKey, sha256: string): Promise<Write[]> {
  const content = keyContent(key, sha256);
  const stored = await documents.get('api_key', key.id);
  if (stored !== undefined && sameContent(stored, content)) return [];
  return [{ op: 'put', kind: 'api_key', id: key.id, expected: stored?.version ?? 0, ...content }];
}

async function hasUsableKey({ documents, now }: AdminKeyOptions): Promise<boolean> {
  let after: string | undefined;
  do {
    const page = await documents.list('api_key', { parent: ADMIN_TENANT, after, limit: PAGE });
    for (const key of page.documents.map(keyOf)) {
      const expired = key.expireTime !== undefined && key.expireTime.getTime() <= now();
      const active = key.state === ApiKey_State.STATE_ACTIVE;
      if (active && !expired && ADMIN_SCOPES.every((scope) => key.scopes.includes(scope))) return true;
    }
    after = page.next;
  } while (after !== undefined);
  return false;
}

function adminKey(id: string, name: string): ApiKey {
  const state = ApiKey_State.STATE_ACTIVE;
  return ApiKey.fromPartial({ id, tenantId: ADMIN_TENANT, name, scopes: [...ADMIN_SCOPES], state });
}

async function commit(sync: ConfigSync, writes: readonly Write[]): Promise<void> {
  try {
    await sync.change(writes);
  } catch (error) {
    if (!(error instanceof HashTaken)) throw error;
    const message = `TOLLGATE_ADMIN_KEY is the text of the key "${error.id}": choose another`;
    throw new FailedPrecondition(message, { type: 'KEY_TAKEN', subject: `api_keys/${error.id}` });
  }
}
