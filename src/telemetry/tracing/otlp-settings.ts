import type { SamplingSettings } from './sampler.ts';
import type { TailSettings } from './tracer.ts';

/** What the configuration says of telemetry that leaves the gateway; what it does not say, OTEL_* may. */
export interface TelemetrySettings {
  readonly otlp: OtlpSettings | undefined;
  readonly tracing: TracingSettings | undefined;
}

export type OtlpProtocol = 'grpc' | 'http/protobuf';

export interface OtlpSettings {
  readonly endpoint: string;
  readonly protocol: OtlpProtocol | undefined;
  readonly serviceName: string | undefined;
  readonly resourceAttributes: Readonly<Record<string, string>>;
  /** Secrets, resolved. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface TracingSettings extends Omit<SamplingSettings, 'ratio' | 'followParent'>, TailSettings {
  readonly ratio: number | undefined;
  readonly followParent: boolean | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Where spans go, and which. */
export interface TracingPlan {
  /** Undefined: the exporter reads OTEL_EXPORTER_OTLP_* for itself. */
  readonly endpoint: string | undefined;
  readonly protocol: OtlpProtocol;
  readonly headers: Readonly<Record<string, string>>;
  readonly resource: Readonly<Record<string, string>>;
  readonly sampling: SamplingSettings;
  readonly tail: TailSettings;
  /** What of the environment cannot be followed. */
  readonly warnings: readonly string[];
}

/** Of calls that nothing else is said of. A gateway sees all calls of everybody: all would be dear. */
const DEFAULT_RATIO = 0.01;
const DEFAULT_SLOW_MS = 1000;
const DEFAULT_TAIL_PER_SECOND = 100;
const NAME = 'tollgate';

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
export function planTracing(settings: TelemetrySettings, env: Environment, version: string): TracingPlan | undefined {
  const { otlp, tracing = DEFAULT_TRACING } = settings;
  const warnings: string[] = [];
  if (!isWanted(otlp, env, warnings)) return undefined;
  const sampler = readSampler(env, warnings);
  return {
    endpoint: otlp?.endpoint,
    protocol: otlp === undefined ? readProtocol(env, warnings) : (otlp.protocol ?? 'grpc'),
    headers: otlp?.headers ?? {},
    resource: {
      'service.version': version,
      ...readAttributes(env.OTEL_RESOURCE_ATTRIBUTES),
      ...otlp?.resourceAttributes,
      'service.name': serviceName(otlp, env),
    },
    sampling: {
      rules: tracing.rules,
      baggage: tracing.baggage,
      ratio: tracing.ratio ?? sampler?.ratio ?? DEFAULT_RATIO,
      followParent: tracing.followParent ?? sampler?.followParent ?? true,
    },
    tail: tracing,
    warnings,
  };
}

function isWanted(otlp: OtlpSettings | undefined, env: Environment, warnings: string[]): boolean {
  if (env.OTEL_SDK_DISABLED?.toLowerCase() === 'true') return false;
  const exporter = env.OTEL_TRACES_EXPORTER;
  if (exporter === 'none') return false;
  if (exporter !== undefined && exporter !== '' && exporter !== 'otlp') {
    warnings.push(`OTEL_TRACES_EXPORTER is "${exporter}": only "otlp" and "none" are known; "otlp" is taken`);
  }
  if (otlp !== undefined || exporter === 'otlp') return true;
  return [env.OTEL_EXPORTER_OTLP_ENDPOINT, env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT].some((url) => (url ?? '') !== '');
}

function readProtocol(env: Environment, warnings: string[]): OtlpProtocol {
  const text = env.OTEL_EXPORTER_OTLP_TRACES_PROTOCOL || env.OTEL_EXPORTER_OTLP_PROTOCOL || 'http/protobuf';
  if (text === 'grpc' || text === 'http/protobuf') return text;
  warnings.push(`OTEL_EXPORTER_OTLP_PROTOCOL is "${text}": "grpc" and "http/protobuf" are known; the latter is taken`);
  return 'http/protobuf';
}

function serviceName(otlp: OtlpSettings | undefined, env: Environment): string {
  const inAttributes = readAttributes(env.OTEL_RESOURCE_ATTRIBUTES)['service.name'];
  return otlp?.serviceName || env.OTEL_SERVICE_NAME || inAttributes || NAME;
}

/** `key=value,key=value`, percent-encoded. What is malformed is left out. */
function readAttributes(text: string | undefined): Record<string, string> {
  const attributes: Record<string, string> = {};
  for (const pair of (text ?? '').split(',')) {
    const [key = '', ...rest] = pair.split('=');
    const value = decode(rest.join('=').trim());
    if (key.trim() !== '' && rest.length > 0 && value !== undefined) attributes[key.trim()] = value;
  }
  return attributes;
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
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
