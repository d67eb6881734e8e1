import type { Change, Document, DocumentKind, DocumentStore, Write } from '../store/store.ts';
import { planFromDocument, tenantFromDocument } from './from-document.ts';
import { IdentityIndex } from './identity-index.ts';
import { pageOf } from './page-of.ts';
import { backendFromDocument, contractFromDocument, withRegistered } from './registered.ts';
import type { Snapshot, Tenant } from './snapshot.ts';
import { ShardedTenants } from './tenant-table.ts';

const PAGE = 1000;

/** The state of a store, with its tables in the form that changes are applied to. */
export interface StoreSnapshot extends Snapshot {
  readonly tenants: ShardedTenants;
  /** Methods that are not in the store: of the gateway itself, and of its configuration file. */
  readonly fixed: Snapshot['methods'];
}

type Body = Pick<Document, 'id' | 'body'>;

/**
 * The snapshot after a change. A change of tenants costs the shards it touches; one of plans, backends or contracts copies
 * all of those, of which there are few. Keys are not in the snapshot.
 */
export function applyChange(snapshot: StoreSnapshot, change: Change): StoreSnapshot {
  const tenants = change.documents.filter(({ kind }) => kind === 'tenant').map(tenantFromDocument);
  const goneTenants = change.deleted.filter(({ kind }) => kind === 'tenant').map(({ id }) => id);
  const before = [...goneTenants, ...tenants.map(({ id }) => id)].map((id) => snapshot.tenants.get(id));
  const contracts = changed(snapshot.contracts, 'contract', change, contractFromDocument);
  return {
    version: change.version,
    fixed: snapshot.fixed,
    methods: contracts === snapshot.contracts ? snapshot.methods : withRegistered(snapshot.fixed, contracts),
    backends: changed(snapshot.backends, 'backend', change, backendFromDocument),
    contracts,
    plans: changed(snapshot.plans, 'plan', change, planFromDocument),
    tenants: snapshot.tenants.change(tenants, goneTenants),
    identities: snapshot.identities.change(
      before.filter((tenant) => tenant !== undefined),
      tenants,
    ),
  };
}

/** The same map when nothing of its kind was changed. */
function changed<T>(
  map: ReadonlyMap<string, T>,
  kind: DocumentKind,
  { documents, deleted }: Change,
  read: (document: Body) => T,
): ReadonlyMap<string, T> {
  const puts = documents.filter((document) => document.kind === kind);
  const gone = deleted.filter((each) => each.kind === kind);
  if (puts.length === 0 && gone.length === 0) return map;
  const next = new Map(map);
  for (const { id } of gone) next.delete(id);
  for (const document of puts) next.set(document.id, read(document));
  return next;
}

/** The same state with other methods of the configuration file. */
export function withFixed(snapshot: StoreSnapshot, fixed: Snapshot['methods']): StoreSnapshot {
  return { ...snapshot, fixed, methods: withRegistered(fixed, snapshot.contracts) };
}

const READERS: Readonly<Partial<Record<DocumentKind, (document: Body) => unknown>>> = {
  tenant: tenantFromDocument,
  plan: planFromDocument,
  backend: backendFromDocument,
  contract: contractFromDocument,
};

/** Refuses what could be stored but not applied. @throws UnreadableDocument */
export function checkReadable(writes: readonly Write[]): void {
  for (const write of writes) if (write.op === 'put') READERS[write.kind]?.(write);
}

/**
 * Reads everything, page by page. Should the store change meanwhile (another gateway), it is read again.
 * @throws UnreadableDocument, and what the store throws
 */
export async function readSnapshot(
  documents: Pick<DocumentStore, 'list' | 'version'>,
  fixed: Snapshot['methods'],
): Promise<StoreSnapshot> {
  for (;;) {
    const version = await documents.version();
    const plans = await readMap(documents, 'plan', planFromDocument);
    const backends = await readMap(documents, 'backend', backendFromDocument);
    const contracts = await readMap(documents, 'contract', contractFromDocument);
    const tenants: Tenant[] = [];
    for await (const tenant of all(documents, 'tenant', tenantFromDocument)) tenants.push(tenant);
    if ((await documents.version()) !== version) continue;
    return {
      version,
      fixed,
      methods: withRegistered(fixed, contracts),
      backends,
      contracts,
      plans,
      tenants: ShardedTenants.empty().change(tenants, []),
      identities: IdentityIndex.empty().change([], tenants),
    };
  }
}

async function readMap<T extends { readonly id: string }>(
  documents: Pick<DocumentStore, 'list'>,
  kind: DocumentKind,
  read: (document: Body) => T,
): Promise<Map<string, T>> {
  const map = new Map<string, T>();
  for await (const each of all(documents, kind, read)) map.set(each.id, each);
  return map;
}

async function* all<T>(
  documents: Pick<DocumentStore, 'list'>,
  kind: DocumentKind,
  read: (document: Body) => T,
): AsyncGenerator<T> {
  const limit = pageOf(kind, PAGE);
  let after: string | undefined;
  do {
    const page = await documents.list(kind, { after, limit });
    yield* page.documents.map(read);
    after = page.next;
  } while (after !== undefined);
}
