import type { Metadata } from '@grpc/grpc-js';
import { type Role, roleOf } from '../tenants/roles.ts';

/** Who calls, as the gateway says. The socket is private to the gateway, so its word is not questioned. */
export interface Caller {
  /** Empty on public methods called without a credential. */
  readonly tenantId: string;
  readonly principalId: string;
  readonly requestId: string;
  /** Where the call came from: of the connection to the gateway. */
  readonly remoteAddress: string;
  readonly scopes: ReadonlySet<string>;
  /** Undefined: a tenant's credential, which may ask about that tenant alone (see `self-service.ts`). */
  readonly role: Role | undefined;
}

/** Reads what the gateway wrote: `x-tenant-id`, `x-principal-id`, `x-request-id`, and what only its own services are told. */
export function readCaller(metadata: Metadata): Caller {
  const scopes = new Set(readText(metadata, 'x-tollgate-scopes').split(' '));
  scopes.delete('');
  return {
    tenantId: readText(metadata, 'x-tenant-id'),
    principalId: readText(metadata, 'x-principal-id'),
    requestId: readText(metadata, 'x-request-id'),
    remoteAddress: readText(metadata, 'x-tollgate-remote-address'),
    scopes,
    role: roleOf(scopes),
  };
}

/** The contracts that the caller's listener shows: `x-tollgate-contracts`, names divided by commas. */
export function readVisibleContracts(metadata: Metadata): string[] {
  return readText(metadata, 'x-tollgate-contracts')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}

function readText(metadata: Metadata, name: string): string {
  const value = metadata.get(name)[0];
  return typeof value === 'string' ? value : '';
}
