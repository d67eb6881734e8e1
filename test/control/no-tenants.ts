import type { TenantManager } from '../../src/tenants/tenant-manager.ts';

/** For tests of services that have nothing to do with tenants: whoever calls it fails the test. */
export function noTenants(): TenantManager {
  const none: TenantManager = new Proxy({} as TenantManager, {
    get(_, name) {
      // Changes of other things pass it on, and leave it alone.
      if (name === 'with') return () => none;
      throw new Error(`tenants.${String(name)} was not expected to be used`);
    },
  });
  return none;
}
