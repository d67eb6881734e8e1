import { Backend } from '../../generated/tollgate/admin/v1/backend.ts';
import { Contract as ContractMessage } from '../../generated/tollgate/admin/v1/contract.ts';
import { type BackendOptions, toBackendOptions } from '../config/to-backend.ts';
import { CONTROL_BACKEND, RESERVED_CONTRACTS } from '../contracts/builtin.ts';
import { buildContract, type Contract } from '../contracts/contract.ts';
import type { MethodEntry } from '../contracts/method-entry.ts';
import type { Document } from '../store/store.ts';
import { UnreadableDocument } from './unreadable-document.ts';

// What admins registered beside the configuration file: where calls go, and what can be called.

export interface RegisteredBackend extends BackendOptions {
  readonly id: string;
  /** Undefined is cleartext. */
  readonly tls: { readonly serverName: string | undefined; readonly caPem: string | undefined } | undefined;
}

export interface RegisteredContract extends Contract {
  readonly id: string;
  readonly listeners: readonly string[];
}

type Body = Pick<Document, 'id' | 'body'>;
type Methods = ReadonlyMap<string, MethodEntry>;

/** @throws UnreadableDocument */
export function backendFromDocument({ id, body }: Body): RegisteredBackend {
  try {
    const message = Backend.decode(body);
    const { tls } = message;
    if (id === CONTROL_BACKEND || message.endpoints.length === 0) throw new TypeError('no backend of an admin');
    const secure = tls && { serverName: tls.serverName || undefined, caPem: tls.caPem || undefined };
    return { id, ...toBackendOptions(message), tls: secure };
  } catch (error) {
    throw new UnreadableDocument('backend', id, error);
  }
}

/** @throws UnreadableDocument */
export function contractFromDocument({ id, body }: Body): RegisteredContract {
  try {
    const message = ContractMessage.decode(body);
    if (RESERVED_CONTRACTS.includes(id) || message.backend === CONTROL_BACKEND) throw new TypeError('a reserved name');
    return contractOf({ ...message, id });
  } catch (error) {
    throw new UnreadableDocument('contract', id, error);
  }
}

/** @throws ContractError */
export function contractOf(message: Omit<ContractMessage, 'etag'>): RegisteredContract {
  const { id, backend, descriptorSet, listeners, policy } = message;
  const overrides = new Map(Object.entries(policy));
  return { ...buildContract({ name: id, backend, descriptorSet, overrides, listeners }), id, listeners };
}

/**
 * Adds the methods of what was registered. Names and methods of the configuration file are the file's; of two contracts with
 * the same method the first by id has it. So gateways whose files are alike have the same methods, whatever came first.
 * @param fixed methods of the gateway itself and of its file
 */
export function withRegistered(fixed: Methods, contracts: ReadonlyMap<string, RegisteredContract>): Methods {
  if (contracts.size === 0) return fixed;
  const taken = new Set([...fixed.values()].map(({ contract }) => contract));
  const methods = new Map(fixed);
  for (const id of [...contracts.keys()].sort()) {
    if (taken.has(id)) continue;
    for (const method of contracts.get(id)?.methods ?? []) {
      if (!methods.has(method.path)) methods.set(method.path, method);
    }
  }
  return methods;
}
