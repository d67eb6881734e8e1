import { readFile } from 'node:fs/promises';
import { CompileError, compileProtos } from './compile.ts';
import { buildContract, type Contract } from './contract.ts';
import { ContractError, problem } from './contract-error.ts';
import type { PolicyLayer } from './policy.ts';

/** Where a contract comes from; paths are absolute, `shown` is how complaints name them. */
export type ContractSource =
  | { readonly kind: 'protos'; readonly path: string; readonly shown: string }
  | { readonly kind: 'descriptor_set'; readonly path: string; readonly shown: string };

export interface ContractSpec {
  readonly name: string;
  readonly backend: string;
  readonly source: ContractSource;
  readonly overrides?: ReadonlyMap<string, PolicyLayer> | undefined;
}

/**
 * Loads a contract: compiles its protos or reads its descriptor set.
 *
 * @throws ContractError
 */
export async function loadContract(spec: ContractSpec): Promise<Contract> {
  const { name, backend, overrides } = spec;
  return buildContract({ name, backend, overrides, descriptorSet: await readSource(spec) });
}

async function readSource(spec: ContractSpec): Promise<Uint8Array> {
  const { kind, path, shown } = spec.source;
  try {
    return kind === 'protos' ? await compileProtos(path, shown) : await readFile(path);
  } catch (error) {
    if (error instanceof CompileError) {
      const problems = error.complaints.map((complaint) => ({ at: ['source'], complaint }));
      throw new ContractError(spec.name, problems);
    }
    const reason = error instanceof Error ? error.message : String(error);
    throw new ContractError(spec.name, [problem(['source'], `cannot read ${shown} (${reason})`)]);
  }
}
