import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Spread } from '../../src/control/spread.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Turns that were given within each of so many milliseconds. */
async function turnsOf(waiting: number, milliseconds: number): Promise<number[]> {
  const spread = new Spread();
  let given = 0;
  for (let i = 0; i < waiting; i++) void spread.turn().then(() => given++);
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

test('who comes later waits for those before', async () => {
  const spread = new Spread();
  const order: string[] = [];
  void spread.turn().then(() => order.push('first'));
  void spread.turn().then(() => order.push('second'));
  await vi.advanceTimersByTimeAsync(1);
  void spread.turn().then(() => order.push('third'));
  await vi.advanceTimersByTimeAsync(5);
  expect(order).toEqual(['first', 'second', 'third']);
});
