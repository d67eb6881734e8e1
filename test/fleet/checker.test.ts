import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type AdmittedCall,
  checkQuota,
  checkRevocations,
  checkTotal,
  checkVersions,
  checkWindows,
  type Limit,
  worstWindow,
} from './checker.ts';

// A checker that cannot fail proves nothing: each promise is broken here on paper.

const LIMIT: Limit = { rate: 100, burst: 20 };

function call(at: number, fields: Partial<AdmittedCall> = {}): AdmittedCall {
  return { since: at, at, tenant: 'alpha', gateway: 0, principal: 'key', ...fields };
}

const times = (count: number, from: number, everyMs: number) =>
  Array.from({ length: count }, (_, index) => call(from + index * everyMs));

describe('windows', () => {
  test('a burst and then the rate is what the limit allows', () => {
    expect(checkWindows([...times(20, 0, 0), ...times(500, 10, 10)], LIMIT)).toEqual([]);
  });

  test('what a lease may add is allowed, one call more is not', () => {
    expect(checkWindows(times(30, 0, 0), LIMIT)).toEqual([]);
    expect(checkWindows(times(31, 0, 0), LIMIT)).toEqual([
      '31 calls admitted within 0.000 s (from 0.000 s on), allowed 30.0',
    ]);
  });

  test('a rate that is slightly too high shows after a while', () => {
    expect(checkWindows(times(200, 0, 9), LIMIT)).toEqual([]);
    expect(checkWindows(times(1_000, 0, 9), LIMIT)).not.toEqual([]);
  });

  test('a violation in the middle of a quiet log is found', () => {
    const log = [...times(100, 0, 20), ...times(60, 2_000, 1), ...times(100, 3_000, 20)];
    expect(worstWindow(log, LIMIT)).toMatchObject({ admitted: 60, fromMs: 2_000 });
    expect(checkWindows(log, LIMIT)).toHaveLength(1);
  });

  test('calls that a log saw late count only where they were for certain', () => {
    // 60 calls that came at some time within 500 ms, and were all seen at its end.
    const late = Array.from({ length: 60 }, () => call(500, { since: 0 }));
    expect(checkWindows(late, LIMIT)).toEqual([]);
    expect(
      checkWindows(
        late.map((each) => ({ ...each, since: 400 })),
        LIMIT,
      ),
    ).toHaveLength(1);
  });

  test('an allowance counts in the windows that it lies in, and in no other', () => {
    const log = times(50, 1_000, 0);
    expect(checkWindows(log, LIMIT, [{ at: 1_000, units: 20 }])).toEqual([]);
    expect(checkWindows(log, LIMIT, [{ at: 1_000, units: 19 }])).toHaveLength(1);
    expect(checkWindows(log, LIMIT, [{ at: 999, units: 20 }])).toHaveLength(1);
    expect(checkWindows(log, LIMIT, [{ at: 1_001, units: 20 }])).toHaveLength(1);
  });

  test('finds the same window as looking at all of them', () => {
    const gap = fc.integer({ min: 0, max: 60 });
    const log = fc.array(fc.tuple(gap, fc.integer({ min: 0, max: 5 })), { minLength: 1, maxLength: 60 });
    const allowances = fc.array(fc.record({ at: fc.integer({ min: 0, max: 2_000 }), units: fc.nat(10) }), {
      maxLength: 4,
    });
    fc.assert(
      fc.property(log, allowances, (steps, allowed) => {
        let at = 0;
        let since = 0;
        const calls = steps.map(([step, blind]) => {
          at += step;
          since = Math.max(since, at - blind);
          return call(at, { since });
        });
        const worst = worstWindow(calls, LIMIT, allowed)!;
        expect(worst.admitted - worst.allowed).toBeCloseTo(exhaustive(calls, allowed), 6);
      }),
    );
  });
});

/** By how much the worst window breaks the promise: every window, one by one. */
function exhaustive(calls: readonly AdmittedCall[], allowances: readonly { at: number; units: number }[]): number {
  let worst = Number.NEGATIVE_INFINITY;
  for (const [first, { since }] of calls.entries()) {
    for (let last = first; last < calls.length; last++) {
      const { at } = calls[last]!;
      const extra = allowances.filter((each) => each.at >= since && each.at <= at);
      const units = extra.reduce((sum, each) => sum + each.units, 0);
      const allowed = LIMIT.burst + LIMIT.rate * ((at - since) / 1000 + 0.1) + units;
      worst = Math.max(worst, last - first + 1 - allowed);
    }
  }
  return worst;
}

test('a fleet that leaves units unused is told so', () => {
  const period = { from: 0, until: 10_000 };
  expect(checkTotal(times(1_000, 0, 10), LIMIT, period)).toEqual([]);
  expect(checkTotal(times(960, 0, 10), LIMIT, period)).toHaveLength(1);
});

describe('quotas', () => {
  const quota = { limit: 100, used: 100, mayBeLost: 0 };
  test('all used and all counted is right', () => expect(checkQuota(times(100, 0, 1), quota)).toEqual([]));
  test('more served than the quota is not', () => expect(checkQuota(times(101, 0, 1), quota)).not.toEqual([]));
  test('more counted than the quota is not', () =>
    expect(checkQuota(times(100, 0, 1), { ...quota, used: 101, mayBeLost: 5 })).not.toEqual([]));
  test('served and not counted is not', () =>
    expect(checkQuota(times(50, 0, 1), { ...quota, used: 49 })).not.toEqual([]));
  test('lost units are, as many as leases were killed', () => {
    expect(checkQuota(times(98, 0, 1), { ...quota, mayBeLost: 2 })).toEqual([]);
    expect(checkQuota(times(98, 0, 1), { ...quota, mayBeLost: 1 })).toHaveLength(1);
  });
});

test('a version that goes back is found, a new process may begin lower', () => {
  const seen = (gateway: number, run: number, version: number) => ({ at: 0, gateway, run, version });
  expect(checkVersions([seen(0, 0, 5), seen(1, 0, 3), seen(0, 0, 6), seen(0, 1, 4)])).toEqual([]);
  expect(checkVersions([seen(0, 0, 5), seen(1, 0, 3), seen(0, 0, 4)])).toHaveLength(1);
});

describe('revocations', () => {
  const revoked = { principal: 'key', acknowledgedAt: 1_000 };
  test('calls before, and one that was on its way, are none', () =>
    expect(checkRevocations([call(900), call(1_050)], [revoked])).toEqual([]));
  test('one after the acknowledgement is', () => expect(checkRevocations([call(1_101)], [revoked])).toHaveLength(1));
  test('other keys are not meant', () =>
    expect(checkRevocations([call(2_000, { principal: 'b' })], [revoked])).toEqual([]));
  test('a gateway that was named has until its wake-up and a second', () => {
    const named = { ...revoked, excused: new Map([[1, 5_000]]) };
    expect(checkRevocations([call(4_900, { gateway: 1 })], [named])).toEqual([]);
    expect(checkRevocations([call(5_200, { gateway: 1 })], [named])).toHaveLength(1);
    expect(checkRevocations([call(4_900, { gateway: 0 })], [named])).toHaveLength(1);
  });
});
