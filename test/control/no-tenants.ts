import type { Registries } from '../../src/control/control-server.ts';

/** For tests of services that have nothing to do with tenants: whoever calls it fails the test. */
export function noTenants(): Registries {
  return { tenants: untouchable('tenants'), plans: untouchable('plans'), keys: untouchable('keys') };
}

function untouchable<T extends object>(what: string): T {
  return new Proxy<T>({} as T, {
    get(_, name) {
      throw new Error(`${what}.${String(name)} was not expected to be used`);
    },
  });
}
