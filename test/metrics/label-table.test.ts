import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LabelTable, OTHER_LABEL } from '../../src/metrics/label-table.ts';

test('a name has its number for as long as it is held, and nobody else has it meanwhile', () => {
  const name = fc.constantFrom('a', 'b', 'long-a', 'long-b');
  const step = fc.oneof(fc.record({ hold: name }), fc.record({ release: name }), fc.record({ find: name }));
  fc.assert(
    fc.property(fc.array(step, { minLength: 40, maxLength: 60 }), (steps) => {
      const table = new LabelTable(2, '_other');
      const held = new Map<string, { readonly number: number; holders: number }>();
      for (const one of steps) {
        if ('find' in one) expect(table.find(one.find)).toBe(held.get(one.find)?.number);
        else if ('hold' in one) {
          const known = held.get(one.hold);
          const number = table.hold(one.hold);
          if (known === undefined && held.size === 2) expect(number).toBe(OTHER_LABEL);
          else if (known === undefined) held.set(one.hold, { number, holders: 1 });
          else known.holders++;
          if (known !== undefined) expect(number).toBe(known.number);
        } else {
          const known = held.get(one.release);
          if (known === undefined) continue;
          table.release(known.number);
          if (--known.holders === 0) held.delete(one.release);
        }
        expect(new Set([...held.values()].map(({ number }) => number)).size).toBe(held.size);
      }
    }),
  );
});
