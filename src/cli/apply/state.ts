import { type ApiKey, ApiKeyServiceService } from '../../../generated/tollgate/admin/v1/api_key.ts';
import { type Plan, PlanServiceService } from '../../../generated/tollgate/admin/v1/plan.ts';
import { type Tenant, TenantServiceService } from '../../../generated/tollgate/admin/v1/tenant.ts';
import type { AdminClient } from '../admin-client.ts';
import { listAll } from '../list-all.ts';

/** What a gateway has. */
export interface State {
  /** By id. */
  readonly plans: ReadonlyMap<string, Plan>;
  readonly tenants: ReadonlyMap<string, Tenant>;
  /** By tenant, the oldest first. */
  readonly keys: ReadonlyMap<string, readonly ApiKey[]>;
}

/** So many tenants are asked one by one for their keys; of more, the keys of all are read. */
const ONE_BY_ONE = 50;

/** @param keysOf tenants whose keys are looked at too */
export async function readState(client: AdminClient, keysOf: 'all' | readonly string[]): Promise<State> {
  const plans = await listAll(Number.POSITIVE_INFINITY, async (pageSize, pageToken) => {
    const page = await client.call(PlanServiceService.listPlans, { pageSize, pageToken });
    return { items: page.plans, nextPageToken: page.nextPageToken };
  });
  const tenants = await listAll(Number.POSITIVE_INFINITY, async (pageSize, pageToken) => {
    const page = await client.call(TenantServiceService.listTenants, { pageSize, pageToken });
    return { items: page.tenants, nextPageToken: page.nextPageToken };
  });
  const keys: ApiKey[] = [];
  const owners = keysOf === 'all' || keysOf.length > ONE_BY_ONE ? [''] : keysOf;
  for (const tenantId of owners) {
    const { items } = await listAll(Number.POSITIVE_INFINITY, async (pageSize, pageToken) => {
      const page = await client.call(ApiKeyServiceService.listApiKeys, { tenantId, pageSize, pageToken });
      return { items: page.apiKeys, nextPageToken: page.nextPageToken };
    });
    for (const key of items) keys.push(key);
  }
  return {
    plans: new Map(plans.items.map((plan) => [plan.id, plan])),
    tenants: new Map(tenants.items.map((tenant) => [tenant.id, tenant])),
    keys: Map.groupBy(keys.sort(byAge), ({ tenantId }) => tenantId),
  };
}

function byAge(a: ApiKey, b: ApiKey): number {
  return (a.createTime?.getTime() ?? 0) - (b.createTime?.getTime() ?? 0) || (a.id < b.id ? -1 : 1);
}
