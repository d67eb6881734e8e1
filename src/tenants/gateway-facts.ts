import type { Backend } from '../../generated/tollgate/admin/v1/backend.ts';
import type { Contract } from '../../generated/tollgate/admin/v1/contract.ts';
import type { Endpoint } from '../net/endpoint-policy.ts';
import { FailedPrecondition } from './errors.ts';

/** What of the gateway that answers the backends and contracts of administrators are held against. */
export interface GatewayFacts {
  /** The configuration file, as people know it. */
  readonly file: string;
  /** What it defines, by name. */
  readonly backends: ReadonlyMap<string, Backend>;
  readonly contracts: ReadonlyMap<string, Contract>;
  /** Names of the listeners. */
  readonly listeners: readonly string[];
  /** Why a backend may not have the endpoint, a clause; undefined when it may. */
  refusalOf(endpoint: Endpoint): string | undefined;
}

/** A gateway without a file, to which nothing is forbidden. */
export const NO_FACTS: GatewayFacts = {
  file: '',
  backends: new Map(),
  contracts: new Map(),
  listeners: [],
  refusalOf: () => undefined,
};

/** So many of a kind may be registered: each costs every gateway memory. */
export const MAX_REGISTERED = 1000;

/** @throws FailedPrecondition when the configuration file defines the name: it is changed there */
export function refuseFilesOwn(kind: 'backend' | 'contract', id: string, facts: GatewayFacts): void {
  if (!facts[`${kind}s`].has(id)) return;
  const file = facts.file === '' ? '' : ` (${facts.file})`;
  const message =
    `the ${kind} "${id}" is defined in the gateway's configuration file${file}: change it there, ` +
    'or register another under a name of its own';
  throw new FailedPrecondition(message, { type: 'DEFINED_IN_FILE', subject: `${kind}s/${id}` });
}

/** @throws FailedPrecondition */
export function refuseTooMany(kind: 'backend' | 'contract', registered: number): void {
  if (registered < MAX_REGISTERED) return;
  const message = `there are ${registered} registered ${kind}s, and more than ${MAX_REGISTERED} cannot be: delete some first`;
  throw new FailedPrecondition(message, { type: 'TOO_MANY', subject: `${kind}s` });
}
