import { ApiKey, ApiKey_State } from '../../generated/tollgate/admin/v1/api_key.ts';
import type { ClientCertificate, Issuer } from '../../generated/tollgate/admin/v1/issuer.ts';
import {
  Plan_Priority,
  Plan_WhenStoreSilent,
  type Plan as PlanMessage,
  Quota_Period,
  type RateLimit,
} from '../../generated/tollgate/admin/v1/plan.ts';
import { type PlanOverrides, Tenant, Tenant_State } from '../../generated/tollgate/admin/v1/tenant.ts';
import { type Document, type DocumentStore, HashTaken, type Write } from '../store/store.ts';
import type { ConfigSync } from '../sync/config-sync.ts';
import { type Plan, Priority } from '../sync/snapshot.ts';
import { type Content, registryError, sameContent } from './document-registry.ts';
import { FailedPrecondition, InvalidArgument } from './errors.ts';
import { refuseTaken } from './refuse-taken.ts';
import { refuseReserved } from './reserved.ts';
import { keyContent, keyOf, planContent, tenantContent, tenantOf } from './stored.ts';
import { checkIdentities, checkKey, checkPlan, checkTenant } from './validate.ts';

/** What a configuration file says of plans and tenants. */
export interface FileContent {
  readonly plans: readonly Plan[];
  readonly tenants: readonly FileTenant[];
}

export interface FileTenant {
  readonly id: string;
  readonly displayName: string;
  /** Id of a plan, of the file or of the store. */
  readonly plan: string;
  readonly allowed?: readonly string[] | undefined;
  readonly overrides?: PlanOverrides | undefined;
  readonly keys: readonly FileKey[];
  /** With their key sets: no names of files. */
  readonly issuers?: readonly Issuer[] | undefined;
  readonly certificates?: readonly ClientCertificate[] | undefined;
}

export interface FileKey {
  /** Unique within the tenant. */
  readonly name: string;
  /** Of the key's whole text, lower-case hex. */
  readonly sha256: string;
  readonly scopes: readonly string[];
  /** Under those of the plan. */
  readonly limits?: readonly RateLimit[] | undefined;
}

const SHA256 = /^[0-9a-f]{64}$/;
const PAGE = 1000;

/**
 * The id of a key that came from a file: no text, of which there may be none but a hash, gives it, but tenant and name. So a
 * new secret under the same name takes the place of the old one, which is thereby revoked. Minted ids have no dot.
 */
export function fileKeyId(tenantId: string, name: string): string {
  return `${tenantId}.${name}`;
}

/**
 * Brings the store to what the file says, in one change; in none when it is so already.
 *
 * The file wins over what the API changed in the same plan or tenant, but for states and expiry, of which it says nothing:
 * who was suspended stays so. What the API added stays. A key that the file no longer has under a tenant that it still has is
 * deleted, if it came from a file; a tenant that the file no longer has stays, with its keys. Issuers and client certificates
 * of a tenant are those of the file alone: what is taken out of it is trusted no longer.
 * @throws InvalidArgument, FailedPrecondition
 */
export async function applyFile(
  documents: DocumentStore,
  { sync, httpHosts }: ApplyOptions,
  file: FileContent,
): Promise<void> {
  const draft = new FileDraft(documents, httpHosts);
  for (const plan of file.plans) await draft.plan(plan);
  for (const tenant of file.tenants) await draft.tenant(tenant);
  refuseTaken(sync.current, draft.tenants);
  const writes = draft.writes();
  if (writes.length === 0) return;
  try {
    await sync.change(writes);
  } catch (error) {
    if (error instanceof HashTaken) {
      const message =
        `a key in the file is already registered as "${error.id}" of another tenant or name: ` +
        'give every key a text of its own, or delete that one first';
      throw new FailedPrecondition(message, { type: 'KEY_TAKEN', subject: `api_keys/${error.id}` });
    }
    throw registryError(error);
  }
}

/** Where a file is applied. */
export interface ApplyOptions {
  readonly sync: ConfigSync;
  /** Hosts whose key sets may come over http. */
  readonly httpHosts: ReadonlySet<string>;
}

/** Collects what has to be written. */
class FileDraft {
  /** All that the file has, changed or not. */
  readonly tenants: Tenant[] = [];
  readonly #documents: DocumentStore;
  readonly #httpHosts: ReadonlySet<string>;
  readonly #seen = new Set<string>();
  readonly #deletes: Write[] = [];
  readonly #puts: Write[] = [];

  constructor(documents: DocumentStore, httpHosts: ReadonlySet<string>) {
    this.#documents = documents;
    this.#httpHosts = httpHosts;
  }

  /** Deletes come first: two keys may have changed their texts with each other. */
  writes(): Write[] {
    return [...this.#deletes, ...this.#puts];
  }

  async plan(plan: Plan): Promise<void> {
    this.#once('plan', plan.id);
    const message = toPlanMessage(plan);
    checkPlan(message);
    this.#put('plan', plan.id, await this.#documents.get('plan', plan.id), planContent(message));
  }

  async tenant(said: FileTenant): Promise<void> {
    const { id, displayName, plan, keys, allowed = [], overrides, issuers = [], certificates = [] } = said;
    this.#once('tenant', id);
    refuseReserved(id, 'set in the file: use TOLLGATE_ADMIN_KEY');
    const stored = await this.#documents.get('tenant', id);
    const state = stored === undefined ? Tenant_State.STATE_ACTIVE : tenantOf(stored).state;
    const tenant = Tenant.fromPartial({ id, displayName, plan, state, allowed: [...allowed] });
    if (overrides !== undefined) tenant.overrides = overrides;
    tenant.issuers = [...issuers];
    tenant.clientCertificates = [...certificates];
    checkTenant(tenant);
    checkIdentities(tenant, this.#httpHosts);
    this.tenants.push(tenant);
    this.#put('tenant', id, stored, tenantContent(tenant));
    for (const key of keys) await this.#key(id, key);
    await this.#deleteOthers(id, new Set(keys.map(({ name }) => fileKeyId(id, name))));
  }

  async #key(tenantId: string, { name, sha256, scopes, limits = [] }: FileKey): Promise<void> {
    const id = fileKeyId(tenantId, name);
    this.#once('key', id);
    if (!SHA256.test(sha256)) throw new InvalidArgument(`keys[${id}].sha256`, 'must be 64 lower-case hex digits');
    const stored = await this.#documents.get('api_key', id);
    const { state, expireTime } = stored === undefined ? { state: ApiKey_State.STATE_ACTIVE } : keyOf(stored);
    const fields = { id, tenantId, name, scopes: [...scopes], limits: [...limits], state };
    const key: ApiKey = { ...ApiKey.fromPartial(fields), expireTime };
    checkKey(key);
    const replaced = stored !== undefined && stored.hash !== sha256;
    if (replaced) this.#deletes.push({ op: 'delete', kind: 'api_key', id, expected: stored.version });
    this.#put('api_key', id, replaced ? undefined : stored, keyContent(key, sha256));
  }

  async #deleteOthers(tenantId: string, keep: ReadonlySet<string>): Promise<void> {
    // Ids of file keys, and no others, begin so.
    const prefix = fileKeyId(tenantId, '');
    let after: string | undefined = prefix;
    while (after !== undefined) {
      const page = await this.#documents.list('api_key', { parent: tenantId, after, limit: PAGE });
      for (const { kind, id, version } of page.documents) {
        if (!id.startsWith(prefix)) return;
        if (!keep.has(id)) this.#deletes.push({ op: 'delete', kind, id, expected: version });
      }
      after = page.next;
    }
  }

  #put(kind: Document['kind'], id: string, stored: Document | undefined, content: Content): void {
    if (stored !== undefined && sameContent(stored, content)) return;
    this.#puts.push({ op: 'put', kind, id, expected: stored?.version ?? 0, ...content });
  }

  #once(what: string, id: string): void {
    const key = `${what}/${id}`;
    if (this.#seen.has(key)) throw new InvalidArgument(`${what}s`, `"${id}" stands twice in the file`);
    this.#seen.add(key);
  }
}

const PRIORITIES = {
  [Priority.LOW]: Plan_Priority.PRIORITY_LOW,
  // As it is stored by who says nothing of it, so that the two are equal.
  [Priority.NORMAL]: Plan_Priority.PRIORITY_UNSPECIFIED,
  [Priority.HIGH]: Plan_Priority.PRIORITY_HIGH,
} as const;

const SILENT_POLICIES = {
  local_share: Plan_WhenStoreSilent.WHEN_STORE_SILENT_LOCAL_SHARE,
  open: Plan_WhenStoreSilent.WHEN_STORE_SILENT_OPEN,
  closed: Plan_WhenStoreSilent.WHEN_STORE_SILENT_CLOSED,
} as const;

function toPlanMessage(plan: Plan): PlanMessage {
  return {
    id: plan.id,
    priority: PRIORITIES[plan.priority],
    limits: plan.limits.map(({ name, rate, burst }) => ({ name, rate, burst })),
    quotas: plan.quotas.map(({ metric, limit, period, timeZone, anchor }) => ({
      metric,
      limit,
      period: period === 'day' ? Quota_Period.PERIOD_DAY : Quota_Period.PERIOD_MONTH,
      timeZone,
      anchor,
    })),
    concurrency: plan.concurrency,
    whenStoreSilent: plan.whenStoreSilent && SILENT_POLICIES[plan.whenStoreSilent],
    allowed: [...(plan.allowed?.names ?? [])],
    etag: '',
  };
}
