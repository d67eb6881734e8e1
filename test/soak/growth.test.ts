import { describe, expect, test } from 'vitest';
import type { Holdings } from '../support/probed-gateway.ts';
import { growthOf } from './growth.ts';

const MIB = 1024 * 1024;
const ROUNDS = 12;
const CALLS_A_ROUND = 25_000;

/** What a soak might see, round by round; `change` says how one differs from a flat one. */
function rounds(change: (round: number) => Partial<Holdings>): Holdings[] {
  return Array.from({ length: ROUNDS }, (_, index) => {
    const round = index + 1;
    const flat: Holdings = {
      rss: 280 * MIB,
      heapUsed: 35 * MIB,
      external: 15 * MIB,
      squeezed: round % 3 === 0 ? 130 * MIB : undefined,
      resources: {},
      sockets: [],
    };
    return { ...flat, ...change(round) };
  });
}

describe('what grew over a soak', () => {
  test('nothing, when all is as it was', () => {
    expect(growthOf(rounds(() => ({})))).toEqual([]);
  });

  test('not the warm-up of the first quarter, nor a sample that stands out', () => {
    expect(growthOf(rounds((round) => (round <= 3 ? { heapUsed: 20 * MIB, rss: 180 * MIB } : {})))).toEqual([]);
    expect(growthOf(rounds((round) => (round === 11 ? { heapUsed: 60 * MIB } : {})))).toEqual([]);
  });

  test('not that V8 takes pages and gives them back', () => {
    expect(growthOf(rounds((round) => ({ rss: (round % 4 === 1 ? 310 : 170 + 3 * round) * MIB })))).toEqual([]);
  });

  test.each(['heapUsed', 'external'] as const)('200 octets a call of %s', (what) => {
    const leaking = rounds((round) => ({ [what]: 30 * MIB + 200 * CALLS_A_ROUND * round }));
    expect(growthOf(leaking)).toEqual([expect.stringMatching(/grew from 5\d\.\d to 8\d\.\d MiB/)]);
  });

  test('memory that no collector knows, such as what malloc does not give back', () => {
    expect(growthOf(rounds((round) => ({ rss: (250 + 3 * round) * MIB })))).toEqual([
      'the peak of resident memory grew from 268.0 to 286.0 MiB',
    ]);
    const squeezed = rounds((round) => (round % 3 === 0 ? { squeezed: (130 + round) * MIB } : {}));
    expect(growthOf(squeezed)).toEqual(['resident memory after V8 gave back what it can grew from 133.0 to 142.0 MiB']);
  });
});
