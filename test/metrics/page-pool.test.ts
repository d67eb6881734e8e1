import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BUCKETS, octaveOf } from '../../src/metrics/buckets.ts';
import { EMPTY, PagePool } from '../../src/metrics/page-pool.ts';

function read(pool: PagePool, histogram: number): Map<number, number> {
  const counts = new Map<number, number>();
  pool.forEach(histogram, (bucket, count) => counts.set(bucket, (counts.get(bucket) ?? 0) + count));
  return counts;
}

function readOctaves(pool: PagePool, histogram: number): Map<number, number> {
  const counts = new Map<number, number>();
  pool.forEachOctave(histogram, (octave, count) => counts.set(octave, (counts.get(octave) ?? 0) + count));
  return counts;
}

function inOctaves(buckets: ReadonlyMap<number, number>): Map<number, number> {
  const counts = new Map<number, number>();
  for (const [bucket, count] of buckets) counts.set(octaveOf(bucket), (counts.get(octaveOf(bucket)) ?? 0) + count);
  return counts;
}

describe('a pool of histograms', () => {
  it('counts as maps do, whatever is added and moved, and gives pages back', () => {
    const bucket = fc.nat(BUCKETS - 1);
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.record({ to: fc.nat(4), bucket, count: fc.integer({ min: 1, max: 2 ** 32 - 1 }) }) },
      { weight: 1, arbitrary: fc.record({ from: fc.nat(4), to: fc.nat(4) }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const pool = new PagePool(400);
        const heads = [EMPTY, EMPTY, EMPTY, EMPTY, EMPTY];
        const models = heads.map(() => new Map<number, number>());
        for (const one of steps) {
          if ('bucket' in one) {
            heads[one.to] = pool.add(heads[one.to]!, one.bucket, one.count);
            const model = models[one.to]!;
            model.set(one.bucket, (model.get(one.bucket) ?? 0) + one.count);
          } else if (one.from !== one.to) {
            heads[one.to] = pool.move(heads[one.from]!, heads[one.to]!);
            heads[one.from] = EMPTY;
            for (const [at, count] of models[one.from]!) {
              models[one.to]!.set(at, (models[one.to]!.get(at) ?? 0) + count);
            }
            models[one.from]!.clear();
          }
          expect(heads.map((head) => read(pool, head))).toEqual(models);
          expect(heads.map((head) => readOctaves(pool, head))).toEqual(models.map(inOctaves));
        }
      }),
      { numRuns: 50 },
    );
  });

  it('counts beyond 2^32 exactly', () => {
    const pool = new PagePool(10);
    let one = pool.add(EMPTY, 77, 2 ** 32 - 1);
    one = pool.add(one, 77, 2 ** 32 - 1);
    one = pool.add(one, 77, 5);
    const two = pool.move(one, pool.add(EMPTY, 77, 2 ** 32 - 3));
    expect(read(pool, two)).toEqual(new Map([[77, 3 * 2 ** 32]]));
  });

  it('says when there is no page, and has one again when a histogram was moved into another', () => {
    const pool = new PagePool(2);
    const one = pool.add(EMPTY, 0, 1);
    const two = pool.add(EMPTY, 1, 1);
    expect(pool.add(EMPTY, 2, 1)).toBe(~EMPTY);
    expect(pool.add(one, 40, 1)).toBe(~one);
    const both = pool.move(one, two);
    expect(pool.left).toBe(1);
    expect(read(pool, both)).toEqual(
      new Map([
        [0, 1],
        [1, 1],
      ]),
    );
    // A page that was used is empty when it is given anew.
    expect(read(pool, pool.add(EMPTY, 40, 9))).toEqual(new Map([[40, 9]]));
  });
});
