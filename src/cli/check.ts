import type { Environment } from '../config/check-tenants.ts';
import { ConfigError } from '../config/config-error.ts';
import { type LoadedConfig, loadConfig } from '../config/load.ts';
import { type LoadedContracts, loadContracts } from '../config/load-contracts.ts';
import { formatComplaint } from '../contracts/complaint.ts';

/** What a command reads and writes. */
export interface CheckIo {
  readonly env: Environment;
  /** Writes a line. */
  readonly out: (line: string) => void;
  readonly err: (line: string) => void;
}

/**
 * `tollgate check`: says what is in a configuration, or everything that is wrong with it.
 *
 * @returns the exit code: 0 when the gateway would start with it, else 1.
 */
export async function check(path: string, io: CheckIo): Promise<number> {
  try {
    const loaded = loadConfig(path, { env: io.env });
    const contracts = await loadContracts(loaded);
    for (const warning of contracts.warnings) io.err(`warning: ${formatComplaint(warning)}`);
    for (const line of summarize(path, loaded, contracts)) io.out(line);
    return 0;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const complaint of error.complaints) io.err(formatComplaint(complaint));
    const count = error.complaints.length;
    io.err(`${path}: ${count} ${count === 1 ? 'complaint' : 'complaints'}`);
    return 1;
  }
}

function summarize(path: string, { config }: LoadedConfig, { contracts }: LoadedContracts): string[] {
  const listeners = config.listeners.map(
    ({ name, address, contracts: shown, tls }) =>
      `listener ${name}: ${address}${tls === undefined ? '' : ' (TLS)'}, shows ${shown.join(', ') || 'nothing'}`,
  );
  const backends = config.backends.map(({ name, endpoints }) => `backend ${name}: ${endpoints.join(', ')}`);
  const named = contracts
    .filter(({ name }) => config.contracts.some((contract) => contract.name === name))
    .map(({ name, methods, backend }) => `contract ${name}: ${plural(methods.length, 'method')}, backend ${backend}`);
  const plans = config.plans.map(({ name }) => `plan ${name}`);
  const tenants = config.tenants.map(
    ({ id, plan, keys, issuers, clientCertificates }) =>
      `tenant ${id}: plan ${plan}, ${plural(keys.length, 'key')}${some(issuers.length, 'issuer')}${some(clientCertificates.length, 'client certificate')}`,
  );
  return [`${path}: OK`, ...[...listeners, ...backends, ...named, ...plans, ...tenants].map((line) => `  ${line}`)];
}

const some = (count: number, noun: string): string => (count === 0 ? '' : `, ${plural(count, noun)}`);
const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;
