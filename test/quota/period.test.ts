import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Periods, periodAt } from '../../src/quota/period.ts';
import { isTimeZone, TimeZone } from '../../src/quota/time-zone.ts';

const HOUR = 3_600_000;

function period(kind: 'day' | 'month', anchor: number, zone: string, at: string): [string, string] {
  const { start, end } = periodAt({ period: kind, anchor }, new TimeZone(zone), Date.parse(at));
  return [new Date(start).toISOString().slice(0, 16), new Date(end).toISOString().slice(0, 16)];
}

describe('a day', () => {
  it('starts at the anchor’s hour in its time zone', () => {
    expect(period('day', 0, 'UTC', '2026-05-17T12:00Z')).toEqual(['2026-05-17T00:00', '2026-05-18T00:00']);
    expect(period('day', 6, 'UTC', '2026-05-17T05:59Z')).toEqual(['2026-05-16T06:00', '2026-05-17T06:00']);
    expect(period('day', 6, 'UTC', '2026-05-17T06:00Z')).toEqual(['2026-05-17T06:00', '2026-05-18T06:00']);
    expect(period('day', 0, 'Asia/Kolkata', '2026-05-17T18:29Z')).toEqual(['2026-05-16T18:30', '2026-05-17T18:30']);
    expect(period('day', 0, 'Asia/Kolkata', '2026-05-17T18:30Z')).toEqual(['2026-05-17T18:30', '2026-05-18T18:30']);
  });

  it('has 23 hours when clocks go forward, and 25 when they go back', () => {
    expect(period('day', 0, 'Europe/Berlin', '2026-03-29T12:00Z')).toEqual(['2026-03-28T23:00', '2026-03-29T22:00']);
    expect(period('day', 0, 'Europe/Berlin', '2026-10-25T12:00Z')).toEqual(['2026-10-24T22:00', '2026-10-25T23:00']);
  });

  it('starts at the change when the anchor’s hour is skipped, and at the first when it comes twice', () => {
    // 02:00 to 03:00 does not exist on 29 March 2026 in Berlin, and comes twice on 25 October.
    expect(period('day', 2, 'Europe/Berlin', '2026-03-29T12:00Z')[0]).toBe('2026-03-29T01:00');
    expect(period('day', 2, 'Europe/Berlin', '2026-10-25T12:00Z')[0]).toBe('2026-10-25T00:00');
    // Clocks went forward at midnight.
    expect(period('day', 0, 'America/Sao_Paulo', '2018-11-04T12:00Z')).toEqual([
      '2018-11-04T03:00',
      '2018-11-05T02:00',
    ]);
    // Half an hour.
    expect(period('day', 2, 'Australia/Lord_Howe', '2025-10-05T01:00Z')[0]).toBe('2025-10-04T15:30');
  });

  it('is never empty where a whole day was skipped', () => {
    // Samoa went from 29 to 31 December 2011.
    expect(period('day', 0, 'Pacific/Apia', '2011-12-30T09:59Z')).toEqual(['2011-12-29T10:00', '2011-12-30T10:00']);
    expect(period('day', 0, 'Pacific/Apia', '2011-12-30T10:00Z')).toEqual(['2011-12-30T10:00', '2011-12-31T10:00']);
  });
});

describe('a month', () => {
  it('starts at its anchor, or on its last day', () => {
    expect(period('month', 1, 'UTC', '2026-02-10T00:00Z')).toEqual(['2026-02-01T00:00', '2026-03-01T00:00']);
    expect(period('month', 0, 'UTC', '2026-12-31T23:59Z')).toEqual(['2026-12-01T00:00', '2027-01-01T00:00']);
    expect(period('month', 31, 'UTC', '2026-02-27T23:59Z')).toEqual(['2026-01-31T00:00', '2026-02-28T00:00']);
    expect(period('month', 31, 'UTC', '2026-02-28T00:00Z')).toEqual(['2026-02-28T00:00', '2026-03-31T00:00']);
    expect(period('month', 30, 'UTC', '2028-02-29T00:00Z')).toEqual(['2028-02-29T00:00', '2028-03-30T00:00']);
    expect(period('month', 15, 'America/New_York', '2026-03-15T03:59Z')).toEqual([
      '2026-02-15T05:00',
      '2026-03-15T04:00',
    ]);
  });
});

describe('periods', () => {
  it('cover all of time without gap or overlap', () => {
    const zones = ['UTC', 'Europe/Berlin', 'America/Sao_Paulo', 'Australia/Lord_Howe', 'Pacific/Apia', 'Africa/Cairo'];
    const quota = fc.oneof(
      fc.record({ period: fc.constant('day' as const), anchor: fc.integer({ min: 0, max: 23 }) }),
      fc.record({ period: fc.constant('month' as const), anchor: fc.integer({ min: 0, max: 31 }) }),
    );
    const time = fc.integer({ min: Date.UTC(2005, 0, 1), max: Date.UTC(2035, 0, 1) });
    fc.assert(
      fc.property(quota, fc.constantFrom(...zones), time, (each, name, at) => {
        const zone = new TimeZone(name);
        const { start, end } = periodAt(each, zone, at);
        expect(start).toBeLessThanOrEqual(at);
        expect(end).toBeGreaterThan(at);
        expect(end - start).toBeLessThanOrEqual(each.period === 'day' ? 49 * HOUR : 32 * 24 * HOUR);
        expect(periodAt(each, zone, start)).toEqual({ start, end });
        expect(periodAt(each, zone, end - 1)).toEqual({ start, end });
        expect(periodAt(each, zone, end).start).toBe(end);
      }),
      { numRuns: 300 },
    );
  });

  it('are remembered until they end, also when the clock goes back', () => {
    const periods = new Periods();
    const quota = { metric: 'units', limit: 1, period: 'day', timeZone: 'Europe/Berlin', anchor: 0 } as const;
    const noon = Date.parse('2026-05-17T12:00Z');
    const today = periods.at(quota, noon);
    expect(periods.at(quota, noon + HOUR)).toBe(today);
    expect(periods.at(quota, today.end).start).toBe(today.end);
    expect(periods.at(quota, noon)).toEqual(today);
  });

  it('of an unknown time zone are those of UTC', () => {
    const quota = { metric: 'units', limit: 1, period: 'day', timeZone: 'Mars/Olympus', anchor: 0 } as const;
    expect(new Periods().at(quota, Date.UTC(2026, 0, 1, 5)).start).toBe(Date.UTC(2026, 0, 1));
    expect(isTimeZone('Mars/Olympus')).toBe(false);
    expect(isTimeZone('Europe/Berlin')).toBe(true);
  });
});
