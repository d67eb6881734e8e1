import type { TracedCall, TracePolicy } from '../../routing/call-trace.ts';

export interface SamplingRule {
  /** Empty: any. */
  readonly tenant: string;
  /** `pkg.Service/Method` or `pkg.Service`; empty: any. */
  readonly method: string;
  /** Share of the calls that are traced, 0 to 1. */
  readonly ratio: number;
}

export interface SamplingSettings {
  /** The first that fits decides. */
  readonly rules: readonly SamplingRule[];
  /** Of calls that no rule fits. */
  readonly ratio: number;
  /** A tenant's caller that has decided for itself is followed. */
  readonly followParent: boolean;
  /** Keys of `baggage` that are passed on. */
  readonly baggage: ReadonlySet<string>;
}

const RANGE = 2 ** 32;

/**
 * Decides which calls are traced: the caller's own decision, if it has one and is known; else by rules, on the random part of
 * the trace id, so that every gateway decides the same of one trace.
 */
export function createSampler(settings: SamplingSettings): TracePolicy {
  const { rules, ratio, followParent, baggage } = settings;
  return {
    baggage,
    sample(call) {
      // A stranger's wish to be recorded is not followed: it would cost him nothing.
      if (followParent && call.parentSampled !== undefined && call.tenant !== undefined) return call.parentSampled;
      return call.randomBits < RANGE * (rules.length === 0 ? ratio : ratioOf(rules, call, ratio));
    },
  };
}

function ratioOf(rules: readonly SamplingRule[], { tenant, method }: TracedCall, otherwise: number): number {
  const name = method?.name ?? '';
  for (const rule of rules) {
    if (rule.tenant !== '' && rule.tenant !== tenant?.id) continue;
    if (rule.method === '' || rule.method === name) return rule.ratio;
    if (name.startsWith(rule.method) && name[rule.method.length] === '/') return rule.ratio;
  }
  return otherwise;
}
