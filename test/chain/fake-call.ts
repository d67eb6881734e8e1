import type { Call, Outcome } from '../../src/chain/call.ts';
import type { MethodPolicy } from '../../src/contracts/method-entry.ts';
import { IdentityIndex } from '../../src/sync/identity-index.ts';
import { type Plan, Priority, type Snapshot, type Tenant } from '../../src/sync/snapshot.ts';

export function fakeTenant(id: string): Tenant {
  return { id, displayName: id, plan: 'plan', suspended: false };
}

export function fakePlan(plan: Partial<Plan>): Plan {
  return { id: 'plan', limits: [], quotas: [], concurrency: 0, priority: Priority.NORMAL, ...plan };
}

/** One for all: tests make calls by the ten thousand. */
const SNAPSHOT: Snapshot = {
  version: 1,
  methods: new Map(),
  backends: new Map(),
  contracts: new Map(),
  plans: new Map(),
  tenants: { size: 0, get: () => undefined, with: unsupported, without: unsupported },
  identities: IdentityIndex.empty(),
};

/** A call as a stage behind authentication sees it. */
export function fakeCall(tenantId: string | undefined, plan: Plan, policy: Partial<MethodPolicy> = {}): Call {
  return {
    startedAt: 0,
    snapshot: SNAPSHOT,
    method: {
      path: '/test.Service/Method',
      name: 'test.Service/Method',
      contract: 'test',
      backend: 'test',
      kind: 'unary',
      policy: {
        requiredScopes: [],
        anyScopes: [],
        cost: 1,
        maxDeadlineMs: undefined,
        idempotent: false,
        limit: undefined,
        public: false,
        ...policy,
      },
    },
    credential: { text: '', entry: undefined },
    remoteAddress: '127.0.0.1',
    peerIdentity: undefined,
    principal: undefined,
    tenant: tenantId === undefined ? undefined : fakeTenant(tenantId),
    plan: tenantId === undefined ? undefined : plan,
    reservedUnits: 0,
    countedBy: undefined,
  };
}

export function fakeOutcome(outcome: Partial<Outcome> = {}): Outcome {
  return { status: 0, refusal: undefined, reachedBackend: true, cancelled: false, durationMs: 1, ...outcome };
}

function unsupported(): never {
  throw new Error('not needed by stages');
}
