import {
  type DescExtension,
  type DescMethod,
  type DescService,
  getOption,
  hasOption,
  isMessage,
  toBinary,
} from '@bufbuild/protobuf';
import { MethodPolicy as MethodPolicyMessage } from '../../generated/tollgate/policy/v1/policy.ts';
import type { MethodPolicy } from './method-entry.ts';

/** A policy as a contract or the configuration says it: what is absent is inherited. */
export type PolicyLayer = MethodPolicyMessage;

/** What holds where nobody said anything. */
export const DEFAULT_POLICY: MethodPolicy = {
  requiredScopes: [],
  anyScopes: [],
  cost: 1,
  maxDeadlineMs: undefined,
  idempotent: false,
  limit: undefined,
  public: false,
  ownLimit: undefined,
};

/** Timers take no more (2^31 - 1 ms, some 24 days); also the longest deadline a policy may name. */
export const MAX_DURATION_MS = 2_147_483_647;

/** Reads the policy option of a method or service; undefined when it carries none. */
export function readPolicyOption(desc: DescMethod | DescService, extension: DescExtension): PolicyLayer | undefined {
  if (!hasOption(desc, extension) || extension.message === undefined) return undefined;
  const value = getOption(desc, extension);
  // Through the wire format into the typed message: the descriptor's own message type is not known at compile time.
  if (!isMessage(value, extension.message)) return undefined;
  return MethodPolicyMessage.decode(toBinary(extension.message, value));
}

export interface ResolvedPolicy {
  readonly policy: MethodPolicy;
  /** What is wrong with it; empty when all is well. */
  readonly faults: readonly string[];
}

/**
 * Lays policies over each other, the most general first, and the defaults below them.
 *
 * A layer that makes a method public frees it of the scopes that more general layers demand. The other way round, scopes
 * demanded of a method that is public are a fault: whoever wrote them expects protection and would get none.
 */
export function resolvePolicy(layers: readonly (PolicyLayer | undefined)[]): ResolvedPolicy {
  const faults: string[] = [];
  let policy = DEFAULT_POLICY;
  for (const layer of layers) {
    if (layer === undefined) continue;
    faults.push(...checkLayer(layer));
    policy = overlay(policy, layer);
  }
  for (const field of ['required_scopes', 'any_scopes'] as const) {
    const scopes = field === 'required_scopes' ? policy.requiredScopes : policy.anyScopes;
    if (!policy.public || scopes.length === 0) continue;
    faults.push(`the method is public and requires scopes: drop "${field}" or "public"`);
  }
  return { policy, faults };
}

function overlay(below: MethodPolicy, layer: PolicyLayer): MethodPolicy {
  const inherited = layer.public === true ? DEFAULT_POLICY : below;
  return {
    requiredScopes: layer.requiredScopes.length > 0 ? layer.requiredScopes : inherited.requiredScopes,
    anyScopes: layer.anyScopes.length > 0 ? layer.anyScopes : inherited.anyScopes,
    cost: layer.cost ?? below.cost,
    maxDeadlineMs: layer.maxDeadline === undefined ? below.maxDeadlineMs : durationToMs(layer.maxDeadline),
    idempotent: layer.idempotent ?? below.idempotent,
    limit: layer.limit ?? below.limit,
    public: layer.public ?? below.public,
    ownLimit: below.ownLimit,
    sensitiveMetadata: joined(below.sensitiveMetadata, layer.sensitiveMetadata),
  };
}

/** What is secret stays so, whoever says something else. */
function joined(below: readonly string[] | undefined, names: readonly string[]): readonly string[] | undefined {
  if (names.length === 0) return below;
  return [...new Set([...(below ?? []), ...names.map((name) => name.toLowerCase())])];
}

/** Milliseconds, rounded up, so that a duration above zero stays above zero. */
export function durationToMs(duration: { readonly seconds: number; readonly nanos: number }): number {
  return duration.seconds * 1000 + Math.ceil(duration.nanos / 1e6);
}

/** Faults of one layer alone; the words are those of the protobuf fields. */
export function checkLayer(layer: PolicyLayer): string[] {
  const faults: string[] = [];
  if (layer.maxDeadline !== undefined) {
    const ms = durationToMs(layer.maxDeadline);
    if (ms <= 0) faults.push('"max_deadline" must be longer than 0');
    if (ms > MAX_DURATION_MS) faults.push('"max_deadline" must be at most 24 days');
  }
  if (layer.limit !== undefined && !/^[a-z][a-z0-9_-]{0,62}$/.test(layer.limit)) {
    faults.push(`"limit" must be the name of a limit in the plans, not ${JSON.stringify(layer.limit)}`);
  }
  faults.push(...checkScopes('required_scopes', layer.requiredScopes), ...checkScopes('any_scopes', layer.anyScopes));
  return faults;
}

function checkScopes(field: string, scopes: readonly string[]): string[] {
  const wrong = scopes.filter((scope) => !/^[!-~]+$/.test(scope));
  return wrong.map((scope) => `${JSON.stringify(scope)} in "${field}" is not a scope: no blanks, not empty`);
}
