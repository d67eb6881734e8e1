import { type Command, InvalidArgumentError } from 'commander';
import { Quota_Period as Period, type Quota, type RateLimit } from '../../generated/tollgate/admin/v1/plan.ts';
import { parseList } from './parse-values.ts';

/** Which limits and quotas an update gives, and which it takes away. */
export interface RateChanges {
  readonly limit?: readonly RateLimit[];
  readonly removeLimit?: readonly string[];
  readonly quota?: readonly Quota[];
  /** As `quotaKey` writes them. */
  readonly removeQuota?: readonly string[];
}

const QUOTA_KEY = /^[a-z][a-z0-9_-]*\/(day|month)$/;

export function addRemoveLimitOption(command: Command): Command {
  return command.option('--remove-limit <name>', 'take this limit away; may be repeated', parseList);
}

export function addRemoveOptions(command: Command): Command {
  return addRemoveLimitOption(command).option(
    '--remove-quota <metric/period>',
    'take this quota away: units/day; may be repeated',
    parseQuotaKeys,
  );
}

export const changesLimits = ({ limit, removeLimit }: RateChanges): boolean => (limit ?? removeLimit) !== undefined;
export const changesQuotas = ({ quota, removeQuota }: RateChanges): boolean => (quota ?? removeQuota) !== undefined;

/**
 * An update of the services has the whole list. Whoever gives one limit does not mean to lift the others, `calls` among them: the list
 * is what there is, with what is given in the place of what has its name.
 */
export function mergeLimits(current: readonly RateLimit[], { limit = [], removeLimit = [] }: RateChanges): RateLimit[] {
  return merge(current, limit, removeLimit, ({ name }) => name);
}

/** As `mergeLimits`: a daily and a monthly quota of one metric stand side by side. */
export function mergeQuotas(current: readonly Quota[], { quota = [], removeQuota = [] }: RateChanges): Quota[] {
  return merge(current, quota, removeQuota, quotaKey);
}

function merge<T>(current: readonly T[], given: readonly T[], removed: readonly string[], keyOf: (item: T) => string) {
  const named = new Map(given.map((item) => [keyOf(item), item]));
  const kept = current.filter((item) => !removed.includes(keyOf(item)));
  const added = given.filter((item) => !kept.some((other) => keyOf(other) === keyOf(item)));
  return [...kept.map((item) => named.get(keyOf(item)) ?? item), ...added];
}

const quotaKey = ({ metric, period }: Quota): string => `${metric}/${period === Period.PERIOD_MONTH ? 'month' : 'day'}`;

function parseQuotaKeys(text: string, before: readonly string[] = []): string[] {
  const keys = parseList(text, before);
  if (keys.every((key) => QUOTA_KEY.test(key))) return keys;
  throw new InvalidArgumentError('write METRIC/PERIOD, such as units/day or units/month.');
}
