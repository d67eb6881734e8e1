import type { Empty } from '../../generated/google/protobuf/empty.ts';
import {
  type CreatePlanRequest,
  type DeletePlanRequest,
  type GetPlanRequest,
  type ListPlansRequest,
  PlanServiceService as Methods,
  type PlanServiceServer,
  type UpdatePlanRequest,
} from '../../generated/tollgate/admin/v1/plan.ts';
import { planFromDocument } from '../sync/from-document.ts';
import type { Logger } from '../telemetry/logger.ts';
import { planContent } from '../tenants/stored.ts';
import type { TenantManager } from '../tenants/tenant-manager.ts';
import type { Changes } from './changes.ts';
import { Evidence, type EvidenceSource } from './decision/evidence.ts';
import { checkOwners } from './self-service.ts';
import { createUnaryHandler } from './unary-handler.ts';

const EMPTY: Empty = {};

/** `tollgate.admin.v1.PlanService`. */
export function createPlanService(
  tenants: TenantManager,
  changes: Changes,
  evidence: EvidenceSource,
  log: Logger,
): PlanServiceServer {
  const found = new Evidence(evidence);
  return {
    createPlan: changes.handler(Methods.createPlan, {
      run: (request: CreatePlanRequest, _caller, own) => own.createPlan(request),
      repeat: ({ planId }) => tenants.getPlan({ id: planId }),
    }),
    getPlan: createUnaryHandler(log, (request: GetPlanRequest) => tenants.getPlan(request)),
    listPlans: createUnaryHandler(log, (request: ListPlansRequest) => tenants.listPlans(request)),
    updatePlan: changes.handler(Methods.updatePlan, {
      async run(request: UpdatePlanRequest, caller, own) {
        checkOwners(caller, 'plan', request.plan?.id ?? '');
        const plan = await own.updatePlan(request);
        if (!request.validateOnly) return plan;
        const { current } = evidence.sync;
        const before = current.plans.get(plan.id);
        const isOfPlan = (tenantId: string) => current.tenants.get(tenantId)?.plan === plan.id;
        const after = planFromDocument({ id: plan.id, ...planContent(plan) });
        return { ...plan, evidence: before && (await found.ofPlan(before, after, isOfPlan)) };
      },
      repeat: ({ plan }) => tenants.getPlan({ id: plan?.id ?? '' }),
    }),
    deletePlan: changes.handler(Methods.deletePlan, {
      async run(request: DeletePlanRequest, _caller, own) {
        await own.deletePlan(request);
        return EMPTY;
      },
      repeat: () => EMPTY,
    }),
  };
}
