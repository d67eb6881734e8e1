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
import type { PlanRegistry } from '../tenants/plans.ts';
import { createUnaryHandler } from './unary-handler.ts';

const EMPTY: Empty = {};

/** `tollgate.admin.v1.PlanService`. */
export function createPlanService(plans: PlanRegistry, log: Logger): PlanServiceServer {
  return {
    createPlan: createUnaryHandler(log, (request: CreatePlanRequest) => plans.create(request)),
    getPlan: createUnaryHandler(log, (request: GetPlanRequest) => plans.get(request)),
    listPlans: createUnaryHandler(log, (request: ListPlansRequest) => plans.list(request)),
    updatePlan: createUnaryHandler(log, (request: UpdatePlanRequest) => plans.update(request)),
    deletePlan: createUnaryHandler(log, async (request: DeletePlanRequest) => {
      await plans.delete(request);
      return EMPTY;
    }),
  };
}
