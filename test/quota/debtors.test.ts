import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Debtors } from '../../src/quota/debtors.ts';
import { FakeQuotas } from './fake-quotas.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

class Counter {
  any = true;
  asked = 0;
  readonly #settles: boolean;

  constructor(settles: boolean) {
    this.#settles = settles;
  }

  async settle(): Promise<void> {
    this.asked++;
    if (this.#settles) this.any = false;
  }
}

test('counters that cannot be settled, however many, do not keep the others waiting', async () => {
  const debtors = new Debtors(new FakeQuotas());
  const stuck = Array.from({ length: 600 }, () => new Counter(false));
  const others = Array.from({ length: 600 }, () => new Counter(true));
  for (const counter of [...stuck, ...others]) debtors.add(counter);
  await vi.advanceTimersByTimeAsync(5 * 50);
  expect(others.every(({ asked }) => asked === 1)).toBe(true);
  // Nobody is asked more often for being first.
  expect(Math.max(...stuck.map(({ asked }) => asked))).toBeLessThanOrEqual(2);
  expect(await debtors.close()).toBe(600);
});

test('who owes nothing any more is forgotten, and with the last of them the timer', async () => {
  const debtors = new Debtors(new FakeQuotas());
  debtors.add(new Counter(true));
  await vi.advanceTimersByTimeAsync(2 * 50);
  expect(vi.getTimerCount()).toBe(0);
  expect(await debtors.close()).toBe(0);
});
