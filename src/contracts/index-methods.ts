import type { Contract } from './contract.ts';
import { ContractError, problem } from './contract-error.ts';
import type { MethodEntry } from './method-entry.ts';

/**
 * All methods by `:path`, as a snapshot holds them.
 *
 * @throws ContractError naming the later contract, when two contracts have the same method.
 */
export function indexMethods(contracts: readonly Contract[]): Map<string, MethodEntry> {
  const methods = new Map<string, MethodEntry>();
  for (const contract of contracts) {
    const problems = contract.methods.flatMap((method) => {
      const other = methods.get(method.path);
      methods.set(method.path, other ?? method);
      return other === undefined
        ? []
        : [problem(['source'], `${method.name} is in contract "${other.contract}" already`)];
    });
    if (problems.length > 0) throw new ContractError(contract.name, problems);
  }
  return methods;
}
