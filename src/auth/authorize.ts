import type { Call, Finding, Refusal, Stage } from '../chain/call.ts';
import { anyScopeMissing, credentialInvalid, methodUnknown, scopeMissing } from '../chain/refusal.ts';

/**
 * The second stage: is there such a method, may the tenant call it, and has the principal the scopes that its policy
 * requires? What a tenant may not call is to it as if it were not there.
 */
export class AuthorizationStage implements Stage {
  readonly name = 'authorize';

  /** One rule for all of it: what the policy asks for, and what the caller has. */
  explain(call: Call): readonly Finding[] {
    const { requiredScopes = [], anyScopes = [] } = call.method?.policy ?? {};
    const asked = [
      ...(requiredScopes.length > 0 ? [`all of ${requiredScopes.join(', ')}`] : []),
      ...(anyScopes.length > 0 ? [`one of ${anyScopes.join(', ')}`] : []),
    ];
    const detail = `asks for ${asked.join(' and ') || 'no scope'}`;
    return [{ rule: call.method === undefined ? 'method' : 'scopes', detail, refusal: this.admit(call) }];
  }

  admit(call: Call): Refusal | undefined {
    const { method, principal, plan, tenant } = call;
    if (method === undefined) return methodUnknown();
    if (method.policy.public) return undefined;
    // Authentication admits nobody unknown to such a method; should the stages ever stand in another order, nor do we.
    if (principal === undefined) return credentialInvalid();
    const { methods } = call.snapshot;
    if (plan?.allowed?.allows(method, methods) === false) return methodUnknown();
    if (tenant?.allowed?.allows(method, methods) === false) return methodUnknown();
    for (const scope of method.policy.requiredScopes) {
      if (!principal.scopes.has(scope)) return scopeMissing(scope);
    }
    const { anyScopes } = method.policy;
    if (anyScopes.length === 0) return undefined;
    for (const scope of anyScopes) if (principal.scopes.has(scope)) return undefined;
    return anyScopeMissing(anyScopes);
  }
}
