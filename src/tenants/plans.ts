import type {
  CreatePlanRequest,
  DeletePlanRequest,
  GetPlanRequest,
  ListPlansRequest,
  ListPlansResponse,
  Plan,
  UpdatePlanRequest,
} from '../../generated/tollgate/admin/v1/plan.ts';
import type { DocumentRegistry } from './document-registry.ts';
import { InvalidArgument } from './errors.ts';
import { maskedFields } from './field-mask.ts';
import { planContent, planOf } from './stored.ts';
import { checkPlan, checkPlanId } from './validate.ts';

const FIELDS = ['limits', 'quotas', 'concurrency', 'priority', 'when_store_silent', 'allowed'] as const;

/** Plans, in the requests and answers of `tollgate.admin.v1.PlanService`. */
export class PlanRegistry {
  readonly #documents: DocumentRegistry;

  constructor(documents: DocumentRegistry) {
    this.#documents = documents;
  }

  /** @throws InvalidArgument, AlreadyExists */
  async create({ planId, plan }: CreatePlanRequest): Promise<Plan> {
    if (plan === undefined) throw new InvalidArgument('plan', 'is missing');
    checkPlanId('plan_id', planId);
    const created: Plan = { ...plan, id: planId };
    checkPlan(created);
    return planOf(await this.#documents.create(planId, planContent(created)));
  }

  /** @throws NotFound */
  async get({ id }: GetPlanRequest): Promise<Plan> {
    return planOf(await this.#documents.get(id));
  }

  /** @throws InvalidArgument */
  async list(request: ListPlansRequest): Promise<ListPlansResponse> {
    const { documents, nextPageToken } = await this.#documents.list(request);
    return { plans: documents.map(planOf), nextPageToken };
  }

  /** @throws NotFound, EtagMismatch, InvalidArgument */
  async update({ plan, updateMask }: UpdatePlanRequest): Promise<Plan> {
    if (plan === undefined) throw new InvalidArgument('plan', 'is missing');
    const fields = maskedFields(updateMask, FIELDS);
    const document = await this.#documents.update(plan.id, plan.etag, (current) => {
      const next = planOf(current);
      if (fields.has('limits')) next.limits = plan.limits;
      if (fields.has('quotas')) next.quotas = plan.quotas;
      if (fields.has('concurrency')) next.concurrency = plan.concurrency;
      if (fields.has('priority')) next.priority = plan.priority;
      if (fields.has('when_store_silent')) next.whenStoreSilent = plan.whenStoreSilent;
      // Who does not know of it yet, and names no fields, does not take it away.
      const named = updateMask?.includes('allowed') ?? false;
      if (fields.has('allowed') && (named || plan.allowed.length > 0)) next.allowed = plan.allowed;
      checkPlan(next);
      return planContent(next);
    });
    return planOf(document);
  }

  /** @throws NotFound, EtagMismatch, FailedPrecondition (a tenant has it) */
  async delete({ id, etag }: DeletePlanRequest): Promise<void> {
    await this.#documents.delete(id, etag);
  }
}
