import { describe, expect, test } from 'vitest';
import { growthOf } from './growth.ts';
import type { Holdings } from './holdings.ts';

const MIB = 1024 * 1024;
const ROUNDS = 12;
const CALLS_A_ROUND = 25_000;

/** What a soak might see, round by round; `change` says how one differs from a flat one. */
function rounds(change: (round: number) => Partial<Holdings>): Holdings[] {
  return Array.from({ length: ROUNDS }, (_, index) => {
    const round = index + 1;
    const flat: Holdings = {
      rss: 280 * MIB,
      collected: 250 * MIB,
      young: 100 * MIB,
      heapUsed: 35 * MIB,
      external: 15 * MIB,
      squeezed: round % 3 === 0 ? 130 * MIB : undefined,
      resources: {},
    };
    return { ...flat, ...change(round) };
  });
}

describe('what grew over a soak', () => {
  test('nothing, when all is as it was', () => {
    expect(growthOf(rounds(() => ({})))).toEqual([]);
  });

  test('not the warm-up of the first quarter, nor a sample that stands out', () => {
    expect(growthOf(rounds((round) => (round <= 3 ? { heapUsed: 20 * MIB, collected: 180 * MIB } : {})))).toEqual([]);
    expect(growthOf(rounds((round) => (round === 11 ? { heapUsed: 60 * MIB, collected: 290 * MIB } : {})))).toEqual([]);
  });

  test('not the young generation, up to what V8 allows it', () => {
    const growing = (by: number) =>
      rounds((round) => ({ young: (40 + by * round) * MIB, collected: (190 + by * round) * MIB }));
    expect(growthOf(growing(7))).toEqual([]);
    expect(growthOf(growing(9))).toEqual(['the young generation takes 148.0 MiB']);
  });

  test.each(['heapUsed', 'external'] as const)('200 octets a call of %s', (what) => {
    const leaking = rounds((round) => ({ [what]: 30 * MIB + 200 * CALLS_A_ROUND * round }));
    expect(growthOf(leaking)).toEqual([expect.stringMatching(/grew from 5\d\.\d to 8\d\.\d MiB/)]);
  });

  test('memory that no collector knows, such as what malloc does not give back', () => {
    expect(growthOf(rounds((round) => ({ collected: (250 + 3 * round) * MIB })))).toEqual([
      'resident memory without the young generation grew from 165.0 to 183.0 MiB',
    ]);
    const squeezed = rounds((round) => (round % 3 === 0 ? { squeezed: (130 + round) * MIB } : {}));
    expect(growthOf(squeezed)).toEqual(['resident memory after V8 gave back what it can grew from 133.0 to 142.0 MiB']);
  });
});
