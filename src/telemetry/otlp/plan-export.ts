export type OtlpProtocol = 'grpc' | 'http/protobuf';

export interface OtlpSettings {
  readonly endpoint: string;
  readonly protocol: OtlpProtocol | undefined;
  readonly serviceName: string | undefined;
  readonly resourceAttributes: Readonly<Record<string, string>>;
  /** Secrets, resolved. */
  readonly headers: Readonly<Record<string, string>>;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** What the resource says that measures. */
export type ResourceAttributes = Readonly<Record<string, string>>;

export type Signal = 'traces' | 'metrics';

/** Where what is measured goes, and as whose. */
export interface ExportPlan {
  /** Undefined: the exporter reads OTEL_EXPORTER_OTLP_* for itself. */
  readonly endpoint: string | undefined;
  readonly protocol: OtlpProtocol;
  readonly headers: Readonly<Record<string, string>>;
  readonly resource: ResourceAttributes;
  /** What of the environment cannot be followed. */
  readonly warnings: readonly string[];
}

const NAME = 'tollgate';

/**
 * Puts the configuration and the standard variables (OpenTelemetry specification, "Environment Variable Specification")
 * together; the configuration wins.
 * @param self what the gateway says of itself, unless it is told otherwise
 * @returns undefined when nothing of the signal is exported
 */
export function planExport(
  signal: Signal,
  otlp: OtlpSettings | undefined,
  env: Environment,
  self: ResourceAttributes,
): ExportPlan | undefined {
  const warnings: string[] = [];
  if (!isWanted(signal, otlp, env, warnings)) return undefined;
  return {
    endpoint: otlp?.endpoint,
    protocol: otlp === undefined ? readProtocol(signal, env, warnings) : (otlp.protocol ?? 'grpc'),
    headers: otlp?.headers ?? {},
    resource: {
      ...self,
      ...readAttributes(env.OTEL_RESOURCE_ATTRIBUTES),
      ...otlp?.resourceAttributes,
      'service.name': serviceName(otlp, env),
    },
    warnings,
  };
}

function isWanted(signal: Signal, otlp: OtlpSettings | undefined, env: Environment, warnings: string[]): boolean {
  if (env.OTEL_SDK_DISABLED?.toLowerCase() === 'true') return false;
  const variable = `OTEL_${signal.toUpperCase()}_EXPORTER`;
  const exporters = (env[variable] ?? '').split(',').map((name) => name.trim());
  const unknown = exporters.filter((name) => !['', 'otlp', ...ELSEWHERE[signal]].includes(name));
  if (unknown.length > 0) {
    const known = ['otlp', ...ELSEWHERE[signal]].map((name) => `"${name}"`).join(', ');
    warnings.push(`${variable} is "${unknown.join(',')}": only ${known} are known; "otlp" is taken`);
  }
  if (exporters.every((name) => ELSEWHERE[signal].includes(name))) return false;
  if (otlp !== undefined || exporters.includes('otlp')) return true;
  return ['', `${signal.toUpperCase()}_`].some((of) => (env[`OTEL_EXPORTER_OTLP_${of}ENDPOINT`] ?? '') !== '');
}

/** Exporters that are no export; for Prometheus there is `/metrics` anyway. */
const ELSEWHERE: Readonly<Record<Signal, readonly string[]>> = { traces: ['none'], metrics: ['none', 'prometheus'] };

function readProtocol(signal: Signal, env: Environment, warnings: string[]): OtlpProtocol {
  const own = env[`OTEL_EXPORTER_OTLP_${signal.toUpperCase()}_PROTOCOL`];
  const text = own || env.OTEL_EXPORTER_OTLP_PROTOCOL || 'http/protobuf';
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

/** OTLP/HTTP, "OTLP/HTTP Request": the path of the signal, behind what the base URL has of one. */
export function signalUrl(endpoint: string, signal: Signal): string {
  return `${endpoint.replace(/\/+$/, '')}/v1/${signal}`;
}
