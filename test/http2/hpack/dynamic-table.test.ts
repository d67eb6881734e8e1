import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DynamicTable } from '../../../src/http2/hpack/dynamic-table.ts';

interface Sized {
  readonly size: number;
}

/** The table as the RFC puts it: a list, newest first. */
class Model {
  entries: Sized[] = [];
  capacity: number;

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  get octets(): number {
    return this.entries.reduce((sum, entry) => sum + entry.size, 0);
  }

  insert(entry: Sized): void {
    while (this.entries.length > 0 && this.octets + entry.size > this.capacity) this.entries.pop();
    if (entry.size <= this.capacity) this.entries.unshift(entry);
  }

  resize(capacity: number): void {
    this.capacity = capacity;
    while (this.octets > capacity) this.entries.pop();
  }
}

const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ insert: fc.integer({ min: 32, max: 300 }) }) },
  { weight: 1, arbitrary: fc.record({ resize: fc.integer({ min: 0, max: 4096 }) }) },
);

describe('the dynamic table', () => {
  it('holds what a list that evicts from its end would hold', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const table = new DynamicTable<Sized>(1024);
        const model = new Model(1024);
        for (const each of steps) {
          const generation = table.generation;
          if ('insert' in each) {
            const entry = { size: each.insert };
            table.insert(entry);
            model.insert(entry);
            expect(table.generation).toBeGreaterThan(generation);
          } else {
            table.resize(each.resize);
            model.resize(each.resize);
          }
          expect(table.octets).toBe(model.octets);
          expect(table.length).toBe(model.entries.length);
          expect(table.inserted - table.evicted).toBe(table.length);
          model.entries.forEach((entry, index) => {
            expect(table.at(index) === entry).toBe(true);
          });
          expect(table.at(table.length)).toBeUndefined();
        }
      }),
      { numRuns: 50 },
    );
  });

  it('is emptied by an entry larger than itself', () => {
    const table = new DynamicTable<Sized>(100);
    table.insert({ size: 50 });
    table.insert({ size: 101 });
    expect([table.length, table.octets]).toEqual([0, 0]);
  });
});
