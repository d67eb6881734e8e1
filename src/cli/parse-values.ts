import { InvalidArgumentError } from 'commander';
import { Quota_Period as Period, type Quota, type RateLimit } from '../../generated/tollgate/admin/v1/plan.ts';

const LIMIT = /^([a-z][a-z0-9_-]*)=(\d+(?:\.\d+)?(?:e[+-]?\d+)?):(\d+)$/;
const QUOTA = /^([a-z][a-z0-9_-]*)=(\d+)\/(day|month)(?:@(\d+))?(?:,(\S+))?$/;
const UNITS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const DURATION = /^(\d+)([smhd])$/;

/** `calls=50:100`: 50 calls a second, 100 at once. For commander: what came before is kept. */
export function parseLimit(text: string, before: readonly RateLimit[] = []): RateLimit[] {
  const [, name, rate, burst] = LIMIT.exec(text) ?? [];
  if (!name) throw new InvalidArgumentError('write NAME=RATE:BURST, such as calls=50:100 (50 a second, 100 at once).');
  return [...before, { name, rate: Number(rate), burst: Number(burst) }];
}

/** `units=10000/day`, `units=1000000/month@15,Europe/Berlin`. */
export function parseQuota(text: string, before: readonly Quota[] = []): Quota[] {
  const [, metric, limit, period, anchor = '0', timeZone = ''] = QUOTA.exec(text) ?? [];
  if (!metric) {
    throw new InvalidArgumentError(
      'write METRIC=LIMIT/PERIOD[@ANCHOR][,ZONE], such as units=10000/day or units=1000000/month@15,Europe/Berlin.',
    );
  }
  return [
    ...before,
    {
      metric,
      limit: Number(limit),
      period: period === 'day' ? Period.PERIOD_DAY : Period.PERIOD_MONTH,
      anchor: Number(anchor),
      timeZone,
    },
  ];
}

export function formatLimit(limit: RateLimit): string {
  return `${limit.name}=${limit.rate}:${limit.burst}`;
}

export function formatQuota(quota: Quota): string {
  const period = quota.period === Period.PERIOD_MONTH ? 'month' : 'day';
  const anchor = quota.anchor === 0 ? '' : `@${quota.anchor}`;
  const zone = quota.timeZone === '' ? '' : `,${quota.timeZone}`;
  return `${quota.metric}=${quota.limit}/${period}${anchor}${zone}`;
}

/** Values given one by one or divided by commas. */
export function parseList(text: string, before: readonly string[] = []): string[] {
  return [...before, ...text.split(',').filter((item) => item !== '')];
}

export function parseCount(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('write a whole number.');
  return Number(text);
}

/** A port from which one more follows. */
export function parsePort(text: string): number {
  const port = parseCount(text);
  if (port > 65534) throw new InvalidArgumentError('write a port, 0 to 65534.');
  return port;
}

/** `30m`, `12h`, `7d`, `0s`. @returns milliseconds */
export function parseDuration(text: string): number {
  const [, count, unit] = DURATION.exec(text) ?? [];
  const ms = Number(count) * UNITS[unit as keyof typeof UNITS];
  if (!Number.isSafeInteger(ms)) throw new InvalidArgumentError('write a duration, such as 30m, 12h or 7d.');
  return ms;
}

/**
 * When a key ends: an ISO 8601 time, or a duration from now (`30d`, `12h`); `never` is undefined.
 * @param now Unix milliseconds
 */
export function parseExpiry(text: string, now: number): Date | undefined {
  if (text === 'never') return undefined;
  const [, count, unit] = DURATION.exec(text) ?? [];
  const time = count ? now + Number(count) * UNITS[unit as keyof typeof UNITS] : Date.parse(text);
  if (!Number.isFinite(time) || time > 8.64e15) {
    throw new InvalidArgumentError('write a duration (30d, 12h), a time (2030-01-31T12:00:00Z) or never.');
  }
  return new Date(time);
}
