import type { Quota } from '../sync/snapshot.ts';
import { isTimeZone, TimeZone } from './time-zone.ts';

/** From `start` up to, and without, `end`. Unix milliseconds. */
export interface Period {
  readonly start: number;
  readonly end: number;
}

/**
 * The period of a quota that a time lies in. Days have 23 or 25 hours where the clock changes; a month that lacks the
 * anchor's day starts on its last one.
 * @param at Unix milliseconds
 * @param zone the quota's time zone
 */
export function periodAt(quota: Pick<Quota, 'period' | 'anchor'>, zone: TimeZone, at: number): Period {
  const { year, month, day } = zone.wallTime(at);
  let start = Number.NEGATIVE_INFINITY;
  let end = Number.POSITIVE_INFINITY;
  // Two steps each way: where a zone skips a whole day, two starts are the same instant.
  for (let step = -2; step <= 2; step++) {
    const begins =
      quota.period === 'day'
        ? zone.instant({ year, month, day: day + step, hour: quota.anchor })
        : zone.instant({ ...monthStart(year, month + step, quota.anchor), hour: 0 });
    if (begins <= at) start = Math.max(start, begins);
    else end = Math.min(end, begins);
  }
  return { start, end };
}

/** The day on which a month's period starts. @param month 1 to 12, or beyond: then of another year */
function monthStart(year: number, month: number, anchor: number): { year: number; month: number; day: number } {
  const lastDay = new Date(Date.UTC(year, month, 0)).getUTCDate();
  return { year, month, day: Math.min(Math.max(anchor, 1), lastDay) };
}

/** Time zones that are kept: more than there are, so that only nonsense could fill it. */
const MAX_ZONES = 1000;

/**
 * Periods of quotas, remembered until they end: working one out takes 0.1 ms. One per gateway.
 */
export class Periods {
  readonly #zones = new Map<string, TimeZone>();
  readonly #current = new WeakMap<Quota, Period>();

  /** The period that a time lies in. @param now Unix milliseconds; may go back */
  at(quota: Quota, now: number): Period {
    const known = this.#current.get(quota);
    if (known !== undefined && now >= known.start && now < known.end) return known;
    const period = periodAt(quota, this.#zone(quota.timeZone), now);
    this.#current.set(quota, period);
    return period;
  }

  /** A name that is not known counts as UTC: plans are validated where they are made, and a call must not fail over it. */
  #zone(name: string): TimeZone {
    let zone = this.#zones.get(name);
    if (zone !== undefined) return zone;
    zone = new TimeZone(isKnown(name) ? name : 'UTC');
    if (this.#zones.size >= MAX_ZONES) this.#zones.clear();
    this.#zones.set(name, zone);
    return zone;
  }
}

function isKnown(name: string): boolean {
  return name !== '' && isTimeZone(name);
}
