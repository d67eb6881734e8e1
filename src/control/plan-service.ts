import type { Empty } from '../../generated/google/protobuf/empty.ts';
import type {
  CreatePlanRequest,
  DeletePlanRequest,
  GetPlanRequest,
  ListPlansRequest,
  PlanServiceServer,
  UpdatePlanRequest,
} from '../../generated/tollgate/admin/v1/plan.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { TenantManager } from '../tenants/tenant-manager.ts';
import { checkOwners } from './self-service.ts';
import { createUnaryHandler } from './unary-handler.ts';

const EMPTY: Empty = {};

/** `tollgate.admin.v1.PlanService`. */
export function createPlanService(tenants: TenantManager, log: Logger): PlanServiceServer {
  return {
    createPlan: createUnaryHandler(log, (request: CreatePlanRequest) => tenants.createPlan(request)),
    getPlan: createUnaryHandler(log, (request: GetPlanRequest) => tenants.getPlan(request)),
    listPlans: createUnaryHandler(log, (request: ListPlansRequest) => tenants.listPlans(request)),
    updatePlan: createUnaryHandler(log, (request: UpdatePlanRequest, caller) => {
      checkOwners(caller, 'plan', request.plan?.id ?? '');
      return tenants.updatePlan(request);
    }),
    deletePlan: createUnaryHandler(log, async (request: DeletePlanRequest) => {
      await tenants.deletePlan(request);
      return EMPTY;
    }),
  };
}
