import { describe, expect, it } from 'vitest';
import { MemoryRates } from '../../../src/store/embedded/rates.ts';
import { ratesContract } from '../contract/rates.ts';

ratesContract(async () => ({ rates: new MemoryRates(() => 0), close: async () => {} }));

describe('rates of one process', () => {
  it('keeps the buckets apart, grants part of a wish, and says when to come back', () => {
    let now = 0;
    const rates = new MemoryRates(() => now);
    expect(rates.take('a', 10, 5, 3)).toEqual({ granted: 3, retryAfterMs: 0 });
    expect(rates.take('a', 10, 5, 3)).toEqual({ granted: 2, retryAfterMs: 0 });
    expect(rates.take('b', 10, 5, 3)).toEqual({ granted: 3, retryAfterMs: 0 });
    const { granted, retryAfterMs } = rates.take('a', 10, 5, 1);
    expect(granted).toBe(0);
    expect(retryAfterMs).toBeCloseTo(100, 2);
    now += retryAfterMs;
    expect(rates.take('a', 10, 5, 1).granted).toBe(1);
  });

  it('drops buckets that are full again, as new ones come to a table that is not small', () => {
    let now = 0;
    const rates = new MemoryRates(() => now);
    for (let i = 0; i < 10_000; i++) rates.take(`old ${i}`, 10, 1, 1);
    expect(rates.size).toBe(10_000);
    now = 100;
    for (let i = 0; i < 2_000; i++) rates.take(`new ${i}`, 10, 1, 1);
    expect(rates.size).toBeLessThanOrEqual(4_096);
    for (let i = 2_000; i < 5_000; i++) rates.take(`new ${i}`, 10, 1, 1);
    expect(rates.size).toBe(5_000);
  });

  it('an open bucket is the one of its name, also when it was dropped meanwhile', () => {
    let now = 0;
    const rates = new MemoryRates(() => now);
    const open = rates.open('a');
    expect(open.take(10, 5, 3)).toEqual({ granted: 3, retryAfterMs: 0 });
    expect(rates.take('a', 10, 5, 3).granted).toBe(2);
    expect(open.take(10, 5, 1)).toMatchObject({ granted: 0 });
    now = 1_000;
    for (let i = 0; i < 10_000; i++) rates.take(`other ${i}`, 1, 10, 10);
    expect(rates.take('a', 10, 5, 4).granted).toBe(4);
    expect(open.take(10, 5, 4).granted).toBe(1);
    expect(rates.take('a', 10, 5, 1).granted).toBe(0);
  });

  it('never holds more than its bound, even when every bucket is in use', () => {
    const rates = new MemoryRates(() => 0, 100);
    for (let i = 0; i < 10_000; i++) rates.take(`bucket ${i}`, 1, 10, 5);
    expect(rates.size).toBe(100);
  });
});
