import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SilenceGuard, type SilenceState } from '../../../src/store/redis/silence.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A store that answers when told. */
function open() {
  const probes: { resolve: (value: unknown) => void; reject: (error: Error) => void }[] = [];
  const states: SilenceState[] = [];
  const guard = new SilenceGuard({
    probe: () => {
      const { promise, resolve, reject } = Promise.withResolvers<unknown>();
      probes.push({ resolve, reject });
      return promise;
    },
  });
  guard.onChange((state) => void states.push(state));
  return { guard, probes, states };
}

const never = () => new Promise<number>(() => {});

describe('the guard of a store that may fall silent', () => {
  it('hands answers on', async () => {
    const { guard, states } = open();
    expect(await guard.decide(async () => 7)).toBe(7);
    expect([guard.silent, states, vi.getTimerCount()]).toEqual([false, [], 0]);
  });

  it('decides after 20 ms, and asks nobody after three in a row', async () => {
    const { guard, states } = open();
    for (let i = 0; i < 3; i++) {
      const decision = guard.decide(never);
      await vi.advanceTimersByTimeAsync(21);
      expect(await decision).toBe('silent');
    }
    expect([guard.silent, states]).toEqual([true, ['silent']]);
    const ask = vi.fn(never);
    expect(await guard.decide(ask)).toBe('silent');
    expect(ask).not.toHaveBeenCalled();
    guard.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('counts an error as no answer, and an answer in between ends the row', async () => {
    const { guard } = open();
    const fail = () => guard.decide(() => Promise.reject(new Error('OOM')));
    expect(await fail()).toBe('silent');
    await fail();
    await guard.decide(async () => 1);
    await fail();
    await fail();
    expect(guard.silent).toBe(false);
    await fail();
    expect(guard.silent).toBe(true);
    guard.close();
  });

  it('tells of an answer that comes too late, so that what it granted can go back', async () => {
    const { guard } = open();
    const { promise, resolve } = Promise.withResolvers<number>();
    const late = vi.fn();
    const decision = guard.decide(() => promise, late);
    await vi.advanceTimersByTimeAsync(21);
    expect(await decision).toBe('silent');
    resolve(5);
    await vi.advanceTimersByTimeAsync(0);
    expect(late).toHaveBeenCalledExactlyOnceWith(5);
  });

  it('probes one at a time until one is answered, and says so once', async () => {
    const { guard, probes, states } = open();
    for (let i = 0; i < 3; i++) await guard.decide(() => Promise.reject(new Error('gone')));
    await vi.advanceTimersByTimeAsync(1000);
    expect(probes).toHaveLength(1);
    probes[0]!.reject(new Error('gone'));
    await vi.advanceTimersByTimeAsync(100);
    expect(probes).toHaveLength(2);
    probes[1]!.resolve('PONG');
    await vi.advanceTimersByTimeAsync(1000);
    expect(states).toEqual(['silent', 'back']);
    expect(await guard.decide(async () => 3)).toBe(3);
    expect([probes.length, vi.getTimerCount()]).toEqual([2, 0]);
  });
});
