import { ShardedMap } from './sharded-map.ts';
import type { Tenant, TenantTable } from './snapshot.ts';

/** Tenants by id; a changed table shares with the one before what did not change. */
export class ShardedTenants implements TenantTable {
  readonly #tenants: ShardedMap<Tenant>;

  private constructor(tenants: ShardedMap<Tenant>) {
    this.#tenants = tenants;
  }

  static empty(): ShardedTenants {
    return new ShardedTenants(ShardedMap.empty());
  }

  get size(): number {
    return this.#tenants.size;
  }

  get(id: string): Tenant | undefined {
    return this.#tenants.get(id);
  }

  with(tenant: Tenant): ShardedTenants {
    return this.change([tenant], []);
  }

  without(id: string): ShardedTenants {
    return this.change([], [id]);
  }

  /** Many at once. Removals come first. */
  change(put: readonly Tenant[], remove: Iterable<string>): ShardedTenants {
    const tenants = this.#tenants.change(
      put.map((tenant) => [tenant.id, tenant]),
      remove,
    );
    return tenants === this.#tenants ? this : new ShardedTenants(tenants);
  }
}
