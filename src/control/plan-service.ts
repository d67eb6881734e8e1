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
import type { Logger } from '../telemetry/logger.ts';
import type { TenantManager } from '../tenants/tenant-manager.ts';
import type { Changes } from './changes.ts';
import { checkOwners } from './self-service.ts';
import { createUnaryHandler } from './unary-handler.ts';

const EMPTY: Empty = {};

/** `tollgate.admin.v1.PlanService`. */
export function createPlanService(tenants: TenantManager, changes: Changes, log: Logger): PlanServiceServer {
  return {
    createPlan: changes.handler(Methods.createPlan, {
      run: (request: CreatePlanRequest, _caller, own) => own.createPlan(request),
      repeat: ({ planId }) => tenants.getPlan({ id: planId }),
    }),
    getPlan: createUnaryHandler(log, (request: GetPlanRequest) => tenants.getPlan(request)),
    listPlans: createUnaryHandler(log, (request: ListPlansRequest) => tenants.listPlans(request)),
    updatePlan: changes.handler(Methods.updatePlan, {
      run(request: UpdatePlanRequest, caller, own) {
        checkOwners(caller, 'plan', request.plan?.id ?? '');
        return own.updatePlan(request);
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
