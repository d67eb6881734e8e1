import { Backend, BackendServiceService as backends } from '../../generated/tollgate/admin/v1/backend.ts';
import { Contract, ContractServiceService as contracts } from '../../generated/tollgate/admin/v1/contract.ts';
import type { Config } from '../../generated/tollgate/config/v1/config.ts';
import { compileProtos } from '../../src/contracts/compile.ts';
import type { AdminClient } from './admin-client.ts';
import { EVERYTHING_PROTOS } from './everything-methods.ts';

/** Takes all backends and contracts out of a configuration: what there is to be has to be registered. */
export function withoutContracts(config: Config): void {
  config.backends = [];
  config.contracts = [];
  for (const listener of config.listeners) {
    listener.contracts = listener.contracts.filter((name) => name === 'tollgate');
  }
}

let compiled: Promise<Uint8Array> | undefined;

/** The everything contract as a FileDescriptorSet. */
export async function everythingDescriptors(): Promise<Buffer> {
  compiled ??= compileProtos(EVERYTHING_PROTOS, 'protos');
  return Buffer.from(await compiled);
}

export function createBackend(admin: AdminClient, backendId: string, endpoints: string[], more: Partial<Backend> = {}) {
  return admin.call(backends.createBackend, { backendId, backend: Backend.fromPartial({ endpoints, ...more }) });
}

export function updateBackend(admin: AdminClient, id: string, fields: Partial<Backend>, ...updateMask: string[]) {
  return admin.call(backends.updateBackend, { backend: Backend.fromPartial({ id, ...fields }), updateMask });
}

export function deleteBackend(admin: AdminClient, id: string) {
  return admin.call(backends.deleteBackend, { id, etag: '' });
}

/** The everything contract under a name, shown by the public listener. */
export async function createContract(admin: AdminClient, contractId: string, more: Partial<Contract>) {
  const fields = { descriptorSet: await everythingDescriptors(), listeners: ['public'], ...more };
  return admin.call(contracts.createContract, { contractId, contract: Contract.fromPartial(fields) });
}

export function updateContract(admin: AdminClient, id: string, fields: Partial<Contract>, ...updateMask: string[]) {
  return admin.call(contracts.updateContract, { contract: Contract.fromPartial({ id, ...fields }), updateMask });
}

export function deleteContract(admin: AdminClient, id: string) {
  return admin.call(contracts.deleteContract, { id, etag: '' });
}
