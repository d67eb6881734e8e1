import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keyOf, PLANS, planId, planOf, type Scale, tenantId, writeAll } from '../../bench/scale/scale-store.ts';
import { Tenant, Tenant_State } from '../../generated/tollgate/admin/v1/tenant.ts';
import { AuthenticationManager } from '../../src/auth/authentication-manager.ts';
import type { DocumentKind, DocumentStore, Store } from '../../src/store/store.ts';
import type { ConfigSync } from '../../src/sync/config-sync.ts';
import { effectivePlan } from '../../src/sync/effective-plan.ts';
import { openLocalSync } from '../../src/sync/local-sync.ts';
import { TenantManager } from '../../src/tenants/tenant-manager.ts';
import { method } from '../auth/support.ts';
import { StoreFolder } from '../store/support.ts';

// What must not grow with the number of tenants and keys, counted. How long it takes is measured by `npm run bench:scale`.

const SCALE: Scale = { tenants: 2_000, keysPerTenant: 5 };

/** Counts what is asked of a store. */
class CountedDocuments implements DocumentStore {
  readonly listed = new Map<DocumentKind, number>();
  gets = 0;
  lookups = 0;
  commits = 0;
  readonly #documents: DocumentStore;

  constructor(documents: DocumentStore) {
    this.#documents = documents;
  }

  get: DocumentStore['get'] = (...args) => {
    this.gets++;
    return this.#documents.get(...args);
  };
  getByHash: DocumentStore['getByHash'] = (...args) => {
    this.lookups++;
    return this.#documents.getByHash(...args);
  };
  list: DocumentStore['list'] = async (kind, options) => {
    const page = await this.#documents.list(kind, options);
    this.listed.set(kind, (this.listed.get(kind) ?? 0) + page.documents.length);
    return page;
  };
  commit: DocumentStore['commit'] = (...args) => {
    this.commits++;
    return this.#documents.commit(...args);
  };
  version: DocumentStore['version'] = () => this.#documents.version();
  changes: DocumentStore['changes'] = (...args) => this.#documents.changes(...args);
}

const folder = new StoreFolder();
let store: Store;
let documents: CountedDocuments;
let sync: ConfigSync;
let manager: TenantManager;

beforeAll(async () => {
  store = folder.open();
  await writeAll(store.documents, SCALE);
  documents = new CountedDocuments(store.documents);
  const onListenerError = (error: unknown) => {
    throw error;
  };
  sync = await openLocalSync({ documents, methods: new Map(), onListenerError });
  manager = new TenantManager({ documents, sync, random: randomBytes, clock: folder.clock });
});
afterAll(() => folder.close());

describe('with many tenants and keys', () => {
  it('a start reads each plan and tenant once, and no key', () => {
    expect(Object.fromEntries(documents.listed)).toEqual({
      plan: PLANS,
      tenant: SCALE.tenants,
      backend: 0,
      contract: 0,
    });
    expect([documents.gets, documents.lookups]).toEqual([0, 0]);
    expect(sync.current.tenants.size).toBe(SCALE.tenants);
  });

  it('a change of one tenant reads and writes that one, and leaves every other as the same object', async () => {
    const before = sync.current;
    const [gets, commits] = [documents.gets, documents.commits];
    const tenant = Tenant.fromPartial({ id: tenantId(7), state: Tenant_State.STATE_SUSPENDED });
    await manager.updateTenant({ tenant, updateMask: ['state'] });
    expect([documents.gets - gets, documents.commits - commits]).toEqual([1, 1]);
    const changed = [];
    for (let i = 0; i < SCALE.tenants; i++) {
      if (sync.current.tenants.get(tenantId(i)) !== before.tenants.get(tenantId(i))) changed.push(i);
    }
    expect(changed).toEqual([7]);
    expect(sync.current.plans).toBe(before.plans);
  });

  it('tenants without overrides share the plan, and an edit of it is one write that reaches all of them', async () => {
    const commits = documents.commits;
    const plan = await manager.getPlan({ id: planId(3) });
    await manager.updatePlan({ plan: { ...plan, concurrency: 77 }, updateMask: ['concurrency'] });
    expect(documents.commits - commits).toBe(1);
    const effective = new Set();
    for (let i = 3; i < SCALE.tenants; i += PLANS) {
      expect(planOf(i)).toBe(planId(3));
      effective.add(effectivePlan(sync.current, sync.current.tenants.get(tenantId(i))!));
    }
    expect([...effective]).toEqual([expect.objectContaining({ id: planId(3), concurrency: 77 })]);
  });

  it('a call looks up its own key once, then nothing', async () => {
    const auth = new AuthenticationManager({
      documents,
      sync,
      clock: folder.clock,
      onStoreError: (error) => expect.fail(String(error)),
    });
    const lookups = documents.lookups;
    const call = (text: string) => ({
      startedAt: 0,
      snapshot: sync.current,
      method: method(),
      credential: { text, entry: undefined },
      remoteAddress: '',
      peerIdentity: undefined,
      principal: undefined,
      tenant: undefined,
      plan: undefined,
      reservedUnits: 0,
      countedBy: undefined,
    });
    for (let round = 0; round < 3; round++) {
      for (let i = 100; i < 110; i++) expect(await auth.admit(call(keyOf(i, 2).text))).toBeUndefined();
    }
    expect(documents.lookups - lookups).toBe(10);
    // A change of somebody else makes nobody be looked up again.
    await manager.deleteApiKey({ id: keyOf(200, 0).id, etag: '' });
    for (let i = 100; i < 110; i++) expect(await auth.admit(call(keyOf(i, 2).text))).toBeUndefined();
    expect(documents.lookups - lookups).toBe(10);
    auth.close();
  });
});
