import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SilenceGuard, type SilenceState } from '../../../src/store/redis/silence.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A store that answers when told. */
function open() {
  const probes: { resolve: (value: unknown) => void; reject: (error: Error) => void }[] = [];
  const states: SilenceState[] = [];
  const late: number[] = [];
  const guard = new SilenceGuard({
    probe: () => {
      const { promise, resolve, reject } = Promise.withResolvers<unknown>();
      probes.push({ resolve, reject });
      return promise;
    },
    onLate: (ms) => void late.push(ms),
  });
  guard.onChange((state) => void states.push(state));
  return { guard, probes, states, late };
}

const never = () => new Promise<number>(() => {});
const broken = () => Promise.reject(new Error('gone'));

/** Asks what is answered when the test says so. */
function ask(guard: SilenceGuard, lane?: string) {
  const { promise, resolve } = Promise.withResolvers<number>();
  const late = vi.fn();
  const outcome: { decision: number | string | undefined } = { decision: undefined };
  void guard
    .decide(() => promise, late, lane)
    .then((decision) => {
      outcome.decision = decision;
    });
  return { answer: resolve, late, outcome };
}

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

describe('the guard of a store that may fall silent', () => {
  it('hands answers on', async () => {
    const { guard, states, late } = open();
    expect(await guard.decide(async () => 7)).toBe(7);
    await pass(1000);
    expect([guard.silent, states, late, vi.getTimerCount()]).toEqual([false, [], [], 0]);
  });

  it('decides within 20 ms for all that wait, and at once for those who come while nothing is heard', async () => {
    const { guard, states } = open();
    const first = ask(guard);
    await pass(6);
    const second = ask(guard);
    await pass(7);
    expect([first.outcome.decision, second.outcome.decision]).toEqual([undefined, undefined]);
    await pass(4);
    expect([first.outcome.decision, second.outcome.decision]).toEqual(['silent', 'silent']);
    const notAsked = vi.fn(never);
    expect(await guard.decide(notAsked)).toBe('silent');
    expect(notAsked).not.toHaveBeenCalled();
    expect([guard.silent, states]).toEqual([false, []]);
    guard.close();
  });

  it('asks again as soon as a late answer was heard, which goes back', async () => {
    const { guard, states, late } = open();
    const first = ask(guard);
    await pass(30);
    first.answer(5);
    await pass(0);
    expect(first.late).toHaveBeenCalledExactlyOnceWith(5);
    expect(await guard.decide(async () => 7)).toBe(7);
    await pass(1000);
    expect([states, late.length, late[0]! > 25]).toEqual([[], 1, true]);
  });

  it('waits longer for a store that is heard, behind a long row of questions', async () => {
    const { guard } = open();
    const row = Array.from({ length: 12 }, () => ask(guard));
    for (const each of row) {
      await pass(3);
      each.answer(1);
    }
    await pass(0);
    expect(row.map(({ outcome }) => outcome.decision)).toEqual(row.map(() => 1));
    // But not for ever: one that is passed over is given up.
    const passedOver = ask(guard);
    for (let i = 0; i < 60 && passedOver.outcome.decision === undefined; i++) {
      const other = ask(guard);
      await pass(3);
      other.answer(1);
    }
    expect(passedOver.outcome.decision).toBe('silent');
    await pass(0);
    expect(await guard.decide(async () => 7)).toBe(7);
  });

  it('does not take time in which nobody looked for the silence of the store', async () => {
    const { guard, states } = open();
    // A machine that has no time for this process: clocks go on, timers do not.
    const clock = performance.now.bind(performance);
    let stalled = 0;
    const now = vi.spyOn(performance, 'now').mockImplementation(() => clock() + stalled);
    try {
      const one = ask(guard);
      await pass(3);
      stalled += 500;
      await pass(4);
      stalled += 500;
      expect([one.outcome.decision, guard.silent]).toEqual([undefined, false]);
      one.answer(1);
      const other = ask(guard);
      await pass(4);
      stalled += 500;
      await pass(4);
      expect([one.outcome.decision, other.outcome.decision]).toEqual([1, undefined]);
      await pass(12);
      expect([other.outcome.decision, states]).toEqual(['silent', []]);
    } finally {
      now.mockRestore();
      guard.close();
    }
  });

  it('falls silent when nothing is heard for long, and then asks nobody', async () => {
    const { guard, states } = open();
    ask(guard);
    await pass(100);
    expect([guard.silent, states]).toEqual([true, ['silent']]);
    expect(await guard.decide(vi.fn(never))).toBe('silent');
    guard.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('counts an error as no answer, three in a row as silence, and an answer in between ends the row', async () => {
    const { guard, states } = open();
    expect(await guard.decide(broken)).toBe('silent');
    await guard.decide(broken);
    await guard.decide(async () => 1);
    await guard.decide(broken);
    await guard.decide(broken);
    expect(guard.silent).toBe(false);
    await guard.decide(broken);
    expect([guard.silent, states]).toEqual([true, ['silent']]);
    guard.close();
  });

  it('tells one server of a Cluster from the others: it is late alone, and silent only with all', async () => {
    const { guard } = open();
    const [one, other] = [ask(guard, 'one'), ask(guard, 'other')];
    other.answer(1);
    await pass(200);
    expect([one.outcome.decision, other.outcome.decision, guard.silent]).toEqual(['silent', 1, false]);
    expect(await guard.decide(async () => 7, undefined, 'one')).toBe('silent');
    expect(await guard.decide(async () => 7, undefined, 'other')).toBe(7);
    ask(guard, 'other');
    await pass(200);
    expect(guard.silent).toBe(true);
    guard.close();
  });

  it('probes one at a time until one is answered, and says so once', async () => {
    const { guard, probes, states } = open();
    for (let i = 0; i < 3; i++) await guard.decide(broken);
    await pass(1000);
    expect(probes).toHaveLength(1);
    probes[0]!.reject(new Error('gone'));
    await pass(100);
    expect(probes).toHaveLength(2);
    probes[1]!.resolve('PONG');
    await pass(1000);
    expect(states).toEqual(['silent', 'back']);
    expect(await guard.decide(async () => 3)).toBe(3);
    await pass(1000);
    expect([probes.length, vi.getTimerCount()]).toEqual([2, 0]);
  });
});
