import type { Call } from '../../src/chain/call.ts';
import { IdentityIndex } from '../../src/sync/identity-index.ts';
import type { Snapshot, TenantTable } from '../../src/sync/snapshot.ts';

const NO_TENANTS: TenantTable = {
  size: 0,
  get: () => undefined,
  with: () => NO_TENANTS,
  without: () => NO_TENANTS,
};

export const EMPTY_SNAPSHOT: Snapshot = {
  version: 0,
  methods: new Map(),
  backends: new Map(),
  contracts: new Map(),
  plans: new Map(),
  tenants: NO_TENANTS,
  identities: IdentityIndex.empty(),
};

/** A call with plain defaults, for tests of stages. */
export function callOf(fields: Partial<Call>): Call {
  return {
    startedAt: 0,
    snapshot: EMPTY_SNAPSHOT,
    method: undefined,
    credential: { text: '', entry: undefined },
    remoteAddress: '127.0.0.1',
    peerIdentity: undefined,
    principal: undefined,
    tenant: undefined,
    plan: undefined,
    reservedUnits: 0,
    countedBy: undefined,
    ...fields,
  };
}
