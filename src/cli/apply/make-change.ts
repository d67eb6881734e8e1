import { randomUUID } from 'node:crypto';
import { ApiKeyServiceService as keys } from '../../../generated/tollgate/admin/v1/api_key.ts';
import { BackendServiceService as backends } from '../../../generated/tollgate/admin/v1/backend.ts';
import { ContractServiceService as contracts } from '../../../generated/tollgate/admin/v1/contract.ts';
import { PlanServiceService as plans } from '../../../generated/tollgate/admin/v1/plan.ts';
import { TenantServiceService as tenants } from '../../../generated/tollgate/admin/v1/tenant.ts';
import type { AdminClient } from '../admin-client.ts';
import type { Change } from './changes.ts';

/** A key that was made: its text is shown this once. */
export interface MadeKey {
  readonly tenantId: string;
  readonly name: string;
  readonly id: string;
  readonly key: string;
}

/**
 * Makes one change, if what is to be changed is still what was looked at.
 * @param reason for the audit log
 * @returns the key, when it was one that was made
 * @throws CliError
 */
export async function makeChange(client: AdminClient, change: Change, reason?: string): Promise<MadeKey | undefined> {
  const why = { reason, requestId: randomUUID() };
  switch (change.kind) {
    case 'plan':
      await changePlan(client, change, why);
      return undefined;
    case 'tenant':
      await changeTenant(client, change, why);
      return undefined;
    case 'backend':
      await changeBackend(client, change, why);
      return undefined;
    case 'contract':
      await changeContract(client, change, why);
      return undefined;
    case 'key':
      return await changeKey(client, change, why);
  }
}

type Of<Kind extends Change['kind']> = Extract<Change, { readonly kind: Kind }>;
interface Why {
  readonly reason: string | undefined;
  readonly requestId: string;
}

async function changePlan(client: AdminClient, change: Of<'plan'>, why: Why): Promise<void> {
  const { op, value: plan } = change;
  const { id, etag } = plan;
  if (op === 'create') await client.call(plans.createPlan, { planId: id, plan, ...why });
  else if (op === 'update') await client.call(plans.updatePlan, { plan, updateMask: [...change.mask], ...why });
  else await client.call(plans.deletePlan, { id, etag, ...why });
}

async function changeTenant(client: AdminClient, change: Of<'tenant'>, why: Why): Promise<void> {
  const { op, value: tenant } = change;
  const { id, etag } = tenant;
  if (op === 'create') await client.call(tenants.createTenant, { tenantId: id, tenant, ...why });
  else if (op === 'update') await client.call(tenants.updateTenant, { tenant, updateMask: [...change.mask], ...why });
  else await client.call(tenants.deleteTenant, { id, etag, ...why });
}

async function changeBackend(client: AdminClient, change: Of<'backend'>, why: Why): Promise<void> {
  const { op, value: backend } = change;
  const { id, etag } = backend;
  if (op === 'create') await client.call(backends.createBackend, { backendId: id, backend, ...why });
  else if (op === 'update')
    await client.call(backends.updateBackend, { backend, updateMask: [...change.mask], ...why });
  else await client.call(backends.deleteBackend, { id, etag, ...why });
}

async function changeContract(client: AdminClient, change: Of<'contract'>, why: Why): Promise<void> {
  const { op, value: contract } = change;
  const { id, etag } = contract;
  if (op === 'create') await client.call(contracts.createContract, { contractId: id, contract, ...why });
  else if (op === 'update')
    await client.call(contracts.updateContract, { contract, updateMask: [...change.mask], ...why });
  else await client.call(contracts.deleteContract, { id, etag, ...why });
}

async function changeKey(client: AdminClient, change: Of<'key'>, why: Why): Promise<MadeKey | undefined> {
  const { op, value: apiKey } = change;
  const { id, etag, tenantId, name } = apiKey;
  if (op === 'create') {
    const made = await client.call(keys.createApiKey, { tenantId, apiKey, ...why });
    return { tenantId, name, id: made.apiKey?.id ?? '', key: made.key };
  }
  if (op === 'update') await client.call(keys.updateApiKey, { apiKey, updateMask: [...change.mask], ...why });
  else await client.call(keys.deleteApiKey, { id, etag, ...why });
  return undefined;
}
