import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { LookTimer } from '../../src/chain/look-timer.ts';

let looks: number[] = [];
let timer: LookTimer;
/** What a look asks for, as one that still has something to wait for does. */
let next: number | undefined;

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
  looks = [];
  next = undefined;
  const clock = { now: () => Date.now(), monotonic: () => performance.now() };
  timer = new LookTimer({
    clock,
    look: () => {
      looks.push(Date.now() - 1_000_000);
      if (next !== undefined) timer.by(next);
    },
  });
});
afterEach(() => {
  timer.close();
  vi.useRealTimers();
});

test('looks at once, and once for many changes', () => {
  for (let i = 0; i < 1000; i++) timer.by(Date.now());
  vi.advanceTimersByTime(1);
  expect(looks).toEqual([0]);
  for (let ms = 0; ms < 1000; ms += 10) {
    timer.by(Date.now());
    vi.advanceTimersByTime(10);
  }
  // One for every 100 ms, however many changes come.
  expect(looks.length).toBeLessThanOrEqual(11);
  expect(looks.length).toBeGreaterThanOrEqual(10);
});

test('looks at the earliest of the times it was asked for, and then at what is left', () => {
  timer.by(1_005_000);
  timer.by(1_002_000);
  timer.by(1_003_000);
  next = 1_003_000;
  vi.advanceTimersByTime(2_000);
  expect(looks).toEqual([2_000]);
  next = undefined;
  vi.advanceTimersByTime(10_000);
  expect(looks).toEqual([2_000, 3_000]);
});

test('is not early for a time that is weeks away, and has no timer when there is nothing to wait for', () => {
  const weeks = 60 * 86_400_000;
  timer.by(1_000_000 + weeks);
  vi.advanceTimersByTime(weeks - 1);
  expect(looks).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(looks).toEqual([weeks]);
  expect(vi.getTimerCount()).toBe(0);
  timer.by(Number.POSITIVE_INFINITY);
  expect(vi.getTimerCount()).toBe(0);
});

test('follows the wall clock when that is set', () => {
  timer.by(1_000_000 + 3_600_000);
  vi.advanceTimersByTime(1_000);
  vi.setSystemTime(1_000_000 + 3_600_000);
  vi.advanceTimersByTime(60_000);
  expect(looks.length).toBe(1);
});

test('does nothing once it is closed', () => {
  timer.by(1_000_500);
  timer.close();
  timer.by(1_000_100);
  vi.advanceTimersByTime(10_000);
  expect(looks).toEqual([]);
});
