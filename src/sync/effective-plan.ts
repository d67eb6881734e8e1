import type { MethodEntry } from '../contracts/method-entry.ts';
import type { Plan, PlanOverrides, Snapshot, Tenant } from './snapshot.ts';

interface Known {
  readonly plan: Plan;
  readonly effective: Plan;
}

/** By the tenant as it is: another version of it is another object. What nobody holds any more goes by itself. */
const known = new WeakMap<Tenant, Known>();

/**
 * The plan that holds for a tenant: its plan's own object where the tenant has no overrides, else one that is made once for
 * each version of the two, and is then the same object again.
 * @returns undefined when the snapshot has no such plan
 */
export function effectivePlan(snapshot: Pick<Snapshot, 'plans'>, tenant: Tenant): Plan | undefined {
  const plan = snapshot.plans.get(tenant.plan);
  const { overrides } = tenant;
  if (plan === undefined || overrides === undefined) return plan;
  const last = known.get(tenant);
  if (last !== undefined && last.plan === plan) return last.effective;
  const effective = override(plan, overrides);
  known.set(tenant, { plan, effective });
  return effective;
}

/** Limits stand in for those of their name, quotas for all of their metric. */
export function override(plan: Plan, overrides: PlanOverrides): Plan {
  const { limits, quotas, concurrency, priority } = overrides;
  const names = new Set(limits.map(({ name }) => name));
  const metrics = new Set(quotas.map(({ metric }) => metric));
  return {
    ...plan,
    limits: [...plan.limits.filter(({ name }) => !names.has(name)), ...limits],
    quotas: [...plan.quotas.filter(({ metric }) => !metrics.has(metric)), ...quotas],
    concurrency: concurrency ?? plan.concurrency,
    priority: priority ?? plan.priority,
  };
}

/** Whether plan and tenant allow a method of the snapshot's; of a tenant that is not there, nothing forbids it. */
export function isAllowed(snapshot: Snapshot, tenantId: string, method: MethodEntry): boolean {
  const tenant = snapshot.tenants.get(tenantId);
  if (tenant === undefined) return true;
  const { methods } = snapshot;
  if (tenant.allowed?.allows(method, methods) === false) return false;
  return effectivePlan(snapshot, tenant)?.allowed?.allows(method, methods) !== false;
}
