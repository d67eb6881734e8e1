import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Quota, RateLimit } from '../../generated/tollgate/admin/v1/plan.ts';
import {
  formatLimit,
  formatQuota,
  parseExpiry,
  parseLimit,
  parseList,
  parseQuota,
} from '../../src/cli/parse-values.ts';

const NAME = fc.stringMatching(/^[a-z][a-z0-9_-]{0,20}$/);

test('a limit that is printed can be given again', () => {
  const limit = fc.record({ name: NAME, rate: fc.double({ min: 1e-9, max: 1e12, noNaN: true }), burst: fc.nat() });
  fc.assert(
    fc.property(limit, (value) => {
      expect(parseLimit(formatLimit(value))).toEqual([RateLimit.fromPartial(value)]);
    }),
  );
});

test('a quota that is printed can be given again', () => {
  const quota = fc.record({
    metric: NAME,
    limit: fc.maxSafeNat(),
    period: fc.constantFrom(1 as const, 2 as const),
    anchor: fc.nat(31),
    timeZone: fc.constantFrom('', 'UTC', 'Europe/Berlin', 'Etc/GMT+5'),
  });
  fc.assert(
    fc.property(quota, (value) => {
      expect(parseQuota(formatQuota(value))).toEqual([Quota.fromPartial(value)]);
    }),
  );
});

test('values that are given twice are joined', () => {
  expect(parseLimit('b=2:2', parseLimit('a=1:1')).map(({ name }) => name)).toEqual(['a', 'b']);
  expect(parseList('c', parseList('a,b'))).toEqual(['a', 'b', 'c']);
});

test('an expiry is a duration from now, a time, or never', () => {
  const now = Date.parse('2030-01-01T00:00:00Z');
  expect(parseExpiry('30d', now)).toEqual(new Date('2030-01-31T00:00:00Z'));
  expect(parseExpiry('90s', now)).toEqual(new Date('2030-01-01T00:01:30Z'));
  expect(parseExpiry('2031-05-05T10:00:00Z', now)).toEqual(new Date('2031-05-05T10:00:00Z'));
  expect(parseExpiry('never', now)).toBeUndefined();
  for (const wrong of ['', 'tomorrow-ish', '99999999999999d', '-1d']) {
    expect(() => parseExpiry(wrong, now)).toThrow('write a duration');
  }
});
