import type { Metadata } from '@grpc/grpc-js';
import { ALWAYS_SHOWN, SELF_CONTRACT, SELF_SERVICE, TOLLGATE_CONTRACT } from '../contracts/builtin.ts';
import type { Contract } from '../contracts/contract.ts';
import type { MethodEntry } from '../contracts/method-entry.ts';
import { readCaller, readVisibleContracts } from './caller.ts';
import { createReflectionIndex, type ReflectionIndex } from './reflection/reflection-index.ts';

/** The contracts in use, those of the gateway itself among them; a `Map` is one. */
export interface ContractSource {
  get(name: string): Contract | undefined;
}

/** Of a tenant by its id; one that is not there may call whatever there is. */
export type IsAllowed = (tenantId: string, method: MethodEntry) => boolean;

/** Gives what the caller of that metadata may see: health and reflection, and the contracts of its listener. */
export type VisibleContracts = (metadata: Metadata) => readonly ReflectionIndex[];

/** Different choices of one contract's services that are kept; tenants are allowed much the same, most of them all. */
const MAX_CHOICES = 32;

/**
 * Indexes are built when first asked for.
 * @param isAllowed whether a tenant may call a method at all; a service of which it may call none is not there for it
 */
export function createVisibleContracts(contracts: ContractSource, isAllowed: IsAllowed = () => true): VisibleContracts {
  // Keyed by the contract itself: one that is replaced is another object, and the old indexes go with the old one.
  const indexes = new WeakMap<Contract, Map<string, ReflectionIndex>>();

  const indexOf = (contract: Contract, tenantId: string): ReflectionIndex[] => {
    const shown = contract.methods.filter((method) => isAllowed(tenantId, method));
    const services = new Set(shown.map((method) => serviceOf(method.name)));
    if (services.size === 0) return [];
    const choices = indexes.get(contract) ?? new Map<string, ReflectionIndex>();
    indexes.set(contract, choices);
    const choice = [...services].join(' ');
    let index = choices.get(choice);
    if (index === undefined) {
      index = createReflectionIndex(contract.registry.files, (service) => services.has(service));
      if (choices.size >= MAX_CHOICES) choices.clear();
      choices.set(choice, index);
    }
    return [index];
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
    const { tenantId } = readCaller(metadata);
    return [...names].flatMap((name) => {
      if (name === SELF_CONTRACT) return selfIndex();
      const contract = contracts.get(name);
      return contract ? indexOf(contract, tenantId) : [];
    });
  };
}

/** Of a method's name, `pkg.Service/Method`. */
function serviceOf(method: string): string {
  return method.slice(0, method.indexOf('/'));
}
