import { expect, test } from 'vitest';
import { runChaos } from './chaos.ts';
import { allowancesOf, createSchedule } from './schedule.ts';

// The minutes of `npm run chaos` in a few seconds. A seed of one's own: FLEET_SEED=7.

test('a seed is a schedule', () => {
  expect(createSchedule(7, 60_000, 4)).toEqual(createSchedule(7, 60_000, 4));
  expect(createSchedule(7, 60_000, 4)).not.toEqual(createSchedule(8, 60_000, 4));
  const kinds = createSchedule(7, 60_000, 4).map(({ kind }) => kind);
  expect(new Set(kinds).size).toBe(9);
  expect(kinds.at(-1)).toBe('empty-redis');
});

test('faults of gateways alone allow nothing above the limit', () => {
  const fault = { kind: 'freeze-gateway', at: 0, lasts: 1, gateway: 0 } as const;
  expect(allowancesOf({ fault, from: 0, until: 1 }, { rate: 100, burst: 10 }, 4)).toEqual([]);
});

test('a fleet that is killed, frozen and cut off as a seed says breaks no promise', async () => {
  const seed = Number(process.env.FLEET_SEED ?? 1);
  const lines: string[] = [];
  const { broken, measured } = await runChaos({ seed, seconds: 12, say: (line) => lines.push(line) });
  console.log([`promise 7, seed ${seed}:`, ...lines, ...measured].join('\n'));
  expect(broken).toEqual([]);
});
