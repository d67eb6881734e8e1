import { expect, test } from 'vitest';
import { TurnClock } from '../../src/chain/turn-clock.ts';

test('the time stands still within a turn, and is asked for once in each', () => {
  let turn = 7;
  let asked = 0;
  const source = { now: () => 1_000_000 + ++asked, monotonic: () => 500 + ++asked };
  const clock = new TurnClock(source, () => turn);
  expect([clock.monotonic(), clock.monotonic(), clock.now(), clock.now()]).toEqual([501, 501, 1_000_002, 1_000_002]);
  turn = 8;
  expect([clock.now(), clock.monotonic(), clock.now()]).toEqual([1_000_003, 504, 1_000_003]);
  expect(asked).toBe(4);
});
