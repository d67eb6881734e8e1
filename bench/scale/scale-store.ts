import { createHash } from 'node:crypto';
import { ApiKey, ApiKey_State } from '../../generated/tollgate/admin/v1/api_key.ts';
import { Plan, Quota_Period } from '../../generated/tollgate/admin/v1/plan.ts';
import { PlanOverrides, Tenant, Tenant_State } from '../../generated/tollgate/admin/v1/tenant.ts';
import { openEmbeddedStore } from '../../src/store/embedded/open.ts';
import type { DocumentStore, Write } from '../../src/store/store.ts';
import { hashKey } from '../../src/tenants/key-text.ts';
import { keyContent, planContent, tenantContent } from '../../src/tenants/stored.ts';

export interface Scale {
  readonly tenants: number;
  readonly keysPerTenant: number;
}

export const PLANS = 10;
/** Every so many tenants one has an override, and one a list of what it may call. */
const APART_EVERY = 10;
const BATCH = 5_000;

export const tenantId = (tenant: number): string => `tenant-${String(tenant).padStart(6, '0')}`;
export const planId = (plan: number): string => `plan-${plan}`;
export const planOf = (tenant: number): string => planId(tenant % PLANS);

/** The text and the id of a key; the same in every run, so that none need be kept. */
export function keyOf(tenant: number, key: number): { readonly id: string; readonly text: string } {
  const seed = createHash('sha256').update(`tollgate-scale-${tenant}-${key}`).digest('hex');
  const id = seed.slice(0, 16);
  return { id, text: `tg_scale_${id}_${seed.slice(16)}` };
}

/** Makes an embedded store with so many tenants and keys. */
export async function makeStore(path: string, scale: Scale): Promise<void> {
  const clock = { now: () => Date.now(), monotonic: () => performance.now() };
  // What the change log holds of the making would only be in the way.
  const store = openEmbeddedStore({ path, clock, keepChanges: 1 });
  try {
    await writeAll(store.documents, scale);
  } finally {
    await store.close();
  }
}

export async function writeAll(documents: Pick<DocumentStore, 'commit'>, scale: Scale): Promise<void> {
  let writes: Write[] = [];
  for (const write of writesOf(scale)) {
    writes.push(write);
    if (writes.length < BATCH) continue;
    await documents.commit(writes);
    writes = [];
  }
  if (writes.length > 0) await documents.commit(writes);
}

/** Limits that really count, and admit. */
function* writesOf({ tenants, keysPerTenant }: Scale): Generator<Write> {
  for (let plan = 0; plan < PLANS; plan += 1) {
    const message = Plan.fromPartial({
      id: planId(plan),
      limits: [{ name: 'calls', rate: 1_000_000, burst: 1_000_000 }],
      quotas: [{ metric: 'units', limit: 1_000_000_000, period: Quota_Period.PERIOD_DAY, timeZone: 'UTC' }],
      concurrency: 10_000,
    });
    yield { op: 'put', kind: 'plan', id: message.id, ...planContent(message) };
  }
  for (let tenant = 0; tenant < tenants; tenant += 1) {
    yield { op: 'put', kind: 'tenant', id: tenantId(tenant), ...tenantContent(tenantMessage(tenant)) };
    for (let key = 0; key < keysPerTenant; key += 1) {
      const { id, text } = keyOf(tenant, key);
      const fields = { id, tenantId: tenantId(tenant), name: 'scale', scopes: ['a.read', 'a.write'] };
      const message = ApiKey.fromPartial({ ...fields, state: ApiKey_State.STATE_ACTIVE });
      yield { op: 'put', kind: 'api_key', id, ...keyContent(message, hashKey(text)) };
    }
  }
}

function tenantMessage(tenant: number): Tenant {
  const message = Tenant.fromPartial({
    id: tenantId(tenant),
    displayName: `Tenant number ${tenant}`,
    plan: planOf(tenant),
    state: Tenant_State.STATE_ACTIVE,
  });
  if (tenant % APART_EVERY === 1) message.overrides = PlanOverrides.fromPartial({ concurrency: 9_000 });
  if (tenant % APART_EVERY === 2) message.allowed = ['bench'];
  return message;
}
