import type {
  Contract,
  CreateContractRequest,
  DeleteContractRequest,
  GetContractRequest,
  ListContractsRequest,
  ListContractsResponse,
  UpdateContractRequest,
} from '../../generated/tollgate/admin/v1/contract.ts';
import { CONTROL_BACKEND, RESERVED_CONTRACTS } from '../contracts/builtin.ts';
import { formatComplaint } from '../contracts/complaint.ts';
import { ContractError, type ContractProblem } from '../contracts/contract-error.ts';
import type { Document } from '../store/store.ts';
import type { ConfigSync } from '../sync/config-sync.ts';
import { contractOf as buildRegistered, type RegisteredContract } from '../sync/registered.ts';
import type { DocumentRegistry } from './document-registry.ts';
import { FailedPrecondition, type FieldFault, InvalidArgument } from './errors.ts';
import { maskedFields } from './field-mask.ts';
import { type GatewayFacts, refuseFilesOwn, refuseTooMany } from './gateway-facts.ts';
import { contractContent, contractOf } from './stored.ts';

const FIELDS = ['backend', 'descriptor_set', 'listeners', 'policy'] as const;
const ID = /^[a-z][a-z0-9-]{0,62}$/;
/** Of all that a contract says. */
const MAX_OCTETS = 1_000_000;

/** Contracts, in the requests and answers of `tollgate.admin.v1.ContractService`. */
export class ContractRegistry {
  readonly #documents: DocumentRegistry;
  readonly #sync: Pick<ConfigSync, 'current'>;
  readonly #facts: GatewayFacts;

  constructor(documents: DocumentRegistry, sync: Pick<ConfigSync, 'current'>, facts: GatewayFacts) {
    this.#documents = documents;
    this.#sync = sync;
    this.#facts = facts;
  }

  /** @throws InvalidArgument, AlreadyExists, FailedPrecondition (the file defines it; no such backend; a method is taken) */
  async create({ contractId, contract }: CreateContractRequest): Promise<Contract> {
    if (contract === undefined) throw new InvalidArgument('contract', 'is missing');
    if (!ID.test(contractId)) throw new InvalidArgument('contract_id', `must match ${ID.source}`);
    if (RESERVED_CONTRACTS.includes(contractId)) {
      throw new InvalidArgument('contract_id', `"${contractId}" is a contract of the gateway itself`);
    }
    refuseFilesOwn('contract', contractId, this.#facts);
    refuseTooMany('contract', this.#sync.current.contracts.size);
    const created: Contract = { ...contract, id: contractId };
    const { methods } = this.#check(created);
    return told(contractOf(await this.#documents.create(contractId, this.#content(created))), methods);
  }

  /** @throws NotFound */
  async get({ id }: GetContractRequest): Promise<Contract> {
    return this.#facts.contracts.get(id) ?? this.#found(await this.#documents.get(id));
  }

  /** Without descriptors. @throws InvalidArgument */
  async list(request: ListContractsRequest): Promise<ListContractsResponse> {
    const ofFile = this.#facts.contracts;
    const { entries, nextPageToken } = await this.#documents.listAmong(request, [...ofFile.keys()]);
    const contracts = entries.flatMap(({ id, document }) => {
      const contract = document === undefined ? ofFile.get(id) : this.#found(document);
      return contract === undefined ? [] : [{ ...contract, descriptorSet: Buffer.alloc(0) }];
    });
    return { contracts, nextPageToken };
  }

  /** @throws NotFound, EtagMismatch, InvalidArgument, FailedPrecondition as for `create` */
  async update({ contract, updateMask }: UpdateContractRequest): Promise<Contract> {
    if (contract === undefined) throw new InvalidArgument('contract', 'is missing');
    refuseFilesOwn('contract', contract.id, this.#facts);
    const fields = maskedFields(updateMask, FIELDS);
    const named = updateMask?.includes('descriptor_set') ?? false;
    let methods: RegisteredContract['methods'] = [];
    const document = await this.#documents.update(contract.id, contract.etag, (current) => {
      const next = contractOf(current);
      if (fields.has('backend')) next.backend = contract.backend;
      // Lists leave it out: who sends back what was listed does not take it away.
      if (fields.has('descriptor_set') && (named || contract.descriptorSet.length > 0))
        next.descriptorSet = contract.descriptorSet;
      if (fields.has('listeners')) next.listeners = contract.listeners;
      if (fields.has('policy')) next.policy = contract.policy;
      ({ methods } = this.#check(next));
      return this.#content(next);
    });
    return told(contractOf(document), methods);
  }

  /** @throws NotFound, EtagMismatch, FailedPrecondition (the file defines it) */
  async delete({ id, etag }: DeleteContractRequest): Promise<void> {
    refuseFilesOwn('contract', id, this.#facts);
    await this.#documents.delete(id, etag);
  }

  /** A backend of the file is not in the store, which therefore cannot hold it. */
  #content(contract: Contract) {
    const reference = this.#facts.backends.has(contract.backend) ? undefined : contract.backend;
    return { ...contractContent(contract), reference };
  }

  #found(document: Document): Contract {
    return told(contractOf(document), this.#sync.current.contracts.get(document.id)?.methods ?? []);
  }

  /** What the rules in the proto do not say. @throws InvalidArgument with everything that is wrong, FailedPrecondition */
  #check(contract: Contract): RegisteredContract {
    const faults: FieldFault[] = [...this.#faultsOf(contract)];
    const { length } = contractContent(contract).body;
    const built = length > MAX_OCTETS ? undefined : build(contract, faults);
    if (length > MAX_OCTETS) {
      const description = `the contract would have ${length} octets, and more than ${MAX_OCTETS} are not kept: leave source info out`;
      faults.push({ field: 'contract.descriptor_set', description });
    }
    const [first, ...others] = faults;
    if (first !== undefined || built === undefined) {
      throw new InvalidArgument(first?.field ?? 'contract', first?.description ?? 'is wrong', others);
    }
    this.#refuseTaken(built);
    return built;
  }

  *#faultsOf(contract: Contract): Generator<FieldFault> {
    const { backend, listeners } = contract;
    if (!ID.test(backend)) yield { field: 'contract.backend', description: 'must be the id of a backend' };
    if (backend === CONTROL_BACKEND) {
      yield { field: 'contract.backend', description: `"${backend}" is the gateway's own` };
    }
    const there = this.#facts.listeners.join(', ');
    for (const [index, name] of listeners.entries()) {
      if (this.#facts.listeners.includes(name)) continue;
      const description = `there is no listener "${name}" here; there is ${there}`;
      yield { field: `contract.listeners[${index}]`, description };
    }
  }

  #refuseTaken({ id, methods }: RegisteredContract): void {
    const { current } = this.#sync;
    for (const { path, name } of methods) {
      const other = current.methods.get(path);
      if (other === undefined || other.contract === id) continue;
      const message = `${name} is in the contract "${other.contract}" already: a method is in one contract`;
      throw new FailedPrecondition(message, { type: 'METHOD_TAKEN', subject: `contracts/${other.contract}` });
    }
  }
}

/** With what it makes callable. */
function told(contract: Contract, methods: RegisteredContract['methods']): Contract {
  return { ...contract, methods: methods.map(({ name }) => name) };
}

/** @param faults gets what is wrong @returns undefined when something is */
function build(contract: Contract, faults: FieldFault[]): RegisteredContract | undefined {
  try {
    return buildRegistered(contract);
  } catch (error) {
    if (!(error instanceof ContractError)) throw error;
    faults.push(...error.problems.map(toFault));
    return undefined;
  }
}

function toFault({ at, complaint }: ContractProblem): FieldFault {
  const [part, key] = at;
  const field = part === 'policy' ? `contract.policy[${JSON.stringify(key)}]` : 'contract.descriptor_set';
  return { field, description: formatComplaint(complaint) };
}
