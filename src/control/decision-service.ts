import {
  type DecisionServiceServer,
  type ExplainDecisionRequest,
  ExplainDecisionResponse,
  type ExplainDecisionResponse_Rule as Rule,
  ExplainDecisionResponse_Outcome as RuleOutcome,
} from '../../generated/tollgate/admin/v1/decision.ts';
import type { Finding } from '../chain/call.ts';
import { codeName } from '../grpc/status.ts';
import type { Logger } from '../telemetry/logger.ts';
import { type DecisionSource, type Explanation, explain } from './decision/explain.ts';
import { createUnaryHandler } from './unary-handler.ts';

/** `tollgate.admin.v1.DecisionService`. */
export function createDecisionService(source: DecisionSource, log: Logger): DecisionServiceServer {
  return {
    explainDecision: createUnaryHandler(log, async (request: ExplainDecisionRequest) =>
      toResponse(await explain(request, source)),
    ),
  };
}

function toResponse({ stages, principal, plan, version }: Explanation): ExplainDecisionResponse {
  const rules = stages.flatMap(({ stage, findings }) => findings.map((finding) => toRule(stage, finding)));
  const first = rules.find(({ outcome }) => outcome === RuleOutcome.OUTCOME_REFUSES);
  return ExplainDecisionResponse.fromPartial({
    admitted: first === undefined,
    status: first?.status ?? 'OK',
    reason: first?.reason ?? '',
    message: first?.message ?? '',
    rules,
    principalId: principal?.id ?? '',
    tenantId: principal?.tenantId ?? '',
    plan,
    version,
  });
}

function toRule(stage: string, { rule, detail, refusal }: Finding): Rule {
  return {
    stage,
    rule,
    detail,
    outcome: refusal === undefined ? RuleOutcome.OUTCOME_ADMITS : RuleOutcome.OUTCOME_REFUSES,
    status: refusal === undefined ? '' : codeName(refusal.status),
    reason: refusal?.reason ?? '',
    message: refusal?.message ?? '',
  };
}
