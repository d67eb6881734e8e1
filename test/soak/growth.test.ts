import { describe, expect, test } from 'vitest';
import type { Holdings } from '../support/probed-gateway.ts';
import { growthOf, isSqueezed } from './growth.ts';

const MIB = 1024 * 1024;
const ROUNDS = 24;
const CALLS_A_ROUND = 25_000;

/** What a soak might see, round by round; `change` says how one differs from a flat one. */
function rounds(change: (round: number) => Partial<Holdings>): Holdings[] {
  return Array.from({ length: ROUNDS }, (_, index) => {
    const round = index + 1;
    const flat: Holdings = {
      rss: 280 * MIB,
      heapUsed: 35 * MIB,
      external: 15 * MIB,
      squeezed: isSqueezed(round, ROUNDS) ? 130 * MIB : undefined,
      resources: {},
      sockets: [],
    };
    return { ...flat, ...change(round) };
  });
}

/** A soak in which V8 left so many MiB after each squeeze, counted from 0. */
function squeezes(mib: (index: number) => number): Holdings[] {
  let squeezed = 0;
  return rounds((round) => (isSqueezed(round, ROUNDS) ? { squeezed: mib(squeezed++) * MIB } : {}));
}

describe('what grew over a soak', () => {
  test('nothing, when all is as it was', () => {
    expect(growthOf(rounds(() => ({})))).toEqual([]);
  });

  test('not the warm-up of the first quarter, nor a sample that stands out', () => {
    expect(growthOf(rounds((round) => (round <= 6 ? { heapUsed: 20 * MIB, rss: 180 * MIB } : {})))).toEqual([]);
    expect(growthOf(rounds((round) => (round === 11 ? { heapUsed: 60 * MIB } : {})))).toEqual([]);
  });

  test('not that V8 takes pages and gives them back', () => {
    expect(growthOf(rounds((round) => ({ rss: (round % 4 === 1 ? 310 : 170 + 3 * round) * MIB })))).toEqual([]);
  });

  test.each(['heapUsed', 'external'] as const)('200 octets a call of %s', (what) => {
    const leaking = rounds((round) => ({ [what]: 30 * MIB + 200 * CALLS_A_ROUND * round }));
    expect(growthOf(leaking)).toEqual([expect.stringMatching(/grew from 75\.\d to 132\.\d MiB/)]);
  });

  test('memory that no collector knows, such as what malloc does not give back', () => {
    expect(growthOf(rounds((round) => ({ rss: (250 + 2 * round) * MIB })))).toEqual([
      'the peak of resident memory grew from 274.0 to 298.0 MiB',
    ]);
    expect(growthOf(squeezes((index) => 130 + 2 * index + 2 * (index % 2)))).toEqual([
      'resident memory after V8 gave back what it can grew from 138.0 to 150.0 MiB',
    ]);
  });

  test('not what V8 leaves from time to time when it gave back what it can', () => {
    const hour = [231.4, 226.7, 220.1, 228.3, 227.9, 220.1, 224.5, 229.2, 236, 227.9, 236, 228.5];
    expect(growthOf(squeezes((index) => hour[index]!))).toEqual([]);
  });
});

test.each([8, 12, 60, 90])('V8 is squeezed two or three times in each quarter of %i rounds', (count) => {
  const quarter = Math.floor(count / 4);
  for (const first of [1, quarter + 1, 2 * quarter + 1, count - quarter + 1]) {
    const within = Array.from({ length: quarter }, (_, index) => isSqueezed(first + index, count)).filter(Boolean);
    expect([2, 3]).toContain(within.length);
  }
});
