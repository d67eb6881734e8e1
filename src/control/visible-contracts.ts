import type { Metadata } from '@grpc/grpc-js';
import { ALWAYS_SHOWN, SELF_CONTRACT, SELF_SERVICE, TOLLGATE_CONTRACT } from '../contracts/builtin.ts';
import type { Contract } from '../contracts/contract.ts';
import { readVisibleContracts } from './caller.ts';
import { createReflectionIndex, type ReflectionIndex } from './reflection/reflection-index.ts';

/** The contracts in use, those of the gateway itself among them; a `Map` is one. */
export interface ContractSource {
  get(name: string): Contract | undefined;
}

/** Gives what the caller of that metadata may see: health and reflection, and the contracts of its listener. */
export type VisibleContracts = (metadata: Metadata) => readonly ReflectionIndex[];

/** Indexes are built when first asked for. */
export function createVisibleContracts(contracts: ContractSource): VisibleContracts {
  // Keyed by the contract itself: one that is replaced is another object, and the old index goes with the old one.
  const indexes = new WeakMap<Contract, ReflectionIndex>();

  const indexOf = (contract: Contract): ReflectionIndex => {
    const known = indexes.get(contract);
    if (known) return known;
    const services = new Set(contract.methods.map((method) => serviceOf(method.name)));
    const index = createReflectionIndex(contract.registry.files, (service) => services.has(service));
    indexes.set(contract, index);
    return index;
  };

  // The gateway's own contract never changes while it runs.
  let self: ReflectionIndex | undefined;
  const selfIndex = (): ReflectionIndex[] => {
    const files = contracts.get(TOLLGATE_CONTRACT)?.registry.files;
    if (self === undefined && files !== undefined) {
      const services = new Set([...SELF_SERVICE].map((path) => serviceOf(path.slice(1))));
      self = createReflectionIndex(files, (service) => services.has(service));
    }
    return self === undefined ? [] : [self];
  };

  return (metadata) => {
    const names = new Set([...ALWAYS_SHOWN, ...readVisibleContracts(metadata)]);
    return [...names].flatMap((name) => {
      if (name === SELF_CONTRACT) return selfIndex();
      const contract = contracts.get(name);
      return contract ? [indexOf(contract)] : [];
    });
  };
}

/** Of a method's name, `pkg.Service/Method`. */
function serviceOf(method: string): string {
  return method.slice(0, method.indexOf('/'));
}
