import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Tenant } from '../../src/sync/snapshot.ts';
import { ShardedTenants } from '../../src/sync/tenant-table.ts';

const tenant = (id: string, plan = 'free'): Tenant => ({ id, displayName: '', plan, suspended: false });

describe('the tenant table', () => {
  it('agrees with a map, and leaves earlier tables as they were', () => {
    const step = fc.record({
      id: fc.constantFrom('a', 'b', 'c', 'd', '', 'é'),
      plan: fc.option(fc.constantFrom('p', 'q')),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        let table = ShardedTenants.empty();
        const model = new Map<string, Tenant>();
        const history: [ShardedTenants, Map<string, Tenant>][] = [];
        for (const { id, plan } of steps) {
          history.push([table, new Map(model)]);
          if (plan === null) {
            table = table.without(id);
            model.delete(id);
          } else {
            table = table.with(tenant(id, plan));
            model.set(id, tenant(id, plan));
          }
        }
        history.push([table, model]);
        for (const [then, expected] of history) {
          expect(then.size).toBe(expected.size);
          for (const id of ['a', 'b', 'c', 'd', '', 'é', 'none']) expect(then.get(id)).toEqual(expected.get(id));
        }
      }),
    );
  });

  it('is the same table when nothing changed', () => {
    const table = ShardedTenants.empty().with(tenant('a'));
    expect(table.without('none')).toBe(table);
  });

  it('holds 100,000 tenants, of which a change replaces one', () => {
    const all = Array.from({ length: 100_000 }, (_, i) => tenant(`tenant-${i}`));
    const table = ShardedTenants.empty().change(all, []);
    const changed = table.with(tenant('tenant-5', 'other'));
    expect(changed.size).toBe(100_000);
    expect(changed.get('tenant-5')?.plan).toBe('other');
    expect(table.get('tenant-5')?.plan).toBe('free');
    expect(changed.get('tenant-99999')).toBe(table.get('tenant-99999'));
  });
});
