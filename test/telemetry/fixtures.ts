import type { MethodEntry } from '../../src/contracts/method-entry.ts';
import { IdentityIndex } from '../../src/sync/identity-index.ts';
import type { Snapshot, TenantTable } from '../../src/sync/snapshot.ts';

export function createMethod(name: string): MethodEntry {
  return {
    path: `/${name}`,
    name,
    contract: 'c',
    backend: 'b',
    kind: 'unary',
    policy: {
      requiredScopes: [],
      anyScopes: [],
      cost: 1,
      maxDeadlineMs: undefined,
      idempotent: false,
      limit: undefined,
      public: false,
    },
  };
}

export function emptySnapshot(): Snapshot {
  const tenants: TenantTable = { size: 0, get: () => undefined, with: () => tenants, without: () => tenants };
  return {
    version: 1,
    methods: new Map(),
    backends: new Map(),
    contracts: new Map(),
    plans: new Map(),
    tenants,
    identities: IdentityIndex.empty(),
  };
}
