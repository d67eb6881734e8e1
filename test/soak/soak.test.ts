import { status } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { excess, soak } from './soak.ts';

// The hour of `npm run soak` in a few seconds: long enough for what is never given back to show, not for slow growth.

const MIB = 1024 * 1024;
const ROUNDS = 3;
/** One or two calls of those that are under way when a backend dies cannot be made again: it has to die often for there to be some. */
const BACKEND_LIFE_MS = 300;

test('mixed traffic with faults leaves no handle, timer or hung call behind, and memory flat', async () => {
  const { holdings, tally, errors, exitCode } = await soak({
    rounds: ROUNDS,
    roundMs: 3_000,
    backendLifeMs: BACKEND_LIFE_MS,
    seed: 1,
  });
  expect(tally.hung).toBe(0);
  expect(errors).toEqual([]);
  expect(exitCode).toBe(0);
  const [begin, warm] = holdings;
  const end = holdings.at(-1)!;
  expect(excess(end, begin!), end.sockets.join('\n')).toEqual({});
  // The heap after a collection is exact; resident memory still warms up, and settles in `npm run soak` alone.
  expect(end.heapUsed - warm!.heapUsed).toBeLessThan(8 * MIB);
  expect(end.external - warm!.external).toBeLessThan(4 * MIB);
  expect(end.rss - warm!.rss).toBeLessThan(96 * MIB);
  // It was a soak: calls of every fate.
  for (const code of [status.OK, status.CANCELLED, status.NOT_FOUND, status.DEADLINE_EXCEEDED, status.UNAVAILABLE]) {
    expect(tally.ends.get(code) ?? 0).toBeGreaterThan(0);
  }
  expect(tally.faults).toBeGreaterThan(50);
});
