import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Deadline, Deadlines } from '../../src/chain/deadlines.ts';

class Recorder implements Deadline {
  deadlineAt: number;
  deadlineNext: Deadline | undefined = undefined;
  deadlinePrevious: Deadline | undefined = undefined;
  deadlineSlot = -1;
  firedAt: number | undefined = undefined;
  readonly #onFire: () => void;
  readonly #now: () => number;

  constructor(at: number, now: () => number, onFire: () => void = () => {}) {
    this.deadlineAt = at;
    this.#now = now;
    this.#onFire = onFire;
  }

  onDeadline(): void {
    expect(this.firedAt).toBeUndefined();
    this.firedAt = this.#now();
    this.#onFire();
  }
}

test('deadlines fire once, never early, and by the first sweep that is 10 ms behind them', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ at: fc.integer({ min: 0, max: 20_000 }), removed: fc.boolean() }), { maxLength: 60 }),
      fc.array(fc.integer({ min: 1, max: 9_000 }), { minLength: 1, maxLength: 30 }),
      (entries, steps) => {
        let now = 1000;
        const deadlines = new Deadlines(() => now);
        const recorders = entries.map(({ at }) => new Recorder(1000 + at, () => now));
        for (const recorder of recorders) deadlines.add(recorder);
        entries.forEach(({ removed }, i) => {
          if (removed) deadlines.remove(recorders[i]!);
        });
        for (const step of steps) {
          now += step;
          deadlines.sweep();
          recorders.forEach((recorder, i) => {
            if (entries[i]!.removed) expect(recorder.firedAt).toBeUndefined();
            else if (recorder.deadlineAt + 10 <= now) expect(recorder.firedAt).toBeDefined();
            if (recorder.firedAt !== undefined) expect(recorder.firedAt).toBeGreaterThanOrEqual(recorder.deadlineAt);
          });
        }
        const left = recorders.filter((r, i) => !entries[i]!.removed && r.firedAt === undefined).length;
        expect(deadlines.size).toBe(left);
        deadlines.close();
      },
    ),
  );
});

test('a deadline that fires may remove its neighbours and add new ones', () => {
  let now = 0;
  const deadlines = new Deadlines(() => now);
  const first = new Recorder(10, () => now);
  const late = new Recorder(12, () => now);
  const last = new Recorder(
    10,
    () => now,
    () => {
      deadlines.remove(first);
      deadlines.add(late);
    },
  );
  deadlines.add(first);
  deadlines.add(last);
  now = 30;
  deadlines.sweep();
  expect(last.firedAt).toBe(30);
  expect(first.firedAt).toBeUndefined();
  now = 60;
  deadlines.sweep();
  expect(late.firedAt).toBe(60);
  expect(deadlines.size).toBe(0);
  deadlines.close();
});

test('its own timer fires real deadlines and stops when none is left', async () => {
  const deadlines = new Deadlines(() => performance.now());
  const at = performance.now() + 20;
  const firedAt = await new Promise<number>((resolve) => {
    deadlines.add(
      new Recorder(
        at,
        () => performance.now(),
        () => resolve(performance.now()),
      ),
    );
  });
  expect(firedAt).toBeGreaterThanOrEqual(at);
  expect(deadlines.size).toBe(0);
  deadlines.close();
});
