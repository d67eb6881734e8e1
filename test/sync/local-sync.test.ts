import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Plan, Quota_Period } from '../../generated/tollgate/admin/v1/plan.ts';
import { Tenant, Tenant_State } from '../../generated/tollgate/admin/v1/tenant.ts';
import type { MethodEntry } from '../../src/contracts/method-entry.ts';
import type { Store, Write } from '../../src/store/store.ts';
import type { ConfigSync } from '../../src/sync/config-sync.ts';
import { openLocalSync } from '../../src/sync/local-sync.ts';
import { UnreadableDocument } from '../../src/sync/unreadable-document.ts';
import { StoreFolder } from '../store/support.ts';

let folder: StoreFolder;
let store: Store;
let sync: ConfigSync;
let listenerErrors: unknown[];

const open = () =>
  openLocalSync({
    documents: store.documents,
    methods: new Map(),
    onListenerError: (error) => void listenerErrors.push(error),
  });

beforeEach(async () => {
  listenerErrors = [];
  folder = new StoreFolder();
  store = folder.open();
  sync = await open();
});
afterEach(() => folder.close());

const plan = (id: string, concurrency = 0): Write => ({
  op: 'put',
  kind: 'plan',
  id,
  body: Plan.encode({
    id,
    concurrency,
    priority: 0,
    allowed: [],
    etag: '',
    limits: [{ name: 'calls', rate: 2.5, burst: 3 }],
    quotas: [
      { metric: 'units', limit: 10, period: Quota_Period.PERIOD_DAY, timeZone: '', anchor: 0 },
      { metric: 'units', limit: 99, period: Quota_Period.PERIOD_MONTH, timeZone: 'Europe/Berlin', anchor: 0 },
    ],
  }).finish(),
});
const tenant = (id: string, state: Tenant_State = Tenant_State.STATE_ACTIVE): Write => ({
  op: 'put',
  kind: 'tenant',
  id,
  reference: 'free',
  body: Tenant.encode(Tenant.fromPartial({ id, displayName: id.toUpperCase(), plan: 'free', state })).finish(),
});

describe('the sync of a gateway alone', () => {
  it('shows a change before it is acknowledged', async () => {
    const before = sync.current;
    const change = await sync.change([plan('free', 7), tenant('demo'), tenant('bad', Tenant_State.STATE_SUSPENDED)]);
    expect(sync.current.version).toBe(change.version);
    expect(sync.current.tenants.get('demo')).toEqual({
      id: 'demo',
      displayName: 'DEMO',
      plan: 'free',
      suspended: false,
    });
    expect(sync.current.tenants.get('bad')?.suspended).toBe(true);
    expect(sync.current.plans.get('free')).toEqual({
      id: 'free',
      concurrency: 7,
      priority: 1,
      limits: [{ name: 'calls', rate: 2.5, burst: 3 }],
      quotas: [
        { metric: 'units', limit: 10, period: 'day', timeZone: 'UTC', anchor: 0 },
        { metric: 'units', limit: 99, period: 'month', timeZone: 'Europe/Berlin', anchor: 1 },
      ],
    });
    expect([before.version, before.tenants.size, before.plans.size]).toEqual([0, 0, 0]);
  });

  it('takes away what was deleted', async () => {
    await sync.change([plan('free'), plan('other'), tenant('demo')]);
    await sync.change([
      { op: 'delete', kind: 'tenant', id: 'demo' },
      { op: 'delete', kind: 'plan', id: 'other' },
    ]);
    expect(sync.current.tenants.get('demo')).toBeUndefined();
    expect([...sync.current.plans.keys()]).toEqual(['free']);
  });

  it('reads the same from the store at the next start, however many pages that takes', async () => {
    await sync.change([plan('free'), ...Array.from({ length: 2500 }, (_, i) => tenant(`t${i}`))]);
    const { version, plans, tenants } = sync.current;
    const again = (await open()).current;
    expect([again.version, again.tenants.size]).toEqual([version, 2500]);
    expect(again.plans).toEqual(plans);
    expect(again.tenants.get('t2499')).toEqual(tenants.get('t2499'));
  });

  it('applies changes asked for at once in the order of their versions', async () => {
    const versions: number[] = [];
    sync.onChange((change, snapshot) => {
      expect(snapshot.version).toBe(change.version);
      versions.push(change.version);
    });
    await sync.change([plan('free')]);
    await Promise.all(Array.from({ length: 20 }, (_, i) => sync.change([tenant(`t${i}`)])));
    expect(versions).toEqual(Array.from({ length: 21 }, (_, i) => i + 1));
    expect(sync.current.tenants.size).toBe(20);
  });

  it('goes on after a change that the store refused, which changed nothing', async () => {
    const refused = sync.change([tenant('demo')]);
    const next = sync.change([plan('free')]);
    await expect(refused).rejects.toThrow('there is no plan free');
    await next;
    expect([sync.current.version, sync.current.tenants.size]).toEqual([1, 0]);
  });

  it('refuses a body that it could not read back, before it is stored', async () => {
    const body = new Uint8Array([0xff, 0xff]);
    await expect(sync.change([{ op: 'put', kind: 'plan', id: 'x', body }])).rejects.toThrow(UnreadableDocument);
    expect(await store.documents.version()).toBe(0);
  });

  it('tells every listener, though one throws; and no longer whoever left', async () => {
    const told: string[] = [];
    sync.onChange(() => {
      throw new Error('mine');
    });
    const leave = sync.onChange(() => void told.push('first'));
    sync.onChange((change) => void told.push(`second ${change.hashes}`));
    await sync.change([
      plan('free'),
      tenant('demo'),
      { op: 'put', kind: 'api_key', id: 'k', body: new Uint8Array(), parent: 'demo', hash: 'h' },
    ]);
    leave();
    leave();
    await sync.change([{ op: 'delete', kind: 'tenant', id: 'demo' }]);
    expect(told).toEqual(['first', 'second h', 'second h']);
    expect(listenerErrors).toHaveLength(2);
  });

  it('swaps the methods without a new version, and keeps them through changes', async () => {
    const methods: ReadonlyMap<string, MethodEntry> = new Map();
    const before = sync.current;
    sync.setMethods(methods);
    expect(sync.current).not.toBe(before);
    expect(sync.current.version).toBe(before.version);
    await sync.change([plan('free')]);
    expect(sync.current.methods).toBe(methods);
  });

  it('makes no version and tells nobody when nothing was written', async () => {
    let told = 0;
    sync.onChange(() => void told++);
    const before = sync.current;
    await sync.change([{ op: 'delete', kind: 'plan', id: 'none' }]);
    expect(sync.current).toBe(before);
    expect(told).toBe(0);
  });
});
