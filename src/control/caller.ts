import type { Metadata } from '@grpc/grpc-js';

/** Who calls, as the gateway says. The socket is private to the gateway, so its word is not questioned. */
export interface Caller {
  /** Empty on public methods called without a credential. */
  readonly tenantId: string;
  readonly principalId: string;
  readonly requestId: string;
}

/** Reads what the gateway wrote: `x-tenant-id`, `x-principal-id`, `x-request-id`. */
export function readCaller(metadata: Metadata): Caller {
  return {
    tenantId: readText(metadata, 'x-tenant-id'),
    principalId: readText(metadata, 'x-principal-id'),
    requestId: readText(metadata, 'x-request-id'),
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
