import {
  createFileRegistry,
  type DescMethod,
  type DescService,
  type FileRegistry,
  fromBinary,
} from '@bufbuild/protobuf';
import { type FileDescriptorSet, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { ContractError, type ContractProblem, problem } from './contract-error.ts';
import type { CallKind, MethodEntry } from './method-entry.ts';
import { nearest } from './nearest.ts';
import { type PolicyLayer, readPolicyOption, resolvePolicy } from './policy.ts';

/** A set of services with a name and a backend. */
export interface Contract {
  readonly name: string;
  readonly backend: string;
  /** With imports, in an order in which each file comes after what it imports. */
  readonly files: FileDescriptorSet;
  readonly registry: FileRegistry;
  readonly methods: readonly MethodEntry[];
}

export interface ContractOptions {
  readonly name: string;
  readonly backend: string;
  /** Binary google.protobuf.FileDescriptorSet with imports. */
  readonly descriptorSet: Uint8Array;
  /** Policy by `pkg.Service/Method` or `pkg.Service`; wins over what the contract says. */
  readonly overrides?: ReadonlyMap<string, PolicyLayer> | undefined;
  /** Names of the listeners that show it, where it says so itself. */
  readonly listeners?: readonly string[] | undefined;
  /** Which services belong to the contract; by default all that the gateway does not answer itself. */
  readonly includes?: ((service: string) => boolean) | undefined;
}

/** Services that every gateway answers itself; descriptor sets of users often carry them along. */
const OWN_SERVICES =
  /^(grpc\.channelz\.v1|grpc\.health\.v1|grpc\.reflection\.v1|grpc\.reflection\.v1alpha|tollgate\.(admin|metrics)\.v1)\./;

/**
 * Builds a contract from descriptors.
 *
 * @throws ContractError with everything that is wrong: unreadable descriptors, no service, bad policy, overrides that
 *   name nothing.
 */
export function buildContract(options: ContractOptions): Contract {
  const { files, registry } = readDescriptors(options);
  const includes = options.includes ?? ((service) => !OWN_SERVICES.test(service));
  const services = [...registry]
    .filter((type) => type.kind === 'service')
    .filter((service) => includes(service.typeName));
  const problems: ContractProblem[] = [];
  if (services.length === 0) problems.push(problem(['source'], 'there is no service in the contract'));
  checkOverrides(services, options.overrides, problems);
  const methods = services.flatMap((service) =>
    service.methods.map((method) => buildEntry(options, registry, method, problems)),
  );
  if (problems.length > 0) throw new ContractError(options.name, problems);
  return { name: options.name, backend: options.backend, files, registry, methods };
}

function readDescriptors(options: ContractOptions): { files: FileDescriptorSet; registry: FileRegistry } {
  try {
    const files = fromBinary(FileDescriptorSetSchema, options.descriptorSet);
    return { files, registry: createFileRegistry(files) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const hint = 'write one with: buf build --as-file-descriptor-set -o contract.binpb';
    throw new ContractError(options.name, [
      problem(['source'], `it is not a complete FileDescriptorSet (${reason})`, hint),
    ]);
  }
}

function buildEntry(
  options: ContractOptions,
  registry: FileRegistry,
  method: DescMethod,
  problems: ContractProblem[],
): MethodEntry {
  const service = method.parent.typeName;
  const name = `${service}/${method.name}`;
  // Read only where the contract itself defines our extensions: elsewhere the same number may be somebody else's.
  const onService = registry.getExtension('tollgate.policy.v1.service');
  const onMethod = registry.getExtension('tollgate.policy.v1.method');
  const { policy, faults } = resolvePolicy([
    onService && readPolicyOption(method.parent, onService),
    onMethod && readPolicyOption(method, onMethod),
    options.overrides?.get(service),
    options.overrides?.get(name),
  ]);
  const at = [name, service].find((key) => options.overrides?.has(key));
  for (const fault of faults) {
    problems.push(problem(at === undefined ? ['source'] : ['policy', at], `policy of ${name}: ${fault}`));
  }
  return {
    path: `/${name}`,
    name,
    contract: options.name,
    backend: options.backend,
    kind: kindOf(method),
    policy,
    listeners: options.listeners,
  };
}

const KINDS: Readonly<Record<DescMethod['methodKind'], CallKind>> = {
  unary: 'unary',
  client_streaming: 'client_stream',
  server_streaming: 'server_stream',
  bidi_streaming: 'bidi_stream',
};

function kindOf(method: DescMethod): CallKind {
  return KINDS[method.methodKind];
}

function checkOverrides(
  services: readonly DescService[],
  overrides: ReadonlyMap<string, PolicyLayer> | undefined,
  problems: ContractProblem[],
): void {
  if (overrides === undefined || services.length === 0) return;
  const names = services.flatMap((service) => [
    service.typeName,
    ...service.methods.map((method) => `${service.typeName}/${method.name}`),
  ]);
  for (const key of overrides.keys()) {
    if (names.includes(key)) continue;
    const near = nearest(key, names);
    const hint = near === undefined ? `it has ${names.slice(0, 10).join(', ')}` : `did you mean "${near}"?`;
    problems.push(problem(['policy', key], `the contract has no method or service "${key}"`, hint));
  }
}
