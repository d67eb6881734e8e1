import { resolve } from 'node:path';
import type { Contract as ContractMessage } from '../../generated/tollgate/config/v1/config.ts';
import { builtinContracts } from '../contracts/builtin.ts';
import type { Complaint } from '../contracts/complaint.ts';
import type { Contract } from '../contracts/contract.ts';
import { ContractError, type ContractProblem } from '../contracts/contract-error.ts';
import { indexMethods } from '../contracts/index-methods.ts';
import { type ContractSource, loadContract } from '../contracts/load.ts';
import type { MethodEntry } from '../contracts/method-entry.ts';
import { nearest } from '../contracts/nearest.ts';
import { checkAllowed } from './check-allowed.ts';
import { ConfigError } from './config-error.ts';
import type { LoadedConfig } from './load.ts';

export interface LoadedContracts {
  /** The gateway's own first, then those of the configuration in its order. */
  readonly contracts: readonly Contract[];
  /** Every method by `:path`. */
  readonly methods: ReadonlyMap<string, MethodEntry>;
  /** What is probably a mistake, but may be right. */
  readonly warnings: readonly Complaint[];
}

/**
 * Loads the contracts that a configuration names, and the gateway's own.
 *
 * @throws ConfigError: faults in protos have their place there, others the place in the configuration.
 */
export async function loadContracts(loaded: LoadedConfig): Promise<LoadedContracts> {
  const { config, source } = loaded;
  const results = await Promise.allSettled(config.contracts.map((message) => loadContract(toSpec(loaded, message))));
  const contracts = builtinContracts();
  results.forEach((result, index) => {
    if (result.status === 'fulfilled') contracts.push(result.value);
    else report(loaded, index, result.reason);
  });
  let methods: ReadonlyMap<string, MethodEntry> = new Map();
  try {
    methods = indexMethods(contracts);
  } catch (error) {
    const name = error instanceof ContractError ? error.contract : '';
    report(
      loaded,
      config.contracts.findIndex((contract) => contract.name === name),
      error,
    );
  }
  checkAllowed(loaded, contracts);
  if (source.complaints.length > 0) throw new ConfigError(source.complaints);
  return { contracts, methods, warnings: warnOfLimits(loaded, contracts) };
}

function toSpec({ baseDir }: LoadedConfig, message: ContractMessage): Parameters<typeof loadContract>[0] {
  const shown = message.source?.$case === 'protos' ? message.source.protos : (message.source?.descriptorSet ?? '');
  const kind = message.source?.$case === 'protos' ? 'protos' : 'descriptor_set';
  const source: ContractSource = { kind, path: resolve(baseDir, shown), shown };
  return { name: message.name, backend: message.backend, source, overrides: new Map(Object.entries(message.policy)) };
}

/** Turns what went wrong with one contract into complaints. */
function report(loaded: LoadedConfig, index: number, error: unknown): void {
  if (!(error instanceof ContractError)) throw error;
  for (const problem of error.problems) reportProblem(loaded, index, problem);
}

function reportProblem({ source, config }: LoadedConfig, index: number, problem: ContractProblem): void {
  const { complaint } = problem;
  if (complaint.file !== '' && complaint.line !== undefined) {
    source.add(complaint);
    return;
  }
  const kind = config.contracts[index]?.source?.$case === 'protos' ? 'protos' : 'descriptor_set';
  const at = problem.at[0] === 'source' ? [kind] : problem.at;
  const { line, column } = source.locate(['contracts', index, ...at]);
  const subject = complaint.file === '' ? '' : `${complaint.file}: `;
  source.add({ file: source.file, line, column, message: `${subject}${complaint.message}`, hint: complaint.hint });
}

/** Limits that a method names and no plan of the file has. A plan that an admin adds may have them. */
function warnOfLimits({ source, config }: LoadedConfig, contracts: readonly Contract[]): Complaint[] {
  const all = [...config.plans, ...config.tenants.map(({ overrides }) => overrides)];
  const limits = new Set(all.flatMap((plan) => plan?.limits.map((limit) => limit.name) ?? []));
  return contracts.flatMap((contract) => {
    const index = config.contracts.findIndex((message) => message.name === contract.name);
    return contract.methods.flatMap(({ name, policy }) => {
      if (policy.limit === undefined || limits.has(policy.limit)) return [];
      const near = nearest(policy.limit, limits);
      const hint = near === undefined ? `add it to "limits" of a plan` : `did you mean "${near}"?`;
      const message = `${name} draws on limit "${policy.limit}", which no plan here has`;
      return [{ file: source.file, ...source.locate(['contracts', index]), message, hint }];
    });
  });
}
