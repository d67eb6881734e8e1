import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type TenantState, TenantStates } from '../../src/chain/tenant-states.ts';

interface Numbered extends TenantState {
  readonly number: number;
}

test('what is found of a tenant is what the table holds of it, whatever was dropped or replaced since it was used', () => {
  const tenant = fc.constantFrom('a', 'b', 'c', 'd', 'e');
  const step = fc.oneof(fc.record({ use: tenant }), fc.record({ set: tenant }));
  fc.assert(
    fc.property(fc.array(step, { minLength: 40, maxLength: 60 }), (steps) => {
      let made = 0;
      const dropped = new Set<Numbered>();
      const states = new TenantStates<Numbered>(
        3,
        () => true,
        (state) => dropped.add(state),
      );
      const last = new Map<string, Numbered>();
      for (const one of steps) {
        if ('set' in one) {
          const state = { number: made++, recentlyUsed: false };
          states.set(one.set, state);
          last.set(one.set, state);
          continue;
        }
        const expected = last.get(one.use);
        const isThere = expected !== undefined && !dropped.has(expected);
        expect(states.get(one.use)).toBe(isThere ? expected : undefined);
      }
    }),
  );
});
