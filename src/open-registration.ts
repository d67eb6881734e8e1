import { networkInterfaces } from 'node:os';
import { toBinary } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { Backend } from '../generated/tollgate/admin/v1/backend.ts';
import { Contract as ContractMessage } from '../generated/tollgate/admin/v1/contract.ts';
import type { Config } from '../generated/tollgate/config/v1/config.ts';
import type { LoadedConfig } from './config/load.ts';
import type { Settings } from './config/settings.ts';
import type { Contract } from './contracts/contract.ts';
import { EndpointPolicy } from './net/endpoint-policy.ts';
import type { GatewayFacts } from './tenants/gateway-facts.ts';

export interface RegistrationOptions {
  readonly loaded: LoadedConfig;
  readonly settings: Settings;
  /** Those of the file among them. */
  readonly contracts: readonly Contract[];
  /** Where the gateway listens, by listener; it may become known after the start. */
  readonly addresses: ReadonlyMap<string, { readonly host: string; readonly port: number }>;
}

/** What backends and contracts of administrators are held against: the file, the listeners, and where endpoints may be. */
export function openRegistration(options: RegistrationOptions): { facts: GatewayFacts; policy: EndpointPolicy } {
  const { loaded, settings, contracts, addresses } = options;
  const { backends, contracts: ofFile, listeners } = loaded.config;
  const policy = new EndpointPolicy({
    unixSockets: settings.unixSockets,
    listening: () => addresses.values(),
    ownAddresses: () => Object.values(networkInterfaces()).flatMap((all = []) => all.map(({ address }) => address)),
  });
  const built = new Map(contracts.map((contract) => [contract.name, contract]));
  const facts: GatewayFacts = {
    file: loaded.source.file,
    backends: new Map(backends.map((each) => [each.name, toBackend(each)])),
    contracts: new Map(ofFile.map((each) => [each.name, toContract(each, built.get(each.name), listeners)])),
    listeners: listeners.map(({ name }) => name),
    refusalOf: (endpoint) => policy.refusalOf(endpoint),
  };
  return { facts, policy };
}

/** Without the names of files. */
function toBackend({ name, tls, ...rest }: Config['backends'][number]): Backend {
  return Backend.fromPartial({ ...rest, id: name, tls: tls && { serverName: tls.serverName }, fromFile: true });
}

function toContract(
  { name, backend, policy }: Config['contracts'][number],
  built: Contract | undefined,
  listeners: Config['listeners'],
): ContractMessage {
  return ContractMessage.fromPartial({
    id: name,
    backend,
    policy,
    listeners: listeners.filter(({ contracts }) => contracts.includes(name)).map((listener) => listener.name),
    descriptorSet: Buffer.from(built === undefined ? [] : toBinary(FileDescriptorSetSchema, built.files)),
    methods: built?.methods.map((method) => method.name) ?? [],
    fromFile: true,
  });
}
