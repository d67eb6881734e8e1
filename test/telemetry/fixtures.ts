import type { MethodEntry } from '../../src/contracts/method-entry.ts';
import type { EndedCall } from '../../src/routing/exchange-parts.ts';
import { ListenerView } from '../../src/routing/listener-view.ts';
import { RequestId } from '../../src/routing/request-id.ts';
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

export const SECRET = 'tg_laptop_abc_verysecret';

/** A call of the tenant `acme` that is over. */
export function createCall(more: Partial<EndedCall> = {}): EndedCall {
  return {
    startedAt: 0,
    snapshot: emptySnapshot(),
    method: createMethod('pkg.Service/Method'),
    credential: { text: SECRET, entry: { text: SECRET } },
    remoteAddress: '127.0.0.1:5',
    peerIdentity: undefined,
    principal: { id: 'abc', tenantId: 'acme', scopes: new Set() },
    tenant: { id: 'acme', displayName: '', plan: 'free', suspended: false },
    plan: undefined,
    reservedUnits: 0,
    countedBy: undefined,
    id: RequestId.ofClient('req-1'),
    requestId: 'req-1',
    listener: new ListenerView({ name: 'public', contracts: [], trustRequestId: false, uniformErrors: false }),
    attempts: undefined,
    sampled: false,
    trace: undefined,
    otherTraceId: undefined,
    metadata: () => undefined,
    ...more,
  };
}
