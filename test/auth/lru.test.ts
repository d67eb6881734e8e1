import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Lru, LruEntry } from '../../src/auth/lru.ts';

class Entry extends LruEntry {}

/** The plainest LRU there is: keys in an array, the most recently used first. */
class Model {
  keys: string[] = [];
  readonly capacity: number;
  constructor(capacity: number) {
    this.capacity = capacity;
  }
  use(key: string): boolean {
    if (!this.keys.includes(key)) return false;
    this.keys = [key, ...this.keys.filter((other) => other !== key)];
    return true;
  }
  set(key: string): string | undefined {
    const known = this.keys.includes(key);
    const evicted = !known && this.keys.length === this.capacity ? this.keys.pop() : undefined;
    this.keys = [key, ...this.keys.filter((other) => other !== key)];
    return evicted;
  }
}

describe('the LRU', () => {
  it('keeps what a plain model keeps, in the same order, and evicts the same', () => {
    const step = fc.record({
      op: fc.constantFrom('get', 'set', 'touch', 'delete'),
      key: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
    });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), fc.array(step, { maxLength: 60 }), (capacity, steps) => {
        const evicted: string[] = [];
        const lru = new Lru<Entry>(capacity, (entry) => void evicted.push(entry.key));
        const model = new Model(capacity);
        for (const { op, key } of steps) {
          evicted.length = 0;
          if (op === 'get') expect(lru.get(key) !== undefined).toBe(model.use(key));
          if (op === 'set') {
            const expected = model.set(key);
            lru.set(new Entry(key));
            expect(evicted).toEqual(expected === undefined ? [] : [expected]);
          }
          if (op === 'touch' && model.use(key)) {
            const entry = lru.get(key);
            if (entry !== undefined) lru.touch(entry);
          }
          if (op === 'delete') {
            expect(lru.delete(key) !== undefined).toBe(model.keys.includes(key));
            model.keys = model.keys.filter((other) => other !== key);
          }
          expect(lru.keys()).toEqual(model.keys);
          expect(lru.size).toBe(model.keys.length);
        }
      }),
    );
  });

  it('needs room for one', () => {
    expect(() => new Lru(0, () => {})).toThrow(RangeError);
  });
});
