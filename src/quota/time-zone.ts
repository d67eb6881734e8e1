/** A date and hour as a wall clock shows it. Months are 1 to 12; days and months may overflow, as with `Date.UTC`. */
export interface WallTime {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
}

const DAY_MS = 86_400_000;

/** Whether an IANA name (`Europe/Berlin`, `UTC`) is known here. */
export function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

/** One time zone's offsets from UTC, by the ICU data that Node brings. */
export class TimeZone {
  readonly #format: Intl.DateTimeFormat;

  /** @throws RangeError when the name is not known */
  constructor(name: string) {
    this.#format = new Intl.DateTimeFormat('en-US', {
      timeZone: name,
      calendar: 'gregory',
      numberingSystem: 'latn',
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
  }

  /** What the wall clock shows. @param at Unix milliseconds */
  wallTime(at: number): WallTime {
    const local = new Date(at + this.#offset(at));
    return {
      year: local.getUTCFullYear(),
      month: local.getUTCMonth() + 1,
      day: local.getUTCDate(),
      hour: local.getUTCHours(),
    };
  }

  /**
   * The instant at which the wall clock shows a full hour. An hour that is shown twice is the first of the two; one that is
   * skipped is the instant of the change, when the clock jumps over it.
   * @returns Unix milliseconds
   */
  instant({ year, month, day, hour }: WallTime): number {
    const asUtc = Date.UTC(year, month - 1, day, hour);
    // The zone's offset there is the one before or the one after a change nearby.
    const before = asUtc - this.#offset(asUtc - DAY_MS);
    const after = asUtc - this.#offset(asUtc + DAY_MS);
    const earlier = Math.min(before, after);
    if (earlier + this.#offset(earlier) === asUtc) return earlier;
    const later = Math.max(before, after);
    if (later + this.#offset(later) === asUtc) return later;
    return before;
  }

  /** Milliseconds that the zone is ahead of UTC. */
  #offset(at: number): number {
    const fields: Record<string, number> = {};
    for (const { type, value } of this.#format.formatToParts(at)) fields[type] = Number(value);
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = fields;
    return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(at / 1000) * 1000;
  }
}
