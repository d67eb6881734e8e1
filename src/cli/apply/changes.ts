import { isDeepStrictEqual } from 'node:util';
import { ApiKey, ApiKey_State } from '../../../generated/tollgate/admin/v1/api_key.ts';
import { Backend } from '../../../generated/tollgate/admin/v1/backend.ts';
import { Contract } from '../../../generated/tollgate/admin/v1/contract.ts';
import { Plan } from '../../../generated/tollgate/admin/v1/plan.ts';
import { Tenant } from '../../../generated/tollgate/admin/v1/tenant.ts';
import type { ManifestTenant, ManifestTenant_Key } from '../../../generated/tollgate/config/v1/manifest.ts';
import { descriptorsOf, type LoadedManifest } from '../../config/load-manifest.ts';
import { ADMIN_PLAN, ADMIN_TENANT } from '../../tenants/reserved.ts';
import type { FieldReaders, Fields } from './fields.ts';
import { pairKeys } from './pair-keys.ts';
import type { State } from './state.ts';

/** A backend, contract, plan, tenant or key, as it should be. */
export type Resource =
  | { readonly kind: 'backend'; readonly value: Backend }
  | { readonly kind: 'contract'; readonly value: Contract }
  | { readonly kind: 'plan'; readonly value: Plan }
  | { readonly kind: 'tenant'; readonly value: Tenant }
  | { readonly kind: 'key'; readonly value: ApiKey };

/** One step from what is to what should be. The etag in `value` is that of what was looked at. */
export type Change = Resource &
  (
    | { readonly op: 'create'; readonly after: Fields }
    | { readonly op: 'update'; readonly before: Fields; readonly after: Fields; readonly mask: readonly string[] }
    | { readonly op: 'delete'; readonly before: Fields }
  );

export interface Comparison {
  /** In the order in which they are made. */
  readonly changes: readonly Change[];
  /** What the file says nothing of, and stays. */
  readonly kept: readonly Resource[];
}

/**
 * What has to be done for the gateway to be as the file says: first what others need (backends, contracts, plans, tenants, keys), deletes last and the
 * other way round. Sections that the file does not have are left alone; so are the gateway's own tenant and plan.
 *
 * @param prune delete what the file's sections do not have
 */
export function compare(loaded: LoadedManifest, state: State, readers: FieldReaders, prune: boolean): Comparison {
  const { manifest, says } = loaded;
  const puts: Change[] = [];
  const gone: Resource[] = [];
  const isAlike = (entry: ManifestTenant_Key, key: ApiKey): boolean => {
    const made = ApiKey.fromPartial({ ...entry, state: entry.state || ApiKey_State.STATE_ACTIVE });
    return isDeepStrictEqual(readers.key(made), readers.key(key));
  };
  for (const { name, ...rest } of manifest.backends) {
    const current = state.backends.get(name);
    const value = Backend.fromPartial({ ...rest, id: name, etag: current?.etag ?? '' });
    puts.push(...put({ kind: 'backend', value }, current, readers.backend));
  }
  for (const { name, descriptorSet, ...rest } of manifest.contracts) {
    const current = state.contracts.get(name);
    const said = { ...rest, descriptorSet: descriptorsOf(descriptorSet) };
    const value = Contract.fromPartial({ ...said, id: name, etag: current?.etag ?? '' });
    puts.push(...put({ kind: 'contract', value }, current, readers.contract));
  }
  for (const { name, ...rest } of manifest.plans) {
    const value = Plan.fromPartial({ ...rest, id: name, etag: state.plans.get(name)?.etag ?? '' });
    puts.push(...put({ kind: 'plan', value }, state.plans.get(name), readers.plan));
  }
  manifest.tenants.forEach((tenant) => {
    const current = state.tenants.get(tenant.id);
    puts.push(...put({ kind: 'tenant', value: wantedTenant(tenant, current) }, current, readers.tenant));
  });
  manifest.tenants.forEach((tenant, index) => {
    if (!says(['tenants', index, 'keys'])) return;
    const { pairs, others } = pairKeys(tenant.keys, state.keys.get(tenant.id) ?? [], isAlike);
    for (const { entry, key } of pairs) {
      const value = ApiKey.fromPartial({
        ...entry,
        id: key?.id ?? '',
        tenantId: tenant.id,
        etag: key?.etag ?? '',
        state: entry.state || key?.state || 0,
        expireTime: entry.expireTime ?? key?.expireTime,
      });
      puts.push(...put({ kind: 'key', value }, key, readers.key));
    }
    gone.push(...others.map((value): Resource => ({ kind: 'key', value })));
  });
  gone.push(...goneTenants(loaded, state), ...gonePlans(loaded, state, prune));
  gone.push(...goneContracts(loaded, state), ...goneBackends(loaded, state, prune));
  return prune
    ? { changes: [...puts, ...gone.map((each) => remove(each, readers))], kept: [] }
    : { changes: puts, kept: gone };
}

function wantedTenant({ keys: _, ...rest }: ManifestTenant, current: Tenant | undefined): Tenant {
  return Tenant.fromPartial({ ...rest, etag: current?.etag ?? '', state: rest.state || current?.state || 0 });
}

function put<R extends Resource>(
  wanted: R,
  current: R['value'] | undefined,
  read: (value: R['value']) => Fields,
): Change[] {
  const after = read(wanted.value);
  if (current === undefined) return [{ ...wanted, op: 'create', after }];
  const before = read(current);
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  const mask = names.filter((name) => !isDeepStrictEqual(before[name], after[name]));
  return mask.length === 0 ? [] : [{ ...wanted, op: 'update', before, after, mask }];
}

function goneTenants({ manifest, says }: LoadedManifest, state: State): Resource[] {
  if (!says(['tenants'])) return [];
  const wanted = new Set(manifest.tenants.map(({ id }) => id));
  const gone = [...state.tenants.values()].filter(({ id }) => id !== ADMIN_TENANT && !wanted.has(id));
  return gone.map((value) => ({ kind: 'tenant', value }));
}

/** A plan that a tenant goes on to have cannot go. */
function gonePlans({ manifest, says }: LoadedManifest, state: State, prune: boolean): Resource[] {
  if (!says(['plans'])) return [];
  const wanted = new Set([...manifest.plans.map(({ name }) => name), ADMIN_PLAN]);
  if (prune) {
    const listed = new Map(manifest.tenants.map(({ id, plan }) => [id, plan]));
    for (const { id, plan } of state.tenants.values()) {
      const stays = listed.get(id) ?? (says(['tenants']) && id !== ADMIN_TENANT ? undefined : plan);
      if (stays !== undefined) wanted.add(stays);
    }
  }
  return [...state.plans.values()].filter(({ id }) => !wanted.has(id)).map((value) => ({ kind: 'plan', value }));
}

function goneContracts({ manifest, says }: LoadedManifest, state: State): Resource[] {
  if (!says(['contracts'])) return [];
  const wanted = new Set(manifest.contracts.map(({ name }) => name));
  const gone = [...state.contracts.values()].filter(({ id }) => !wanted.has(id));
  return gone.map((value) => ({ kind: 'contract', value }));
}

/** A backend that a contract goes on to have cannot go. */
function goneBackends({ manifest, says }: LoadedManifest, state: State, prune: boolean): Resource[] {
  if (!says(['backends'])) return [];
  const wanted = new Set([...manifest.backends.map(({ name }) => name)]);
  const stay = says(['contracts']) ? manifest.contracts : [...state.contracts.values()];
  if (prune) for (const { backend } of stay) wanted.add(backend);
  return [...state.backends.values()].filter(({ id }) => !wanted.has(id)).map((value) => ({ kind: 'backend', value }));
}

function remove(resource: Resource, readers: FieldReaders): Change {
  switch (resource.kind) {
    case 'plan':
      return { ...resource, op: 'delete', before: readers.plan(resource.value) };
    case 'tenant':
      return { ...resource, op: 'delete', before: readers.tenant(resource.value) };
    case 'backend':
      return { ...resource, op: 'delete', before: readers.backend(resource.value) };
    case 'contract':
      return { ...resource, op: 'delete', before: readers.contract(resource.value) };
    case 'key':
      return { ...resource, op: 'delete', before: readers.key(resource.value) };
  }
}
