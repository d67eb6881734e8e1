import { ConfigError } from '../config/config-error.ts';
import { formatComplaint } from '../contracts/complaint.ts';
import { ContractError } from '../contracts/contract-error.ts';
import { StoreUnavailable, StoreUnusable } from '../store/store.ts';
import { InvalidArgument, RegistryError } from '../tenants/errors.ts';
import { CertificateError } from '../tls/read-certificate.ts';
import { CliError } from './io.ts';

const ADMIN_KEY_VARIABLE = 'TOLLGATE_ADMIN_KEY';

/**
 * What to tell someone whose gateway did not start: what is wrong, and what to do next. Undefined when the error is none
 * that a user can cause: then the caller shows it whole.
 *
 * @param configPath as the user gave it
 */
export function describeStartError(error: unknown, configPath: string): string | undefined {
  if (error instanceof CliError) return error.message;
  if (error instanceof ConfigError) {
    return `the configuration cannot be used:\n${error.message}\nRun \`tollgate check ${configPath}\` after the change.`;
  }
  if (error instanceof ContractError) {
    const problems = error.problems.map(({ complaint }) => formatComplaint(complaint)).join('\n');
    return `the contract "${error.contract}" in ${configPath} cannot be used:\n${problems}`;
  }
  if (error instanceof StoreUnusable) {
    return error.cause instanceof StoreUnavailable
      ? `${error.message}\n${adviseOnRedis(error.message, configPath)}`
      : error.message;
  }
  if (error instanceof CertificateError) return `a certificate cannot be used: ${error.message}`;
  // Not what the file says: the message names the variable.
  if (error instanceof InvalidArgument && error.field === ADMIN_KEY_VARIABLE) return error.message;
  if (error instanceof RegistryError)
    return `what ${configPath} says of plans and tenants cannot be applied: ${error.message}`;
  if (isSystemError(error)) return describeSystemError(error, configPath);
  return undefined;
}

/** By what Redis, or ioredis, says: there are no codes. */
function adviseOnRedis(message: string, configPath: string): string {
  if (message.includes('NOAUTH'))
    return `Redis asks for a password: name the variable that holds it, "store.redis.password_from_env" in ${configPath}.`;
  if (message.includes('WRONGPASS'))
    return `The password is another, or the user: look at the variable of "password_from_env", and at "username", in ${configPath}.`;
  if (message.includes('RESP'))
    return `What answers there is no Redis, or speaks TLS: correct "store.redis" in ${configPath}.`;
  return `Start Redis, or correct "store.redis" in ${configPath}.`;
}

interface SystemError extends Error {
  readonly code: string;
  readonly address?: string;
  readonly port?: number;
  readonly path?: string;
  /** Of a name that could not be looked up. */
  readonly hostname?: string;
}

function isSystemError(error: unknown): error is SystemError {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && 'syscall' in error;
}

function describeSystemError(error: SystemError, configPath: string): string | undefined {
  const where = error.port === undefined ? (error.path ?? error.address ?? '') : `${error.address}:${error.port}`;
  switch (error.code) {
    case 'EADDRINUSE':
      return (
        `${where} is in use by another program, perhaps another gateway.\n` +
        `Stop that one, or change the address in ${configPath}.`
      );
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `the host name ${error.hostname ?? where} is not known: correct it in ${configPath}, or write an IP address.`;
    case 'EADDRNOTAVAIL':
      return `${where} is not an address of this machine: change it in ${configPath}.`;
    case 'EACCES':
    case 'EPERM':
      return error.port === undefined
        ? `no permission for ${where}: make it accessible, or change the path in ${configPath}.`
        : `no permission to listen on ${where}: take a port from 1024 up, or give the process the right to it.`;
    case 'ENOENT':
      return `${where} does not exist: create it, or change the path in ${configPath}.`;
    case 'ENOSPC':
    case 'EROFS':
      return `cannot write ${where} (${error.code}): free some space, or change the path in ${configPath}.`;
    default:
      return undefined;
  }
}
