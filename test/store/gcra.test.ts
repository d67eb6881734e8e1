import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { gcraFullAt, gcraRetryAfterMs, newGcraBucket, takeGcra } from '../../src/store/gcra.ts';

const rates = fc.oneof(fc.integer({ min: 1, max: 1_000_000 }), fc.double({ min: 0.01, max: 5000, noNaN: true }));
const bursts = fc.integer({ min: 1, max: 500 });
const schedules = fc.array(
  fc.record({
    wait: fc.oneof(
      fc.constant(0),
      fc.double({ min: 0, max: 3, noNaN: true }),
      fc.double({ min: 0, max: 5000, noNaN: true }),
    ),
    want: fc.integer({ min: 1, max: 50 }),
  }),
  { minLength: 1, maxLength: 60 },
);

describe('gcra', () => {
  it('admits at most burst + rate x t in any window of a random schedule', () => {
    fc.assert(
      fc.property(
        rates,
        bursts,
        schedules,
        fc.double({ min: 0, max: 1e9, noNaN: true }),
        (rate, burst, schedule, begin) => {
          let now = begin;
          const bucket = newGcraBucket(rate, now);
          const grants: { at: number; units: number }[] = [];
          for (const { wait, want } of schedule) {
            now += wait;
            grants.push({ at: now, units: takeGcra(bucket, rate, burst, want, now) });
          }
          for (let first = 0; first < grants.length; first++) {
            let units = 0;
            for (let last = first; last < grants.length; last++) {
              units += grants[last]!.units;
              const bound = burst + (rate * (grants[last]!.at - grants[first]!.at)) / 1000;
              // The slack is what the clock itself cannot tell apart (a double of 1e9 ms steps by 1.2e-7 ms).
              expect(units).toBeLessThanOrEqual(bound + rate * 1e-9 + 1e-6);
            }
          }
        },
      ),
    );
  });

  it('grants all that conforms: who asks all the time gets burst + rate x t, to the unit', () => {
    fc.assert(
      fc.property(rates, bursts, schedules, (rate, burst, schedule) => {
        let now = 5;
        const bucket = newGcraBucket(rate, now);
        let units = takeGcra(bucket, rate, burst, 1e9, now);
        expect(units).toBe(burst);
        for (const { wait } of schedule) {
          // Never so long that the bucket fills up, which would lose what nobody took; a part of a unit may be left in it.
          now += Math.min(wait, ((burst - 1) * 999) / rate);
          units += takeGcra(bucket, rate, burst, 1e9, now);
        }
        const bound = burst + (rate * (now - 5)) / 1000;
        expect(units).toBeGreaterThan(bound - 1 - 1e-6);
      }),
    );
  });

  it('does not drift over ten million units taken in one busy spell', () => {
    const rate = 3333.33;
    const bucket = newGcraBucket(rate, 1e8);
    let units = 0;
    for (let i = 0; i <= 100_000; i++) units += takeGcra(bucket, rate, 200, 1e9, 1e8 + i * 29.97);
    expect(units).toBe(Math.floor(200 + (rate * 100_000 * 29.97) / 1000));
  });

  it('says when the next unit conforms: then it does, and a little earlier it does not', () => {
    fc.assert(
      fc.property(rates, bursts, schedules, (rate, burst, schedule) => {
        let now = 1e6;
        const bucket = newGcraBucket(rate, now);
        for (const { wait, want } of schedule) {
          now += wait;
          if (takeGcra(bucket, rate, burst, want, now) > 0) continue;
          const retry = gcraRetryAfterMs(bucket, burst, now);
          expect(retry).toBeGreaterThan(0);
          expect(takeGcra({ ...bucket }, rate, burst, 1, now + retry)).toBe(1);
          if (retry > 0.01) expect(takeGcra({ ...bucket }, rate, burst, 1, now + retry - 0.005)).toBe(0);
        }
      }),
    );
  });

  it('is full again when it says so, and not before', () => {
    const bucket = newGcraBucket(10, 0);
    takeGcra(bucket, 10, 5, 3, 0);
    expect(gcraFullAt(bucket)).toBe(300);
    expect(takeGcra({ ...bucket }, 10, 5, 9, 299)).toBe(4);
    expect(takeGcra({ ...bucket }, 10, 5, 9, 300)).toBe(5);
  });

  it('earns nothing when the clock goes back', () => {
    const bucket = newGcraBucket(10, 1000);
    expect(takeGcra(bucket, 10, 2, 2, 1000)).toBe(2);
    expect(takeGcra(bucket, 10, 2, 1, 10)).toBe(0);
    expect(takeGcra(bucket, 10, 2, 1, 1099)).toBe(0);
    expect(takeGcra(bucket, 10, 2, 1, 1100)).toBe(1);
  });

  it('keeps what is in use when rate or burst change', () => {
    const bucket = newGcraBucket(10, 0);
    expect(takeGcra(bucket, 10, 10, 10, 0)).toBe(10);
    // Five have flowed back at 10/s; the other five now flow back at 1/s.
    expect(takeGcra(bucket, 1, 10, 99, 500)).toBe(5);
    expect(takeGcra(bucket, 1, 10, 1, 1499)).toBe(0);
    expect(takeGcra(bucket, 1, 10, 1, 1500)).toBe(1);
    // A smaller burst is in debt until enough has flowed back.
    expect(takeGcra(bucket, 1, 2, 1, 1500)).toBe(0);
    expect(gcraRetryAfterMs(bucket, 2, 1500)).toBeCloseTo(9000, 2);
  });
});
