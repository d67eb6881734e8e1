import type { TenantManager } from '../../src/tenants/tenant-manager.ts';

/** For tests of services that have nothing to do with tenants: whoever calls it fails the test. */
export function noTenants(): TenantManager {
  return new Proxy({} as TenantManager, {
    get(_, name) {
      throw new Error(`tenants.${String(name)} was not expected to be used`);
    },
  });
}
