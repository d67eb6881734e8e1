import type { Empty } from '../../generated/google/protobuf/empty.ts';
import {
  type ContractServiceServer,
  type CreateContractRequest,
  type DeleteContractRequest,
  type GetContractRequest,
  type ListContractsRequest,
  ContractServiceService as Methods,
  type UpdateContractRequest,
} from '../../generated/tollgate/admin/v1/contract.ts';
import { contractOf } from '../sync/registered.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { TenantManager } from '../tenants/tenant-manager.ts';
import type { Changes } from './changes.ts';
import { Evidence, type EvidenceSource } from './decision/evidence.ts';
import { createUnaryHandler } from './unary-handler.ts';

const EMPTY: Empty = {};

/** `tollgate.admin.v1.ContractService`. */
export function createContractService(
  tenants: TenantManager,
  changes: Changes,
  evidence: EvidenceSource,
  log: Logger,
): ContractServiceServer {
  const found = new Evidence(evidence);
  return {
    createContract: changes.handler(Methods.createContract, {
      run: (request: CreateContractRequest, _caller, own) => own.contracts.create(request),
      repeat: ({ contractId }) => tenants.contracts.get({ id: contractId }),
    }),
    getContract: createUnaryHandler(log, (request: GetContractRequest) => tenants.contracts.get(request)),
    listContracts: createUnaryHandler(log, (request: ListContractsRequest) => tenants.contracts.list(request)),
    updateContract: changes.handler(Methods.updateContract, {
      async run(request: UpdateContractRequest, _caller, own) {
        const contract = await own.contracts.update(request);
        if (!request.validateOnly) return contract;
        return { ...contract, evidence: await found.ofContract(contract.id, contractOf(contract).methods) };
      },
      repeat: ({ contract }) => tenants.contracts.get({ id: contract?.id ?? '' }),
    }),
    deleteContract: changes.handler(Methods.deleteContract, {
      async run(request: DeleteContractRequest, _caller, own) {
        await own.contracts.delete(request);
        return EMPTY;
      },
      repeat: () => EMPTY,
    }),
  };
}
