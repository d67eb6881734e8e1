import { type ApiKey, ApiKeyServiceService } from '../../../generated/tollgate/admin/v1/api_key.ts';
import { type Backend, BackendServiceService } from '../../../generated/tollgate/admin/v1/backend.ts';
import { type Contract, ContractServiceService } from '../../../generated/tollgate/admin/v1/contract.ts';
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
  /** What was registered, without what the gateway's own file defines. By id. */
  readonly backends: ReadonlyMap<string, Backend>;
  readonly contracts: ReadonlyMap<string, Contract>;
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
    ...(await readRegistered(client)),
    plans: new Map(plans.items.map((plan) => [plan.id, plan])),
    tenants: new Map(tenants.items.map((tenant) => [tenant.id, tenant])),
    keys: Map.groupBy(keys.sort(byAge), ({ tenantId }) => tenantId),
  };
}

/** Lists of contracts are without their descriptors. */
async function readRegistered(client: AdminClient): Promise<Pick<State, 'backends' | 'contracts'>> {
  const backends = await listAll(Number.POSITIVE_INFINITY, async (pageSize, pageToken) => {
    const page = await client.call(BackendServiceService.listBackends, { pageSize, pageToken });
    return { items: page.backends, nextPageToken: page.nextPageToken };
  });
  const listed = await listAll(Number.POSITIVE_INFINITY, async (pageSize, pageToken) => {
    const page = await client.call(ContractServiceService.listContracts, { pageSize, pageToken });
    return { items: page.contracts, nextPageToken: page.nextPageToken };
  });
  const contracts: Contract[] = [];
  for (const { id, fromFile } of listed.items) {
    if (!fromFile) contracts.push(await client.call(ContractServiceService.getContract, { id }));
  }
  return {
    backends: new Map(backends.items.filter(({ fromFile }) => !fromFile).map((backend) => [backend.id, backend])),
    contracts: new Map(contracts.map((contract) => [contract.id, contract])),
  };
}

function byAge(a: ApiKey, b: ApiKey): number {
  return (a.createTime?.getTime() ?? 0) - (b.createTime?.getTime() ?? 0) || (a.id < b.id ? -1 : 1);
}
