import type { Metadata } from '@grpc/grpc-js';
import { ALWAYS_SHOWN } from '../contracts/builtin.ts';
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
    const services = new Set(contract.methods.map((method) => method.name.slice(0, method.name.indexOf('/'))));
    const index = createReflectionIndex(contract.registry.files, (service) => services.has(service));
    indexes.set(contract, index);
    return index;
  };

  return (metadata) => {
    const names = new Set([...ALWAYS_SHOWN, ...readVisibleContracts(metadata)]);
    return [...names].flatMap((name) => {
      const contract = contracts.get(name);
      return contract ? [indexOf(contract)] : [];
    });
  };
}
