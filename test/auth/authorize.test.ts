import { describe, expect, it } from 'vitest';
import { AuthorizationStage } from '../../src/auth/authorize.ts';
import type { Call } from '../../src/chain/call.ts';
import type { MethodEntry } from '../../src/contracts/method-entry.ts';
import { IdentityIndex } from '../../src/sync/identity-index.ts';
import { ShardedTenants } from '../../src/sync/tenant-table.ts';
import { method } from './support.ts';

const stage = new AuthorizationStage();
const call = (entry: MethodEntry | undefined, scopes: string[] | undefined): Call => ({
  startedAt: 0,
  snapshot: {
    version: 1,
    methods: new Map(),
    backends: new Map(),
    contracts: new Map(),
    plans: new Map(),
    tenants: ShardedTenants.empty(),
    identities: IdentityIndex.empty(),
  },
  method: entry,
  credential: { text: '', entry: undefined },
  remoteAddress: '127.0.0.1',
  peerIdentity: undefined,
  principal: scopes && { id: 'k', tenantId: 'demo', scopes: new Set(scopes) },
  tenant: undefined,
  plan: undefined,
  reservedUnits: 0,
  countedBy: undefined,
});

describe('authorization', () => {
  it('admits a principal that has every scope the method requires', () => {
    expect(stage.admit(call(method(), []))).toBeUndefined();
    expect(stage.admit(call(method({ requiredScopes: ['a', 'b'] }), ['c', 'b', 'a']))).toBeUndefined();
  });

  it('names the scope that is missing', () => {
    const refusal = stage.admit(call(method({ requiredScopes: ['a', 'b'] }), ['a']));
    expect(refusal).toMatchObject({ status: 7, reason: 'SCOPE_MISSING', metadata: { scope: 'b' } });
  });

  it('says UNIMPLEMENTED of a method that is not there', () => {
    expect(stage.admit(call(undefined, ['a']))).toMatchObject({ status: 12, reason: 'METHOD_UNKNOWN' });
  });

  it('asks nothing of the callers of public methods', () => {
    expect(stage.admit(call(method({ public: true, requiredScopes: ['a'] }), undefined))).toBeUndefined();
  });

  it('admits nobody unknown to another method, whatever came before it in the chain', () => {
    expect(stage.admit(call(method(), undefined))).toMatchObject({ status: 16, reason: 'CREDENTIAL_INVALID' });
  });
});
