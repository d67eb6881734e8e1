import {
  type Environment,
  type ExportPlan,
  type OtlpSettings,
  planExport,
  type ResourceAttributes,
} from '../otlp/plan-export.ts';
import type { SamplingSettings } from './sampler.ts';
import type { TailSettings } from './tracer.ts';

export interface TracingSettings extends Omit<SamplingSettings, 'ratio' | 'followParent'>, TailSettings {
  readonly ratio: number | undefined;
  readonly followParent: boolean | undefined;
}

/** Where spans go, and which. */
export interface TracingPlan extends ExportPlan {
  readonly sampling: SamplingSettings;
  readonly tail: TailSettings;
}

/** Of calls that nothing else is said of. A gateway sees all calls of everybody: all would be dear. */
const DEFAULT_RATIO = 0.01;
const DEFAULT_SLOW_MS = 1000;
const DEFAULT_TAIL_PER_SECOND = 100;

export const DEFAULT_TRACING: TracingSettings = {
  rules: [],
  ratio: undefined,
  followParent: undefined,
  baggage: new Set(),
  slowMs: DEFAULT_SLOW_MS,
  maxPerSecond: DEFAULT_TAIL_PER_SECOND,
};

/**
 * Puts the configuration and the standard variables (OpenTelemetry specification, "Environment Variable Specification")
 * together; the configuration wins.
 * @returns undefined when nothing is traced
 */
export function planTracing(
  settings: { readonly otlp: OtlpSettings | undefined; readonly tracing: TracingSettings | undefined },
  env: Environment,
  self: ResourceAttributes,
): TracingPlan | undefined {
  const { otlp, tracing = DEFAULT_TRACING } = settings;
  const plan = planExport('traces', otlp, env, self);
  if (plan === undefined) return undefined;
  const warnings = [...plan.warnings];
  const sampler = readSampler(env, warnings);
  return {
    ...plan,
    warnings,
    sampling: {
      rules: tracing.rules,
      baggage: tracing.baggage,
      ratio: tracing.ratio ?? sampler?.ratio ?? DEFAULT_RATIO,
      followParent: tracing.followParent ?? sampler?.followParent ?? true,
    },
    tail: tracing,
  };
}

function readSampler(
  env: Environment,
  warnings: string[],
): { readonly ratio: number | undefined; readonly followParent: boolean } | undefined {
  const name = env.OTEL_TRACES_SAMPLER ?? '';
  const argument = Number(env.OTEL_TRACES_SAMPLER_ARG ?? '1');
  const ratio = argument >= 0 && argument <= 1 ? argument : 1;
  const followParent = name.startsWith('parentbased_');
  switch (name.replace('parentbased_', '')) {
    case '':
      return undefined;
    case 'always_on':
      return { ratio: 1, followParent };
    case 'always_off':
      return { ratio: 0, followParent };
    case 'traceidratio':
      return { ratio, followParent };
    default:
      warnings.push(`OTEL_TRACES_SAMPLER is "${name}", which is not known`);
      return undefined;
  }
}
