import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Spread } from '../../src/control/spread.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Turns that were given within each of so many milliseconds. */
async function turnsOf(waiting: number, milliseconds: number, octets = 100): Promise<number[]> {
  const spread = new Spread();
  let given = 0;
  for (let i = 0; i < waiting; i++) void spread.turn(octets).then(() => given++);
  const turns: number[] = [];
  for (let ms = 0; ms < milliseconds; ms++) {
    const before = given;
    await vi.advanceTimersByTimeAsync(1);
    turns.push(given - before);
  }
  return turns;
}

test('few have their turn in one millisecond, and all within 200', async () => {
  expect(await turnsOf(3, 5)).toEqual([1, 1, 1, 0, 0]);
  const many = await turnsOf(500, 200);
  expect([Math.max(...many), many.reduce((sum, turns) => sum + turns, 0)]).toEqual([3, 500]);
  expect(vi.getTimerCount()).toBe(0);
});

test('after much the next turn comes later: 4 MiB a second are sent to all together', async () => {
  const turns = await turnsOf(100, 1000, 2 ** 18);
  // Sixteen, and the first, which waits for nothing.
  expect(turns.reduce((sum, of) => sum + of, 0)).toBe(17);
  expect(Math.max(...turns)).toBe(1);
  expect(turns.findIndex((of, ms) => ms > 0 && of > 0)).toBe(62);
});

test('who comes later waits for those before', async () => {
  const spread = new Spread();
  const order: string[] = [];
  void spread.turn(1).then(() => order.push('first'));
  void spread.turn(1).then(() => order.push('second'));
  await vi.advanceTimersByTimeAsync(1);
  void spread.turn(1).then(() => order.push('third'));
  await vi.advanceTimersByTimeAsync(5);
  expect(order).toEqual(['first', 'second', 'third']);
});
