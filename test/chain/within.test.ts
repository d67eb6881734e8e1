import { describe, expect, it } from 'vitest';
import { endsWithin } from '../../src/chain/within.ts';

describe('a bounded wait', () => {
  it('ends with what is waited for, or with the time', async () => {
    expect(await endsWithin(Promise.resolve(), 20)).toBe(true);
    expect(await endsWithin(new Promise(() => {}), 1)).toBe(false);
    expect(await endsWithin(new Promise(() => {}), 0)).toBe(false);
  });

  it('rejects when that fails in time, and nobody is told of one that fails later', async () => {
    await expect(endsWithin(Promise.reject(new Error('no')), 20)).rejects.toThrow('no');
    const late = Promise.withResolvers<void>();
    expect(await endsWithin(late.promise, 1)).toBe(false);
    late.reject(new Error('too late'));
    expect(await endsWithin(Promise.reject(new Error('no')), 0)).toBe(false);
  });
});
