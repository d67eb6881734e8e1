import type { Change, DocumentStore, Write } from '../store/store.ts';
import { planFromDocument, tenantFromDocument } from './from-document.ts';
import { IdentityIndex } from './identity-index.ts';
import type { Plan, Snapshot, Tenant } from './snapshot.ts';
import { ShardedTenants } from './tenant-table.ts';

const PAGE = 1000;

/** The state of a store, with its tables in the form that changes are applied to. */
export interface StoreSnapshot extends Snapshot {
  readonly tenants: ShardedTenants;
}

/**
 * The snapshot after a change. A change of tenants costs the shards it touches; one of plans copies the plans, of which
 * there are few. Keys are not in the snapshot.
 */
export function applyChange(snapshot: StoreSnapshot, change: Change): StoreSnapshot {
  const tenants: Tenant[] = [];
  const goneTenants: string[] = [];
  let plans: Map<string, Plan> | undefined;
  for (const { kind, id } of change.deleted) {
    if (kind === 'tenant') goneTenants.push(id);
    if (kind === 'plan') {
      plans ??= new Map(snapshot.plans);
      plans.delete(id);
    }
  }
  for (const document of change.documents) {
    if (document.kind === 'tenant') tenants.push(tenantFromDocument(document));
    if (document.kind === 'plan') {
      plans ??= new Map(snapshot.plans);
      plans.set(document.id, planFromDocument(document));
    }
  }
  const before = [...goneTenants, ...tenants.map(({ id }) => id)].map((id) => snapshot.tenants.get(id));
  return {
    version: change.version,
    methods: snapshot.methods,
    plans: plans ?? snapshot.plans,
    tenants: snapshot.tenants.change(tenants, goneTenants),
    identities: snapshot.identities.change(
      before.filter((tenant) => tenant !== undefined),
      tenants,
    ),
  };
}

/** Refuses what could be stored but not applied. @throws UnreadableDocument */
export function checkReadable(writes: readonly Write[]): void {
  for (const write of writes) {
    if (write.op !== 'put') continue;
    if (write.kind === 'tenant') tenantFromDocument(write);
    if (write.kind === 'plan') planFromDocument(write);
  }
}

/**
 * Reads everything, page by page. Should the store change meanwhile (another gateway), it is read again.
 * @throws UnreadableDocument, and what the store throws
 */
export async function readSnapshot(
  documents: Pick<DocumentStore, 'list' | 'version'>,
  methods: Snapshot['methods'],
): Promise<StoreSnapshot> {
  for (;;) {
    const version = await documents.version();
    const plans = new Map<string, Plan>();
    for await (const plan of all(documents, 'plan', planFromDocument)) plans.set(plan.id, plan);
    const tenants: Tenant[] = [];
    for await (const tenant of all(documents, 'tenant', tenantFromDocument)) tenants.push(tenant);
    if ((await documents.version()) !== version) continue;
    return {
      version,
      methods,
      plans,
      tenants: ShardedTenants.empty().change(tenants, []),
      identities: IdentityIndex.empty().change([], tenants),
    };
  }
}

async function* all<T>(
  documents: Pick<DocumentStore, 'list'>,
  kind: 'plan' | 'tenant',
  read: (document: { id: string; body: Uint8Array }) => T,
): AsyncGenerator<T> {
  let after: string | undefined;
  do {
    const page = await documents.list(kind, { after, limit: PAGE });
    yield* page.documents.map(read);
    after = page.next;
  } while (after !== undefined);
}
